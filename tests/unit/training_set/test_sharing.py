"""A training set that several pages, threads, processes and programs change at the same time."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from antrax.errors import OutputError
from antrax.images import read_example
from antrax.io.examples import list_examples
from antrax.io.locks import only_writer
from antrax.io.session import Session
from antrax.review.training_set.editing import Count, Examples
from antrax.training.merging import merge_trainsets
from tests.fixtures.processes import python
from tests.unit.training_set.helpers import Images, NewSession, by_label, listing, tracklet

pytestmark = pytest.mark.slow

# What others do


def test_what_another_program_adds_and_removes_is_seen_after_a_refresh(session: Session, make_examples) -> None:
    examples = Examples(session)
    examples.refresh()
    versions = [examples.version]
    for change in (
        lambda: make_examples(session.classifier_dir, ["AB/x.png"]),
        lambda: make_examples(session.classifier_dir, ["AB/y.png"]),
        lambda: make_examples(session.classifier_dir, ["CD/z.png"]),
        lambda: (session.classifier_dir / "examples" / "AB" / "x.png").unlink(),
        lambda: (session.classifier_dir / "examples" / "CD").rename(session.classifier_dir / "examples" / "EF"),
    ):
        change()
        examples.refresh()
        versions.append(examples.version)
    assert sorted(set(versions)) == versions
    assert examples.counts() == {"AB": Count(1, 1), "EF": Count(1, 1)}
    examples.refresh()
    assert examples.version == versions[-1]


def test_a_file_that_was_added_without_the_folder_getting_a_new_date_is_seen(session: Session, make_examples) -> None:
    make_examples(session.classifier_dir, ["AB/x.png"])
    folder = session.classifier_dir / "examples" / "AB"
    date = folder.stat().st_mtime_ns
    examples = Examples(session)
    examples.refresh()
    version = examples.version
    make_examples(session.classifier_dir, ["AB/y.png"])
    os.utime(folder, ns=(date, date))
    examples.refresh()
    assert examples.counts() == {"AB": Count(2, 2)}
    assert examples.version > version


def test_an_image_that_was_painted_over_in_place_is_told_by_its_new_pixels(
    session: Session, images: Images, blob_image
) -> None:
    examples = Examples(session)
    examples.export(tracklet(), images(5), [0], "AB", "tab")
    assert examples.of_tracklet(tracklet(), images(5)) == {0: ("AB",)}
    (file,) = examples.files("AB")
    Image.fromarray(blob_image(4)).save(file.path)
    assert examples.of_tracklet(tracklet(), images(5)) == {4: ("AB",)}


def test_two_tabs_that_export_the_same_images_write_them_once(session: Session, images: Images) -> None:
    one, two = Examples(session), Examples(session)
    one.export(tracklet(), images(5), range(5), "AB", "one")
    outcome = two.export(tracklet(), images(5), range(5), "AB", "two")
    assert (outcome.added, outcome.present) == (0, 5)
    two.refresh()
    assert two.counts() == {"AB": Count(5, 1)}


def test_a_set_that_was_merged_in_is_known_by_its_pixels(
    new_session: NewSession, session: Session, images: Images
) -> None:
    copied = new_session("renamed")
    Examples(copied).export(tracklet(), images(5), [0, 1], "AB", "tab")
    examples = Examples(session)
    examples.export(tracklet(), images(5, seed=1), [2], "AB", "tab")
    merge_trainsets([copied.classifier_dir], session.classifier_dir)
    assert examples.export(tracklet(), images(5), [0, 1, 2], "AB", "tab").present == 2


def test_sessions_that_share_a_training_set_by_a_link_wait_for_one_another(
    new_session: NewSession, session: Session, images: Images
) -> None:
    shared = session.classifier_dir / "examples"
    shared.mkdir()
    other = new_session("other")
    (other.classifier_dir / "examples").symlink_to(shared)
    Examples(other).export(tracklet(), images(5), [0], "AB", "tab")
    Examples(session).export(tracklet(), images(5), [1], "AB", "tab")
    assert len(listing(session)) == 2
    assert (session.classifier_dir / ".trainset.lock").exists()
    assert not (other.classifier_dir / ".trainset.lock").exists()


def test_threads_that_share_the_set_lose_nothing_and_write_nothing_twice(session: Session, images: Images) -> None:
    examples = Examples(session)

    def work(number: int) -> int:
        # every tracklet is exported by two threads
        which = tracklet(id_=number // 2)
        added = examples.export(which, images(5, seed=number // 2), range(5), "AB", f"tab{number}").added
        examples.refresh()
        assert len(examples.of_tracklet(which, images(5, seed=number // 2))) == 5
        return added

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(work, range(12))) == [0] * 6 + [5] * 6
    assert by_label(session) == {"AB": 30}
    assert examples.counts() == {"AB": Count(30, 6)}


# Processes of their own

WORKER = """
import sys, pathlib, numpy as np
from antrax.io.session import Session
from antrax.io.names import parse_tracklet_name
from antrax.review.training_set.editing import Examples

path, label, seeds, rounds = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3].split(","), int(sys.argv[4])
examples = Examples(Session(path.parent, path))
print("ready", flush=True)
sys.stdin.readline()
for _ in range(rounds):
    for seed in map(int, seeds):
        images = np.zeros((40, 20, 20, 3), np.uint8)
        images[:, 5:15, 5:15] = np.random.default_rng(seed).integers(1, 255, (40, 10, 10, 3), np.uint8)
        name = parse_tracklet_name(f"trj_id{seed}_ti1_1_tf1_40")
        outcome = examples.export(name, images, range(40), label, "tab")
        print(seed, outcome.added, outcome.present, outcome.moved, flush=True)
"""


@contextlib.contextmanager
def started(session: Session, label: str, seeds: str, rounds: int = 1) -> Iterator[subprocess.Popen[str]]:
    with python("-c", WORKER, session.path, label, seeds, rounds) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield process


def go(*processes: subprocess.Popen[str]) -> list[list[list[int]]]:
    """Let processes that are ready begin, and what each said of its exports."""
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    said = []
    for process in processes:
        output, _ = process.communicate()
        assert process.returncode == 0
        said.append([[int(number) for number in line.split()] for line in output.splitlines()])
    return said


def test_processes_that_export_at_once_lose_nothing_and_write_nothing_twice(session: Session) -> None:
    with started(session, "AB", "1,2,3,4,5") as one, started(session, "AB", "3,4,5,6,7") as other:
        said = go(one, other)
    assert by_label(session) == {"AB": 7 * 40}
    added = [line[1] for line in itertools.chain(*said)]
    assert sorted(added) == [0] * 3 + [40] * 7
    assert len({path.read_bytes() for path in (session.classifier_dir / "examples" / "AB").iterdir()}) == 7 * 40


def test_of_processes_that_disagree_on_a_label_one_has_the_last_word_on_every_tracklet(session: Session) -> None:
    with started(session, "AB", "1,2,3") as one, started(session, "CD", "1,2,3") as other:
        go(one, other)
    counts = by_label(session)
    assert sum(counts.values()) == 3 * 40
    assert set(counts.values()) <= {40, 80, 120}


def test_whatever_moment_a_process_is_killed_at_confirmed_exports_are_whole_and_nothing_half_written_counts(
    session: Session,
) -> None:
    confirmed: set[int] = set()
    for attempt in range(4):
        seeds = [10 * attempt + k for k in range(1, 10)]
        with started(session, "AB", ",".join(map(str, seeds))) as process:
            assert process.stdin
            assert process.stdout
            process.stdin.write("\n")
            process.stdin.flush()
            for _ in range(attempt + 1):
                confirmed.add(int(process.stdout.readline().split()[0]))
            time.sleep(0.003 * attempt)
            process.send_signal(signal.SIGKILL)
            confirmed.update(int(line.split()[0]) for line in process.communicate()[0].splitlines())
    files = list_examples(session.classifier_dir / "examples")
    for file in files:
        assert read_example(file.path).shape == (20, 20, 3)
    for seed in confirmed:
        assert sum(file.tracklet == f"trj_id{seed}_ti1_1_tf1_40" for file in files) == 40
    # the killed ones keep nobody out, and what they began can be finished
    with started(session, "AB", "1,2,3,4,5,6,7,8,9") as process:
        (said,) = go(process)
    assert all(sum(line[1:]) == 40 for line in said)


def test_what_a_killed_process_has_left_is_removed_once_it_is_old(session: Session, images: Images) -> None:
    folder = session.classifier_dir / "examples" / "AB"
    folder.mkdir(parents=True)
    (folder / ".0123.part").write_bytes(b"half")
    (folder / ".4567.part").write_bytes(b"somebody is writing this")
    os.utime(folder / ".0123.part", (1000, 1000))
    Examples(session).export(tracklet(), images(5), [0], "AB", "tab")
    assert {path.name for path in folder.iterdir() if path.suffix == ".part"} == {".4567.part"}


def test_somebody_who_does_not_end_writing_is_an_error_that_says_so(session: Session, tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    holder = f"import filelock\nwith filelock.FileLock({str(lock)!r}): print('held', flush=True); input()"
    with python("-c", holder) as held:
        assert held.stdout
        held.stdout.readline()
        with pytest.raises(OutputError, match="somebody else has been writing"), only_writer(lock, 0.1):
            pytest.fail("entered")
        held.communicate("\n")
    with only_writer(lock, 0.1):
        pass
