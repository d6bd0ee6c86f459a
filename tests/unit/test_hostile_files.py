"""Files made to do harm, or damaged by chance: one error that says what is wrong, in little time and memory."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import struct
import subprocess
import sys
import textwrap
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from antrax.classification.classifier_file import read_classifier
from antrax.errors import ClassifierError
from antrax.io.untrusted_hdf5 import ContentError, open_hdf5, text_attribute, texts
from antrax.networks.keras.config import from_keras_config, from_model_json
from tests.fixtures.antrax_files import REFERENCES, model_config, write_antrax_file

CONFIGS = [json.loads(model_config(name, style)) for name in ("small", "custom") for style in ("2", "1.15")]

# --- descriptions ------------------------------------------------------------------------------------------------

values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 70),
    st.sampled_from([2**20, 2**31, 2**63, 10**30]),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["Lambda", "Functional", "Sequential", "Conv2D", "relu", "softmax", "same", "custom>Layer"]),
    st.lists(st.integers(-2, 40), max_size=4),
    st.dictionaries(st.sampled_from(["class_name", "config", "name", "layers"]), st.integers(), max_size=3),
)


def places(part: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where in a description something could be changed."""
    inner = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    return [path, *(place for key, value in inner for place in places(value, (*path, key)))]


PLACES = [places(config)[1:] for config in CONFIGS]


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A real description with up to three things in it replaced, removed, doubled, or put into another place."""
    number = draw(st.integers(0, len(CONFIGS) - 1))
    config = json.loads(json.dumps(CONFIGS[number]))
    for _ in range(draw(st.integers(1, 3))):
        *path, key = draw(st.sampled_from(PLACES[number]))
        parent = config
        try:
            for step in path:
                parent = parent[step]
            match draw(st.sampled_from(["replace", "remove", "double", "move"])):
                case "replace":
                    parent[key] = draw(values)
                case "remove":
                    del parent[key]
                case "double":
                    parent[key] = [parent[key], parent[key]]
                case "move":
                    other = draw(st.sampled_from(PLACES[number]))
                    source = config
                    for step in other:
                        source = source[step]
                    parent[key] = json.loads(json.dumps(source))
        except (KeyError, IndexError, TypeError):
            continue
    return json.dumps(config)


@pytest.mark.slow
@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(mutated(), st.sampled_from(["", "2.2.4-tf", "2.13.1", "3.5.0"]))
def test_a_changed_description_is_read_or_refused(text, version):
    try:
        graph = from_keras_config(text, version)
    except ClassifierError as error:
        assert len(str(error)) < 1000
    else:
        assert graph.outputs >= 1
        assert graph.work() <= 20_000_000_000


@given(st.text(max_size=50) | st.binary(max_size=50).map(lambda data: data.decode("latin-1")))
@example("NaN")
@example('"class_name"')
@example('{"class_name": "Sequential", "config": {"layers": []}}')
@example('{"class_name": ["Sequential"], "config": {"layers": [1]}}')
def test_other_text_is_refused(text):
    with pytest.raises(ClassifierError):
        from_model_json(text)


def layer(kind: str, **config: Any) -> dict[str, Any]:
    return {"class_name": kind, "config": {"name": kind, **config}}


IMAGE = layer("InputLayer", batch_shape=[None, 64, 64, 3])


def chain(*layers: dict[str, Any]) -> str:
    return json.dumps({"class_name": "Sequential", "config": {"name": "m", "layers": [IMAGE, *layers]}})


def connected(*layers: tuple[str, str, list[str]]) -> str:
    """A model of name, kind and sources of each layer, the last of which answers."""
    image = {"class_name": "InputLayer", "name": "i", "config": {"batch_input_shape": [None, 64, 64, 3], "name": "i"}}
    entries: list[dict[str, object]] = [{**image, "inbound_nodes": []}]
    for name, kind, sources in layers:
        inbound = [[[source, 0, 0, {}] for source in sources]]
        config = {"name": name} | {"ZeroPadding2D": {"padding": 900}, "Dense": {"units": 3}}.get(kind, {})
        entries.append({"class_name": kind, "name": name, "config": config, "inbound_nodes": inbound})
    ends = {"input_layers": [["i", 0, 0]], "output_layers": [[layers[-1][0], 0, 0]]}
    return json.dumps({"class_name": "Functional", "config": {"name": "m", "layers": entries, **ends}})


MANY_AT_ONCE = [(f"a{i}", "ZeroPadding2D", ["i"]) for i in range(8)]
# each waits for the next one, and has much else to look at meanwhile
BACKWARDS = [(f"a{i}", "Add", ["i"] * 400 + [f"a{i - 1}"]) for i in range(1900, 0, -1)]


def models_in_models(depth: int) -> str:
    inner = '{"class_name": "Flatten", "config": {"name": "f"}}'
    return '{"class_name": "Sequential", "config": {"name": "m", "layers": [' * depth + inner + "]}}" * depth


@pytest.mark.parametrize(
    "text",
    [
        "[" * 10**6,
        '{"a":' * 10**5,
        " " * (17 * 2**20),
        "1" * 10**6,
        models_in_models(30),
        models_in_models(3000),
        chain(*[layer("Flatten") | {"config": {"name": f"f{i}"}} for i in range(5000)]),
        chain(layer("ZeroPadding2D", padding=4000), layer("ZeroPadding2D", padding=4000)),
        chain(layer("Conv2D", filters=2**20, kernel_size=1)),
        chain(layer("Conv2D", filters=64, kernel_size=[2**20, 2**20], padding="same")),
        chain(layer("Flatten"), layer("Dense", units=2**20)),
        chain(layer("Flatten"), layer("Dense", units=10**400)),
        chain(layer("Reshape", target_shape=[-1] * 10**5)),
        chain(layer("Rescaling", scale=[1.0] * 10**6)),
        chain(layer("Flatten"), layer("Dense", units=3, activation={"class_name": "function", "config": "system"})),
        chain(layer("Lambda", function=["4wEAAAAA", None, None])),
        chain(layer("TorchModuleWrapper", module="gASVAAA=")),
        chain(layer("TFOpLambda", function="math.add")),
        chain(layer("lab>Conv2D", filters=3, kernel_size=1)),
        chain(layer("Conv2D", filters=3, kernel_size=1) | {"module": "os", "class_name": "system"}),
        chain(layer("Conv2D", filters=3, kernel_size=1) | {"registered_name": "os>system"}),
        chain(layer("BatchNormalization", epsilon=0.0)),
        chain(layer("Flatten"), layer("Dense", units=3), layer("ELU", alpha=2**70)),
        chain(layer("Rescaling", scale=1e308), layer("Flatten"), layer("Dense", units=3)),
        chain(layer("Flatten")),
        chain(layer("Flatten"), layer("Dense", units=1)),
        chain(layer("Conv2D", filters=3, kernel_size=1, strides=2**16, padding="same"), layer("Flatten")),
        chain(layer("Flatten"), layer("Dense", units=3, dtype="int8")),
        chain(layer("Flatten"), layer("Dense", units=3, unheard_of=0)),
        connected(("sum", "Multiply", ["i"] * 19_000), ("c", "Flatten", ["sum"]), ("a", "Dense", ["c"])),
        chain(layer("Conv2D", filters=3, kernel_size=3, dilation_rate=2**20, padding="same")),
        chain(
            layer("ZeroPadding2D", padding=900),
            *[layer("ReLU", name=f"r{i}") for i in range(60)],
            layer("GlobalMaxPooling2D"),
        ),
        connected(
            *MANY_AT_ONCE, ("sum", "Add", [f"a{i}" for i in range(8)]), ("answer", "GlobalMaxPooling2D", ["sum"])
        ),
        pytest.param(
            lambda: connected(*BACKWARDS, ("a0", "ReLU", ["i"]), ("answer", "GlobalAveragePooling2D", ["a1900"])),
            marks=pytest.mark.slow,
        ),
        chain(layer("ReLU", negative_slope=1e400)),
    ],
    ids=lambda text: "connected backwards" if callable(text) else text[:40] + str(len(text)),
)
def test_descriptions_that_would_exhaust_or_run_something_are_refused(text):
    with pytest.raises(ClassifierError) as raised:
        from_model_json(text() if callable(text) else text)
    assert len(str(raised.value)) < 1000


# --- files -------------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path) -> Path:
    return write_antrax_file(tmp_path / "classifier.h5", "custom", "1.15")


def kernel(file: h5py.File) -> str:
    """The name of one weight."""
    names: list[str] = []
    file["model_weights"].visititems(
        lambda name, place: names.append(name) if name.endswith("conv2d_11_1/kernel:0") else None
    )
    return f"model_weights/{names[0]}"


def link_out(file: h5py.File) -> None:
    name = kernel(file)
    del file[name]
    file[name] = h5py.ExternalLink("/etc/passwd", "x")


def link_within(file: h5py.File) -> None:
    name = kernel(file)
    file["elsewhere"] = file[name]
    del file[name]
    file[name] = h5py.SoftLink("/elsewhere")


def link_group(file: h5py.File) -> None:
    file.move("model_weights", "elsewhere")
    file["model_weights"] = h5py.SoftLink("/elsewhere")


def circle(file: h5py.File) -> None:
    group = file[kernel(file)].parent
    group["again"] = group
    group["top"] = file["model_weights"]


def outside(file: h5py.File) -> None:
    name = kernel(file)
    shape = file[name].shape
    del file[name]
    file.create_dataset(name, shape, "f4", external=[("/etc/passwd", 0, 4 * int(np.prod(shape)))])


def virtual(file: h5py.File) -> None:
    name = kernel(file)
    layout = h5py.VirtualLayout(file[name].shape, "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", file[name].shape)
    del file[name]
    file.create_virtual_dataset(name, layout)


def put(name: str | None, **options: Any) -> Any:
    def edit(file: h5py.File) -> None:
        where = name or kernel(file)
        del file[where]
        file.create_dataset(where, **options)

    return edit


def huge_pieces(file: h5py.File) -> None:
    name = kernel(file)
    shape = file[name].shape
    del file[name]
    chunks = (3, 3, 2**10, 2**17)
    file.create_dataset(name, shape, "f4", chunks=chunks, maxshape=(None,) * 4, compression="gzip", fillvalue=0)


def bomb(file: h5py.File) -> None:
    """More than a piece has, and what HDF5 decompresses all the same."""
    name = kernel(file)
    shape = file[name].shape
    del file[name]
    dataset = file.create_dataset(name, shape, "f4", chunks=shape, compression="gzip")
    dataset.id.write_direct_chunk((0,) * len(shape), zlib.compress(bytes(2**26), 9))


def texts_of_texts(file: h5py.File) -> None:
    del file["classes"]
    kind = h5py.h5t.NATIVE_INT32
    for _ in range(500):
        kind = h5py.h5t.vlen_create(kind)
    h5py.h5d.create(file.id, b"classes", kind, h5py.h5s.create_simple((5,)))


def description_of_numbers(file: h5py.File) -> None:
    del file.attrs["model_config"]
    kind = h5py.h5t.vlen_create(h5py.h5t.NATIVE_INT32)
    h5py.h5a.create(file.id, b"model_config", kind, h5py.h5s.create(h5py.h5s.SCALAR))


def texts_in_a_table(file: h5py.File) -> None:
    del file["classes"]
    file.create_dataset("classes", (5,), np.dtype([("label", h5py.string_dtype())]))


def full_group(file: h5py.File) -> None:
    group = file[kernel(file)].parent
    empty = file.create_group("empty")
    for number in range(1000):
        group[f"x{number}"] = empty


def one_text_often(file: h5py.File) -> None:
    del file["classes"]
    texts = file.create_dataset("classes", (5000,), h5py.string_dtype())
    texts[:] = "a" * 2**12


def attribute(name: str, value: Any) -> Any:
    return lambda file: file.attrs.__setitem__(name, value)


@pytest.mark.parametrize(
    "edit",
    [
        link_out,
        link_within,
        link_group,
        outside,
        virtual,
        huge_pieces,
        bomb,
        texts_of_texts,
        texts_in_a_table,
        full_group,
        one_text_often,
        put(None, shape=(2**20, 2**20), dtype="f4", chunks=(64, 64)),
        put(None, data=np.zeros(3, "f4")),
        put(None, data=np.zeros(3, "S3")),
        put(None, shape=(), dtype=h5py.ref_dtype),
        put(None, data=np.zeros(3, np.dtype([("a", "f4")]))),
        put("classes", shape=(2**30,), dtype="S10", chunks=(100,)),
        put("classes", data=np.zeros(5)),
        put("classes", shape=(5,), dtype=h5py.vlen_dtype(np.int32)),
        put("prmtrs", data="[" * 10**5),
        put("prmtrs", data="{'a': " * 10**5),
        put("prmtrs", data=b"\xff\xfe"),
        put("prmtrs", data="x" * 2**21),
        put("prmtrs", data=h5py.Empty("S3")),
        attribute("model_config", np.zeros(3)),
        attribute("model_config", b"\xff\xfe"),
        attribute("model_config", h5py.Empty("S3")),
        attribute("keras_version", np.zeros((2, 2))),
        description_of_numbers,
        lambda file: file.pop("model_weights"),
        lambda file: put("model_weights", data=3)(file),
    ],
)
def test_a_file_made_to_do_harm_is_refused(file, edit):
    with h5py.File(file, "r+") as opened:
        edit(opened)
    with pytest.raises(ClassifierError) as raised:
        read_classifier(file)
    assert str(file) in str(raised.value)
    assert len(str(raised.value)) < 1200


def read_in_its_own_process(*files: Path, seconds: float = 60) -> str:
    """What `read_classifier` says of files, a line each, where the whole process might crash or never end."""
    code = "import sys; from pathlib import Path; from antrax.classification.classifier_file import read_classifier\n"
    code += "for file in sys.argv[1:]:\n"
    code += "    try: print(read_classifier(Path(file)).size)\n    except Exception as error: print(repr(error))"
    command = [sys.executable, "-c", code, *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=True).stdout


@pytest.mark.slow
def test_groups_in_groups_do_not_go_deeper_than_anyone_needs(file):
    """HDF5 visits them by calling itself, and crashes when they go deep enough."""
    with h5py.File(file, "r+") as opened:
        group = opened[kernel(opened)].parent
        for _ in range(8000):
            group = group.create_group("a")
    assert "groups in groups" in read_in_its_own_process(file)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_link_out_of_the_file_is_not_even_looked_at(file, tmp_path):
    """Elsewhere may be another computer, which would learn who asks; or a pipe, which never answers."""
    os.mkfifo(tmp_path / "pipe")
    names = ("prmtrs", "classes", "antrax", "model_weights")
    for name in names:
        with h5py.File(shutil.copy(file, tmp_path / f"{name}.h5"), "r+") as opened:
            if name in opened:
                del opened[name]
            opened[name] = h5py.ExternalLink(str(tmp_path / "pipe"), "x")
    said = read_in_its_own_process(*(tmp_path / f"{name}.h5" for name in names)).splitlines()
    assert [f"{name} is a link" in line for name, line in zip(names, said, strict=True)] == [True] * 4


def test_groups_in_circles_do_no_harm(file):
    with h5py.File(file, "r+") as opened:
        circle(opened)
    with contextlib.suppress(ClassifierError):
        read_classifier(file)


def test_a_file_far_too_large_is_not_opened(tmp_path):
    with (tmp_path / "x.h5").open("wb") as file:
        file.truncate(2**33)
    with pytest.raises(ClassifierError, match="too large"):
        read_classifier(tmp_path / "x.h5")


@pytest.mark.parametrize("end", [b"\0", b"X"])
def test_a_description_is_not_read_that_is_said_to_be_longer_than_any(file, end):
    """HDF5 would take as much memory as the file says before it looks, and knows the name however it ends."""
    content = bytearray(file.read_bytes())
    with h5py.File(file) as opened:
        length = struct.pack("<I", len(opened.attrs["model_config"]))
    place = content.index(length, content.index(b"model_config\0"))
    content[place : place + 4] = struct.pack("<I", 2**32 - 1)
    content[content.index(b"model_config\0") + len("model_config")] = end[0]
    file.write_bytes(content)
    with pytest.raises(ClassifierError, match="model_config is too long"):
        read_classifier(file)


def test_parameters_that_are_said_to_be_longer_than_any_are_not_read(file):
    content = bytearray(file.read_bytes())
    with h5py.File(file) as opened:
        place = opened["prmtrs"].id.get_offset()
    content[place : place + 4] = struct.pack("<I", 2**32 - 1)
    file.write_bytes(content)
    with pytest.raises(ClassifierError, match="prmtrs is too long"):
        read_classifier(file)


def limited() -> None:
    """So much memory and processor time that a well-meant file needs far less."""
    resource.setrlimit(resource.RLIMIT_AS, (3 * 2**30, 3 * 2**30))
    resource.setrlimit(resource.RLIMIT_CPU, (100, 100))


@pytest.mark.slow
def test_damaged_bytes_are_told_as_such(tmp_path):
    """In a process of its own, whose memory and time are limited, for HDF5 is not written in Python."""
    good = write_antrax_file(tmp_path / "good.h5", "custom")
    code = textwrap.dedent(
        """
        import random, sys
        from pathlib import Path
        from antrax.classification.classifier_file import read_classifier
        from antrax.errors import ClassifierError
        content, bad = Path(sys.argv[1]).read_bytes(), Path(sys.argv[2])
        chance, refused = random.Random(0), 0
        read_classifier(Path(sys.argv[1]))
        for round in range(200):
            data = bytearray(content)
            for _ in range(chance.choice([1, 3, 30])):
                # descriptions of what lies where are at the start, and near weights
                place = chance.randrange(chance.choice([100, 5000, len(data)]))
                data[place] = chance.choice([0, 1, 255, chance.randrange(256)])
            if chance.random() < 0.2:
                start = chance.randrange(len(data))
                data[start : start + 64] = data[:64]
            bad.write_bytes(data)
            try:
                read_classifier(bad)
            except ClassifierError:
                refused += 1
        print(refused)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(good), str(tmp_path / "bad.h5")],
        capture_output=True,
        text=True,
        preexec_fn=limited,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) > 30


def test_reference_files_stay_small():
    folder = Path(__file__).parents[1] / "fixtures" / "reference"
    assert sum(path.stat().st_size for path in folder.iterdir() if path.is_file()) < 200_000
    assert set(REFERENCES) >= {"small", "wide", "large", "MobileNetV2", "custom"}


@pytest.mark.parametrize("changed", [0, 1, 8, 15, 2**63, 2**64 - 8])
def test_a_place_of_texts_in_which_hdf5_would_go_round_for_ever_is_refused(tmp_path, changed):
    path = tmp_path / "texts.h5"
    with h5py.File(path, "w") as file:
        file.attrs["told"] = "by whom"
        file.create_dataset("names", data=["a", "b"], dtype=h5py.string_dtype())
    with open_hdf5(path) as file:
        assert (text_attribute(file, "told"), texts(file, "names")) == ("by whom", ("a", "b"))
    content = bytearray(path.read_bytes())
    place = content.find(b"GCOL\x01") + 16
    content[place : place + 16] = struct.pack("<HHIQ", 0, 0, 0, changed)  # free room of that size
    path.write_bytes(content)
    with open_hdf5(path) as file:
        with pytest.raises(ContentError, match="texts are damaged"):
            text_attribute(file, "told")
        with pytest.raises(ContentError, match="texts are damaged"):
            texts(file, "names")
