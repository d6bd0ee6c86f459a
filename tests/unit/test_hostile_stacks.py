"""HDF5 files of an experiment that are made, or damaged, to crash, hang, fill the memory or reach out of themselves."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from antrax.io.stacks import write_stacks
from antrax.io.untrusted_hdf5 import ContentError, dataset, open_hdf5, texts

GOOD, BAD = "trj_id2_ti1_4_tf1_5", "trj_id1_ti1_1_tf1_2"
Edit = Callable[[h5py.File], None]


def virtual_self(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((2, 3, 6, 6), np.uint8, maxshape=(None, 3, 6, 6))
    layout[:] = h5py.VirtualSource(".", BAD, (2, 3, 6, 6))
    file.create_virtual_dataset(BAD, layout)


def virtual_self_unlimited(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((2, 3, 6, 6), np.uint8, maxshape=(None, 3, 6, 6))
    source = h5py.VirtualSource(".", BAD, (2, 3, 6, 6), maxshape=(None, 3, 6, 6))
    layout[0 : h5py.h5s.UNLIMITED : 1] = source[0 : h5py.h5s.UNLIMITED : 1]
    file.create_virtual_dataset(BAD, layout)


def virtual_elsewhere(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((2, 3, 6, 6), np.uint8)
    layout[:] = h5py.VirtualSource("pipe", BAD, (2, 3, 6, 6))
    file.create_virtual_dataset(BAD, layout)


def external_storage(file: h5py.File) -> None:
    file.create_dataset(BAD, (2, 3, 6, 6), np.uint8, external=[("/etc/passwd", 0, 216)])


def external_link(file: h5py.File) -> None:
    file[BAD] = h5py.ExternalLink("pipe", "x")


def soft_link(file: h5py.File) -> None:
    file[BAD] = h5py.SoftLink(f"/{GOOD}")


def null_space(file: h5py.File) -> None:
    file[BAD] = h5py.Empty(np.uint8)


def compound(file: h5py.File) -> None:
    file.create_dataset(BAD, (2, 3, 6, 6), np.dtype([("a", np.uint8), ("b", np.uint8)]))


def of_any_length(file: h5py.File) -> None:
    file.create_dataset(BAD, (2, 3, 6, 6), h5py.vlen_dtype(np.uint8))


def references(file: h5py.File) -> None:
    file.create_dataset(BAD, (2, 3, 6, 6), h5py.ref_dtype)


def opaque(file: h5py.File) -> None:
    file.create_dataset(BAD, (2, 3, 6, 6), np.dtype("V1"))


def committed_type(file: h5py.File) -> None:
    file[BAD] = np.dtype("u1")


def deep_type(file: h5py.File) -> None:
    kind = h5py.h5t.NATIVE_UINT8
    for _ in range(500):
        kind = h5py.h5t.vlen_create(kind)
    h5py.h5d.create(file.id, BAD.encode(), kind, h5py.h5s.create_simple((2, 3, 6, 6)))


def giant_chunk(file: h5py.File) -> None:
    shape = (500_000, 3, 48, 48)
    file.create_dataset(BAD, (2, 3, 48, 48), np.uint8, chunks=shape, maxshape=(None,) * 4, compression="gzip")


def giant_claim(file: h5py.File) -> None:
    file.create_dataset(BAD, (2**40, 3, 48, 48), np.uint8, chunks=(1, 3, 48, 48), compression="gzip")


def claim_of_endless_images(file: h5py.File) -> None:
    file.create_dataset(BAD, (10**9, 3, 6, 6), np.uint8, chunks=(10**5, 3, 6, 6))


def huge_images(file: h5py.File) -> None:
    file.create_dataset(BAD, (1, 3, 2**20, 2**20), np.uint8, chunks=(1, 3, 512, 512), compression="gzip")


def unknown_filter(file: h5py.File) -> None:
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_chunk((2, 3, 6, 6))
    creation.set_filter(32_001, h5py.h5z.FLAG_OPTIONAL, (1,))
    space = h5py.h5s.create_simple((2, 3, 6, 6))
    h5py.h5d.create(file.id, BAD.encode(), h5py.h5t.STD_U8LE, space, dcpl=creation)


def bomb(file: h5py.File) -> None:
    data = file.create_dataset(BAD, (40_000, 3, 6, 6), np.uint8, chunks=(40_000, 3, 6, 6), compression="gzip")
    packer = zlib.compressobj(1)
    content = packer.compress(np.random.default_rng(0).bytes(2**21))
    for _ in range(64):
        content += packer.compress(bytes(2**24))
    data.id.write_direct_chunk((0, 0, 0, 0), content + packer.flush())


def deep_groups(file: h5py.File) -> None:
    group = file.create_group(BAD)
    for _ in range(2000):
        group = group.create_group("a")


def of_two_dimensions_of_text(file: h5py.File) -> None:
    file[BAD] = np.full((6, 6), b"x" * 100)


EDITS = [
    *(virtual_self, virtual_self_unlimited, virtual_elsewhere, external_storage, external_link, soft_link, null_space),
    *(compound, of_any_length, references, opaque, committed_type, deep_type, giant_chunk, giant_claim),
    *(claim_of_endless_images, huge_images, unknown_filter, bomb, deep_groups, of_two_dimensions_of_text),
]

# In a process of its own with little memory each: the HDF5 library is not written in Python. They are forks of one.
CODE = textwrap.dedent(
    """
    import os, resource, sys, traceback
    from pathlib import Path
    import numpy as np
    from antrax.errors import AntraxError
    from antrax.io.stacks import open_stack, read_frame_passed
    from antrax.io.trdata import _read
    from antrax.io.untrusted_hdf5 import ContentError, open_hdf5

    def look(path, names):
        with open_stack(path) as stack:
            for name in stack.tracklets():
                try:
                    print(name.id, "images", sum(len(piece) for piece in stack.pieces(name.name)))
                except AntraxError as error:
                    print(name.id, "refused", error)
        print(sorted(name for name, passed in read_frame_passed(path, names).items() if len(passed)))
        with open_hdf5(path) as file:
            try:
                _read(file, names[0])
            except ContentError as error:
                print("blobs refused")

    bad, good, *folders = sys.argv[1:]
    for folder in folders:
        if child := os.fork():
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
            continue
        os.chdir(folder)
        with open("output", "w") as sys.stdout:
            code = 1
            try:
                resource.setrlimit(resource.RLIMIT_AS, (3 * 2**30,) * 2)
                resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
                look(Path("images_1.mat"), [bad, good])
                code = 0
            except BaseException:
                traceback.print_exc(file=sys.stdout)
        os._exit(code)
    """
)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[Edit, tuple[int, str]]:
    """Exit status and output of the process that read each file."""
    root = tmp_path_factory.mktemp("hostile")
    for edit in EDITS:
        folder = root / edit.__name__
        folder.mkdir()
        write_stacks(folder / "images_1.mat", [(GOOD, np.ones((2, 6, 6, 3), np.uint8))])
        os.mkfifo(folder / "pipe")
        with h5py.File(folder / "images_1.mat", "r+") as file:
            edit(file)
    folders = [root / edit.__name__ for edit in EDITS]
    command = [sys.executable, "-c", CODE, BAD, GOOD, *map(str, folders)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-1500:]
    codes = map(int, done.stdout.split())
    return {
        edit: (code, (folder / "output").read_text()) for edit, code, folder in zip(EDITS, codes, folders, strict=True)
    }


@pytest.mark.slow
@pytest.mark.xdist_group("hostile stacks")
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
def test_a_dataset_made_to_do_harm_costs_only_itself(outcomes: dict[Edit, tuple[int, str]], edit: Edit) -> None:
    code, output = outcomes[edit]
    assert code == 0, output[-1500:]
    assert "2 images 2" in output
    assert "1 refused" in output
    assert f"['{GOOD}']" in output
    assert "blobs refused" in output


def test_a_chunk_larger_than_may_be_read_is_refused_although_the_dataset_is_small(tmp_path: Path) -> None:
    """HDF5 makes room for a whole chunk, however little of it is asked for."""
    with h5py.File(tmp_path / "x.mat", "w") as file:
        for name, length in (("large", 2**28 + 1), ("fitting", 2**28)):
            data = file.create_dataset(name, (9,), np.uint8, chunks=(length,), maxshape=(None,), compression="gzip")
            data.id.write_direct_chunk((0,), zlib.compress(bytes(9)))
    with open_hdf5(tmp_path / "x.mat") as file:
        with pytest.raises(ContentError, match="large is too large"):
            dataset(file, "large", compressed=True)
        assert dataset(file, "fitting", compressed=True).shape == (9,)


CHAINS = """
import itertools, random, sys
from pathlib import Path
import h5py, numpy as np
from antrax.errors import AntraxError, StackError
from antrax.io.stacks import open_stack, read_frame_passed

folder, seeds = Path(sys.argv[1]), int(sys.argv[2])
names = [f"trj_id{n}_ti1_1_tf1_2" for n in range(1, 4)]
read = refused = 0
KINDS = ["real", "virtual", "unlimited", "external", "soft", "stored elsewhere", "through a link"]
for seed in range(seeds):
    chance = random.Random(seed)
    real = set()
    paths = [folder / f"images_{n}.mat" for n in range(1, 5)]
    for path in paths:
        with h5py.File(path, "w", libver="latest" if seed % 2 else "earliest") as file:
            for name in names:
                other, to = chance.choice(paths), chance.choice(names)
                match chance.choice(KINDS):
                    case "real":
                        file[name] = np.full((2, 3, 6, 6), 7, np.uint8)
                        real.add((path, name))
                    case "virtual":
                        layout = h5py.VirtualLayout((2, 3, 6, 6), np.uint8)
                        layout[:] = h5py.VirtualSource("." if other == path else other.name, to, (2, 3, 6, 6))
                        file.create_virtual_dataset(name, layout)
                    case "unlimited":
                        layout = h5py.VirtualLayout((2, 3, 6, 6), np.uint8, maxshape=(None, 3, 6, 6))
                        source = h5py.VirtualSource(other.name, to, (2, 3, 6, 6), maxshape=(None, 3, 6, 6))
                        layout[0 : h5py.h5s.UNLIMITED : 1] = source[0 : h5py.h5s.UNLIMITED : 1]
                        file.create_virtual_dataset(name, layout)
                    case "external":
                        file[name] = h5py.ExternalLink(other.name, to)
                    case "soft":
                        file[name] = h5py.SoftLink("/" + to)
                    case "stored elsewhere":
                        file.create_dataset(name, (2, 3, 6, 6), np.uint8, external=[(str(other), 0, 216)])
                    case _:
                        file["to " + name] = h5py.ExternalLink(other.name, "/")
                        file[name] = h5py.SoftLink("/to " + name + "/" + to)
    for path, name in itertools.product(paths, names):
        try:
            with open_stack(path) as stack:
                assert stack.tracklets()
                found = stack.read(name)
        except StackError:
            assert (path, name) not in real, (seed, path, name)
            refused += 1
        else:
            assert (path, name) in real and (found == 7).all(), (seed, path, name)
            read += 1
        read_frame_passed(path, names)
print(read, refused)
"""


@pytest.mark.slow
def test_chains_of_links_and_virtual_datasets_over_several_files_lead_nowhere(tmp_path: Path) -> None:
    """Whatever leads from a file into another, or around in circles, is refused; what lies in the file is read."""
    done = subprocess.run([sys.executable, "-c", CHAINS, tmp_path, "60"], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    read, refused = map(int, done.stdout.split())
    assert read + refused == 60 * 12 and min(read, refused) > 50


def test_one_text_that_is_named_very_often_is_not_read_as_often(tmp_path: Path) -> None:
    path, count = tmp_path / "x.h5", 600_000
    with h5py.File(path, "w") as file:
        data = file.create_dataset("names", (count,), h5py.string_dtype())
        data[0] = "x" * 1000
        file.flush()
        start = data.id.get_offset()
    with path.open("r+b") as raw:
        raw.seek(start)
        reference = raw.read(16)
        raw.seek(start)
        raw.write(reference * count)
    with open_hdf5(path) as file, pytest.raises(ContentError, match="names is too large, or damaged"):
        texts(file, "names", most=count)
