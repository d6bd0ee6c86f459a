"""Which tracklets have images."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import h5py
import numpy as np
import pytest

from antrax.demo import DemoExperiment
from antrax.errors import ExperimentError, StackError
from antrax.io.session import open_session
from antrax.io.stacks import write_stacks
from antrax.review.tracklets.catalog import Catalog
from tests.conftest import MakeSession

A, B, C = "trj_id2_ti1_1_tf1_4", "trj_id1_ti1_1_tf1_9", "trj_id1_ti1_5_tf1_9"
LONG_AGO = 1_000_000_000  # well before any clock's steps matter


def write(path: Path, tracklets: Iterable[str], when: int = LONG_AGO) -> Path:
    write_stacks(path, ((name, np.ones((2, 6, 6, 3), np.uint8)) for name in tracklets))
    os.utime(path, (when, when))
    os.utime(path.parent, (when, when))
    return path


def names(catalog: Catalog, movie: int) -> list[str]:
    return [name.name for name in catalog.movie(movie).names]


@pytest.fixture
def session_dir(make_session: MakeSession) -> Path:
    return make_session()


@pytest.fixture
def make_catalog(session_dir: Path) -> Callable[..., Catalog]:
    def make(memory: Path | None = None) -> Catalog:
        return Catalog(open_session(session_dir), memory)

    return make


def test_lists_the_tracklets_of_a_movie_in_time(session_dir: Path, make_catalog: Callable[..., Catalog]) -> None:
    stack = write(session_dir / "images" / "images_1.mat", [C, B, A])
    index = make_catalog().movie(1)
    assert [name.name for name in index.names] == [A, B, C]
    assert (index.movie, index.paths) == (1, (stack, stack, stack))


def test_a_movie_tracked_in_parts_is_one_and_knows_the_stack_of_each_tracklet(
    session_dir: Path, make_catalog: Callable[..., Catalog]
) -> None:
    first = write(session_dir / "images" / "images_1_p1.mat", [A, B])
    second = write(session_dir / "images" / "images_1_p2.mat", [C])
    catalog = make_catalog()
    assert catalog.movies == (1,)
    assert catalog.movie(1).paths == (first, first, second)
    assert catalog.find(C)[1] == second


def test_finds_a_tracklet_by_its_name(session_dir: Path, make_catalog: Callable[..., Catalog]) -> None:
    stack = write(session_dir / "images" / "images_1.mat", [A])
    name, path = make_catalog().find(A)
    assert (name.name, name.first, name.last, path) == (A, 1, 4, stack)


@pytest.mark.parametrize(
    "tracklet",
    [
        "trj_id9_ti1_1_tf1_4",
        "trj_id1_ti7_1_tf7_4",
        "",
        "../images_1.mat",
        "trj_id2_ti01_1_tf1_4",
        "trj_id" + "1" * 9000 + "_ti1_1_tf1_4",
    ],
)
def test_what_is_no_tracklet_of_the_session_is_not_found(
    session_dir: Path, make_catalog: Callable[..., Catalog], tracklet: str
) -> None:
    write(session_dir / "images" / "images_1.mat", [A])
    with pytest.raises(ExperimentError, match="has no tracklet"):
        make_catalog().find(tracklet)


def test_other_files_among_the_stacks_are_passed_over(session_dir: Path, make_catalog: Callable[..., Catalog]) -> None:
    write(session_dir / "images" / "images_3.mat", ["trj_id1_ti3_1_tf3_2"])
    for other in ("._images_1.mat", ".DS_Store", "frame_passed_1.mat", "images_2.mat.tmp", "images_x.mat"):
        (session_dir / "images" / other).touch()
    assert make_catalog().movies == (3,)


def test_a_tracklet_named_after_another_movie_is_passed_over(
    session_dir: Path, make_catalog: Callable[..., Catalog]
) -> None:
    write(session_dir / "images" / "images_1.mat", [A, "trj_id1_ti2_1_tf2_2"])
    assert names(make_catalog(), 1) == [A]


def test_a_movie_without_stack_is_told(make_catalog: Callable[..., Catalog]) -> None:
    catalog = make_catalog()
    assert catalog.movies == ()
    with pytest.raises(ExperimentError, match="movie 4 has no images"):
        catalog.movie(4)


def test_a_damaged_stack_spoils_its_own_movie_only(session_dir: Path, make_catalog: Callable[..., Catalog]) -> None:
    write(session_dir / "images" / "images_1.mat", [A])
    (session_dir / "images" / "images_2.mat").write_bytes(b"half-written")
    catalog = make_catalog()
    assert catalog.movies == (1, 2)
    with pytest.raises(StackError, match="images_2"):
        catalog.movie(2)
    assert names(catalog, 1) == [A]


def test_stacks_that_come_and_go_while_it_runs_are_noticed(
    session_dir: Path, make_catalog: Callable[..., Catalog]
) -> None:
    catalog = make_catalog()
    assert catalog.movies == ()
    stack = write(session_dir / "images" / "images_1.mat", [A])
    assert catalog.movies == (1,)
    assert names(catalog, 1) == [A]
    stack.unlink()
    assert catalog.movies == ()
    with pytest.raises(ExperimentError):
        catalog.find(A)


@pytest.mark.parametrize("when", [LONG_AGO, LONG_AGO + 1])
def test_a_stack_that_changed_is_listed_anew(
    session_dir: Path, make_catalog: Callable[..., Catalog], tmp_path: Path, when: int
) -> None:
    write(session_dir / "images" / "images_1.mat", [A])
    catalog = make_catalog(tmp_path / "memory")
    assert names(catalog, 1) == [A]
    write(session_dir / "images" / "images_1.mat", [A, B], when)
    assert names(catalog, 1) == [A, B]
    assert catalog.find(B)[0].name == B


def test_an_unplugged_drive_is_told(session_dir: Path, make_catalog: Callable[..., Catalog]) -> None:
    write(session_dir / "images" / "images_1.mat", [A])
    catalog = make_catalog()
    assert names(catalog, 1) == [A]
    shutil.rmtree(session_dir)
    with pytest.raises(ExperimentError, match="is gone"):
        catalog.movies  # noqa: B018


def test_listings_are_remembered_between_runs(
    session_dir: Path, make_catalog: Callable[..., Catalog], tmp_path: Path
) -> None:
    stack = write(session_dir / "images" / "images_1.mat", [C, B, A])
    assert names(make_catalog(tmp_path / "memory"), 1) == [A, B, C]
    # the same length and time, but nobody could list it any more
    stack.write_bytes(bytes(stack.stat().st_size))
    os.utime(stack, (LONG_AGO, LONG_AGO))
    again = make_catalog(tmp_path / "memory").movie(1)
    assert [name.name for name in again.names] == [A, B, C]
    assert again.paths == (stack, stack, stack)
    with pytest.raises(StackError):
        make_catalog().movie(1)


def test_a_remembered_listing_counts_only_for_the_stack_as_it_was(
    session_dir: Path, make_catalog: Callable[..., Catalog], tmp_path: Path
) -> None:
    write(session_dir / "images" / "images_1.mat", [A])
    make_catalog(tmp_path / "memory").movie(1)
    write(session_dir / "images" / "images_1.mat", [B], LONG_AGO + 1)
    assert names(make_catalog(tmp_path / "memory"), 1) == [B]


@pytest.mark.parametrize("damage", [b"", b"nothing zlib knows", None])
def test_a_damaged_memory_is_not_used(
    session_dir: Path, make_catalog: Callable[..., Catalog], tmp_path: Path, damage: bytes | None
) -> None:
    write(session_dir / "images" / "images_1.mat", [A, B])
    make_catalog(tmp_path / "memory").movie(1)
    (remembered,) = (tmp_path / "memory").iterdir()
    remembered.write_bytes(remembered.read_bytes()[:-3] if damage is None else damage)
    assert names(make_catalog(tmp_path / "memory"), 1) == [A, B]


def test_a_memory_that_cannot_be_written_does_not_matter(
    session_dir: Path, make_catalog: Callable[..., Catalog], tmp_path: Path
) -> None:
    write(session_dir / "images" / "images_1.mat", [A])
    (tmp_path / "memory").write_text("a file, where the folder should be")
    assert names(make_catalog(tmp_path / "memory"), 1) == [A]


def test_names_that_are_no_tracklets_are_passed_over(session_dir: Path, make_catalog: Callable[..., Catalog]) -> None:
    stack = write(session_dir / "images" / "images_1.mat", [A])
    with h5py.File(stack, "a") as file:
        file["#refs#"] = 1
        file["trj_id1_ti1_9_tf1_2"] = 1
    assert names(make_catalog(), 1) == [A]


def test_many_may_ask_at_once(small_demo: DemoExperiment) -> None:
    catalog = Catalog(open_session(small_demo.directory))
    answers: list[int] = []

    def ask() -> None:
        for movie in catalog.movies:
            answers.extend(catalog.find(name.name)[0] == name for name in catalog.movie(movie).names)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4 * sum(len(catalog.movie(movie).names) for movie in (1, 2))
    assert all(answers)
