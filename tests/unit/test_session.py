"""Experiments and sessions as they lie on labs' disks."""

from __future__ import annotations

import math
import os
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antrax.demo import DemoExperiment
from antrax.errors import ExperimentError, LabelsError
from antrax.io.experiments import find_experiments, is_experiment
from antrax.io.results import classified_movies
from antrax.io.results_table import read_results
from antrax.io.session import (
    Movie,
    Session,
    choose_movies,
    from_movies_file,
    open_session,
    parse_movie_list,
    session_dirs,
)
from antrax.io.stacks import read_frame_passed

HEADER = "index subdir name movfile fps nframes fi ff\n"


# --- sessions ---------------------------------------------------------------------------------------------------


def test_the_latest_session_is_the_one_with_the_newest_trck_mat(make_session, tmp_path: Path) -> None:
    make_session("exp/z_old", mtime=100)
    newest = make_session("exp/a_new", mtime=300)
    make_session("exp/m_middle", mtime=200)
    os.utime(tmp_path / "exp" / "z_old", (900, 900))  # a folder's own age says nothing
    assert open_session(tmp_path / "exp") == Session(tmp_path / "exp", newest)
    assert [path.name for path in session_dirs(tmp_path / "exp")] == ["z_old", "m_middle", "a_new"]


@pytest.mark.parametrize("name", ["my session", "trial [2]", "a*b?", "сессия", "-x"])
def test_a_session_may_have_any_name(make_session, tmp_path: Path, name: str) -> None:
    session = make_session(f"exp [1] of 2/{name}")
    (session / "images" / "images_1.mat").touch()
    make_session("exp [1] of 2/other", mtime=1)
    opened = open_session(tmp_path / "exp [1] of 2", name)
    assert opened == open_session(tmp_path / "exp [1] of 2")
    assert opened.name == name
    assert opened.stacks == {1: (session / "images" / "images_1.mat",)}


def test_a_sessions_folder_stands_for_itself(make_session, tmp_path: Path) -> None:
    old = make_session("exp/old", mtime=1)
    new = make_session("exp/new", mtime=2)
    assert open_session(old) == Session(tmp_path / "exp", old)
    assert open_session(old, "old").path == old
    assert open_session(old, "new").path == new


def test_a_relative_path_gives_absolute_ones(make_session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_session("exp/session")
    monkeypatch.chdir(tmp_path)
    assert open_session("exp").path == tmp_path / "exp" / "session"


def test_a_session_that_is_not_there_is_told_with_those_that_are(make_session, tmp_path: Path) -> None:
    make_session("exp/first", mtime=1)
    make_session("exp/second", mtime=2)
    with pytest.raises(ExperimentError, match="no session 'third'; it has second, first"):
        open_session(tmp_path / "exp", "third")


def test_a_folder_without_session_is_no_experiment(tmp_path: Path) -> None:
    (tmp_path / "exp" / "videos").mkdir(parents=True)
    (tmp_path / "exp" / "notes.txt").touch()
    assert not is_experiment(tmp_path / "exp")
    with pytest.raises(ExperimentError, match=r"is no tracked experiment.*parameters/Trck\.mat.*tracking step"):
        open_session(tmp_path / "exp")


def test_a_path_that_is_no_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ExperimentError, match="file is no folder"):
        open_session(tmp_path / "file")
    with pytest.raises(ExperimentError, match="nowhere does not exist"):
        open_session(tmp_path / "nowhere")


def test_labels_are_read_once_asked_for(make_session, tmp_path: Path) -> None:
    make_session("good/s")
    assert open_session(tmp_path / "good").labels.ants == ("AB", "CD")
    (make_session("bad/s") / "parameters" / "labels.csv").unlink()
    session = open_session(tmp_path / "bad")
    with pytest.raises(LabelsError, match=r"labels\.csv does not exist"):
        _ = session.labels


# --- stacks -----------------------------------------------------------------------------------------------------


def test_stray_files_beside_the_stacks_are_passed_over(make_session) -> None:
    session = make_session()
    for name in (
        "images_1.mat",
        "._images_1.mat",
        ".DS_Store",
        "images_1.mat.tmp",
        "images_2.mat.part",
        "images_.mat",
        "images_x.mat",
        "images_1_p.mat",
        "my_images_3.mat",
        "images_3 (1).mat",
        "frame_passed_4.mat",
        "Thumbs.db",
    ):
        (session / "images" / name).touch()
    assert open_session(session).stacks == {1: (session / "images" / "images_1.mat",)}


def test_parts_of_a_movie_come_in_order_of_their_number(make_session) -> None:
    session = make_session()
    for name in ("images_3_p10.mat", "images_3_p2.mat", "images_3_p1.mat", "images_10.mat", "images_2.mat"):
        (session / "images" / name).touch()
    stacks = open_session(session).stacks
    assert list(stacks) == [2, 3, 10]
    assert [path.name for path in stacks[3]] == ["images_3_p1.mat", "images_3_p2.mat", "images_3_p10.mat"]


def test_a_session_without_images_has_no_stacks(make_session) -> None:
    session = make_session(movies=HEADER + "1 1_1 a_1 a_1.mp4 10 100 1 100\n")
    (session / "images").rmdir()
    assert open_session(session).stacks == {}
    assert open_session(session).movies_without_stack == [1]


def test_movies_of_the_table_without_stack_are_listed(make_session) -> None:
    session = make_session(movies=HEADER + "".join(f"{m} 1_3 a a.mp4 10 100 1 100\n" for m in (1, 2, 3)))
    (session / "images" / "images_2.mat").touch()
    assert open_session(session).movies_without_stack == [1, 3]


def test_companions_of_a_stack_keep_its_movie_and_part(make_session) -> None:
    session = open_session(make_session("images exp/images"))
    stack = session.path / "images" / "images_3_p2.mat"
    assert session.companion(stack, "frame_passed") == session.path / "images" / "frame_passed_3_p2.mat"
    assert session.companion(stack, "trdata") == session.path / "tracklets" / "trdata_3_p2.mat"


# --- the movie table --------------------------------------------------------------------------------------------


def table(tmp_path: Path, content: str | bytes) -> dict[int, Movie]:
    path = tmp_path / "movies_info.txt"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return from_movies_file(path)


def test_movies_are_looked_up_by_index_not_by_row(make_session) -> None:
    session = make_session(movies=HEADER + "3 1_3 a_3 a_3.mp4 10 50 151 200\n1 1_3 a_1 a_1.mp4 10 100 1 100\n")
    opened = open_session(session)
    assert opened.movies == {3: Movie(3, "a_3", 151, 200, 10.0), 1: Movie(1, "a_1", 1, 100, 10.0)}
    assert opened.absolute_frame(3, 1) == 151
    assert opened.absolute_frame(1, 100) == 100


def test_columns_are_found_by_name(tmp_path: Path) -> None:
    assert table(tmp_path, "ff fi fps other name index\n20 11 5 x a_2 2\n") == {2: Movie(2, "a_2", 11, 20, 5.0)}


def test_names_with_spaces_do_not_shift_the_columns(tmp_path: Path) -> None:
    movies = table(tmp_path, HEADER + "1 1_2 my ants 1 my ants 1.mp4 10 100 1 100\n2 1_2 b b.mp4 10 100 101 200\n")
    assert movies == {1: Movie(1, "my ants 1", 1, 100, 10.0), 2: Movie(2, "b", 101, 200, 10.0)}


def test_names_in_quotes_lose_them(tmp_path: Path) -> None:
    movies = table(tmp_path, HEADER + '1 1_2 "my ants 1" "my ants 1.mp4" 10 100 1 100\n')
    assert movies == {1: Movie(1, "my ants 1", 1, 100, 10.0)}


def test_nan_means_that_the_table_does_not_tell(make_session) -> None:
    session = open_session(make_session(movies=HEADER + "1 1_1 a a.mp4 NaN 100 NaN nan\n"))
    assert (session.movies[1].fi, session.movies[1].ff) == (0, 0)
    assert math.isnan(session.movies[1].fps)
    assert session.absolute_frame(1, 5) is None
    assert session.absolute_frame(2, 5) is None


def test_an_empty_value_does_not_shift_the_columns(tmp_path: Path) -> None:
    assert table(tmp_path, HEADER + "1  a a.mp4 10 100 1 100\n")[1] == Movie(1, "a", 1, 100, 10.0)
    assert table(tmp_path, HEADER + "1 1_1 a a.mp4 10 100  100\n")[1] == Movie(1, "a", 0, 100, 10.0)


def test_what_editors_add_to_the_table_changes_nothing(tmp_path: Path) -> None:
    row = "1 1_1 a a.mp4 10 100 1 100"
    expected = {1: Movie(1, "a", 1, 100, 10.0)}
    assert table(tmp_path, b"\xef\xbb\xbf" + f"{HEADER.strip()}\r\n\r\n{row}\r\n\r\n".encode()) == expected
    assert table(tmp_path, f"{HEADER}{row}.0 \n") == expected


def test_a_missing_or_empty_table_has_no_movies(tmp_path: Path) -> None:
    assert from_movies_file(tmp_path / "none.txt") == {}


def test_the_movie_table_is_read_again_only_where_it_is_another_one(tmp_path, monkeypatch):
    session = Session(tmp_path, tmp_path)
    path = session.layout.movies_file
    path.parent.mkdir()
    assert session.movies == {}
    path.write_text("index name\n1 a\n")
    assert [movie.name for movie in session.movies.values()] == ["a"]
    path.write_text("index name\n1 b\n")  # of the same size, in the same moment
    assert [movie.name for movie in session.movies.values()] == ["b"]
    os.utime(path, (1e9, 1e9))
    read = []

    def reading(path):
        read.append(path)
        return from_movies_file(path)

    monkeypatch.setattr("antrax.io.session.from_movies_file", reading)
    session.movies.clear()  # what one caller does is no other's business
    assert [movie.name for movie in session.movies.values()] == ["b"]
    assert len(read) == 1
    path.write_text("index name\n1 c\n")
    assert [movie.name for movie in session.movies.values()] == ["c"]
    path.unlink()
    assert session.movies == {}
    assert table(tmp_path, "\n") == {}
    assert table(tmp_path, HEADER) == {}


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (HEADER + "1 1_2 a a.mp4 10 100 1 100\nx 1_2 b b.mp4 10 100 101 200\n", 3),
        (HEADER + "\n1 1_2 a a.mp4 10 100 one 100\n", 3),
        (HEADER + "1 1_2 a a.mp4 10 100 inf 100\n", 2),
        (HEADER + "nan 1_2 a a.mp4 10 100 1 100\n", 2),
        (HEADER + "1 1_2 a a.mp4 10 100 1 100\n2 1_2 b b.mp4 10\n", 3),
        (HEADER + "1 1_2 a a.mp4 10 100 1 100\n1 1_2 b b.mp4 10 100 101 200\n", 3),
    ],
    ids=["index no number", "fi no number", "fi infinite", "index nan", "row cut off", "movie listed twice"],
)
def test_a_broken_table_is_told_with_file_and_line(tmp_path: Path, content: str, line: int) -> None:
    with pytest.raises(ExperimentError) as raised:
        table(tmp_path, content)
    assert f"{tmp_path / 'movies_info.txt'}, line {line}:" in str(raised.value)


@pytest.mark.parametrize("content", ["1 1_2 a a.mp4 10 100 1 100\n", "index subdir\n1 a\n", b"\x89PNG\xff\xfe"])
@pytest.mark.filterwarnings("ignore::antrax.io.text.GuessedTextWarning")
def test_a_table_without_the_needed_columns_is_told(tmp_path: Path, content: str | bytes) -> None:
    with pytest.raises(ExperimentError) as raised:
        table(tmp_path, content)
    assert str(tmp_path / "movies_info.txt") in str(raised.value)


@given(st.text(st.characters(codec="utf-8")))
def test_no_text_in_the_table_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any_table.txt"
    path.write_bytes(("index name fi\n1 a 1\n" + text).encode())
    try:
        movies = from_movies_file(path)
    except ExperimentError as error:
        assert str(path) in str(error)
    else:
        assert movies[1].fi == 1


word = st.from_regex(r"[A-Za-z0-9_\-]{1,6}", fullmatch=True)


@given(
    st.dictionaries(
        st.integers(1, 10**6), st.tuples(st.lists(word, min_size=1, max_size=4), st.integers(1, 10**9)), max_size=5
    )
)
def test_any_table_reads_back(tmp_path_factory: pytest.TempPathFactory, rows: dict[int, tuple[list[str], int]]) -> None:
    path = tmp_path_factory.getbasetemp() / "table.txt"
    lines = [f"{m} 1_9 {' '.join(w)} {' '.join(w)}.mp4 25 7 {fi} {fi + 6}\n" for m, (w, fi) in rows.items()]
    path.write_text(HEADER + "".join(lines))
    assert from_movies_file(path) == {m: Movie(m, " ".join(w), fi, fi + 6, 25.0) for m, (w, fi) in rows.items()}


# --- parameters -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "inverted"),
    [
        ('{"segmentation_invert": true}', True),
        ('{"segmentation_invert": 1}', True),
        ('{"segmentation_invert": false}', False),
        ("{}", False),
        (None, False),
    ],
)
def test_light_animals_on_dark_ground_are_told_by_the_parameters(
    make_session, content: str | None, inverted: bool
) -> None:
    session = make_session()
    if content is not None:
        (session / "parameters" / "prmtrs.json").write_text("\ufeff" + content, encoding="utf-8")
    assert open_session(session).inverted is inverted


@pytest.mark.parametrize("content", ["{", "[1, 2]", "", "\x00"])
def test_broken_parameters_are_told_with_the_file(make_session, content: str) -> None:
    session = make_session()
    (session / "parameters" / "prmtrs.json").write_text(content)
    with pytest.raises(ExperimentError, match=r"prmtrs\.json"):
        _ = open_session(session).parameters


# --- lists of movies --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "movies"),
    [
        ("4", [4]),
        ("3,5,6", [3, 5, 6]),
        ("1-5,7", [1, 2, 3, 4, 5, 7]),
        (" 7 , 1 - 3 ", [1, 2, 3, 7]),
        ("2,2,1-2", [1, 2]),
        ("3-3", [3]),
    ],
)
def test_lists_of_movies(text: str, movies: list[int]) -> None:
    assert parse_movie_list(text) == movies


@given(st.sets(st.integers(0, 5000), min_size=1), st.randoms())
def test_any_set_of_movies_written_as_a_list_reads_back(movies: set[int], random) -> None:
    parts = [
        f"{movie}-{movie + 1}" if movie + 1 in movies and random.random() < 0.5 else str(movie) for movie in movies
    ]
    random.shuffle(parts)
    assert parse_movie_list(random.choice([",", ", "]).join(parts)) == sorted(movies)


@pytest.mark.parametrize("text", ["", ",", "1,", "a", "1;2", "5-3", "1-2-3", "-1", "1.5", "1-", "1 2", "1-9999999999"])
def test_what_is_no_list_of_movies_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no list of movies|more movies than any") as raised:
        parse_movie_list(text)
    assert repr(text) in str(raised.value)


@given(st.text())
def test_no_text_breaks_the_list_of_movies(text: str) -> None:
    try:
        movies = parse_movie_list(text)
    except ValueError:
        return
    assert movies == sorted(set(movies))
    assert movies


@pytest.mark.parametrize(
    ("text", "chosen", "missing"),
    [
        ("1-5,9", [2, 3], [9]),
        ("1-5", [2, 3], []),
        ("2", [2], []),
        ("2,4", [2], [4]),
        ("2,4,3-5", [2, 3], [4]),
        ("8-9", [], [8, 9]),
        ("5", [], [5]),
    ],
)
def test_a_range_means_the_movies_that_exist_and_a_number_that_movie(
    text: str, chosen: list[int], missing: list[int]
) -> None:
    movies = parse_movie_list(text)
    assert choose_movies(movies, {2, 3, 7}) == (chosen, missing)
    assert choose_movies(pickle.loads(pickle.dumps(movies)), {2, 3, 7}) == (chosen, missing)


def test_of_a_plain_sequence_of_movies_each_is_named() -> None:
    assert choose_movies([3, 1, 3], [3]) == ([3], [1])


# --- made-up and real sessions ----------------------------------------------------------------------------------


def test_a_generated_experiment_opens_like_a_tracked_one(small_demo: DemoExperiment) -> None:
    session = open_session(small_demo.directory)
    assert session.path == small_demo.session
    assert list(session.stacks) == list(session.movies) == [1, 2]
    assert session.movies_without_stack == []
    assert not session.inverted
    assert len(session.labels.ants) == 16
    for stacks in session.stacks.values():
        assert session.companion(stacks[0], "frame_passed").is_file()
        assert session.companion(stacks[0], "trdata").is_file()


def test_the_real_session_opens(real_session: Path) -> None:
    session = open_session(real_session)
    assert session.name == "antrax_demo"
    assert session.stacks == {}
    assert session.movies_without_stack == [1, 2, 3, 4, 5, 6]
    assert session.parameters["tagged"] is True
    assert not session.inverted
    assert find_experiments(real_session) == [session.experiment]


def test_the_real_sessions_labels_are_16_ants_noant_and_unknown(real_session: Path) -> None:
    labels = open_session(real_session).labels
    assert labels.ants == tuple(front + rear for front in "BGOP" for rear in "BGOP")
    assert (labels.nonants, labels.others, labels.tagcolors) == (("NoAnt",), ("Unknown",), ("B", "G", "O", "P"))


def test_the_real_sessions_movies_follow_one_another(real_session: Path) -> None:
    session = open_session(real_session)
    assert session.movies == {m: Movie(m, f"JS16_{m}", 3000 * m - 2999, 3000 * m, 10.0) for m in range(1, 7)}
    assert session.absolute_frame(6, 3000) == 18000


def test_labels_that_antrax_gave_in_the_real_session_are_read(real_session: Path) -> None:
    session = open_session(real_session)
    assert classified_movies(session) == [1, 2, 3, 4, 5, 6]
    results = read_results(session)
    assert results.index.name == "tracklet"
    assert list(results.columns) == ["movie", "label", "score", "best_frame"]
    assert results.groupby("movie").size().to_dict() == {1: 92, 2: 106, 3: 175, 4: 85, 5: 90, 6: 68}
    assert results["label"].isin(session.labels.ants).sum() == 579
    assert set(results["label"]) <= set(session.labels.all)
    assert (results.loc[results["label"] == "Unknown", "score"] == 0).all()


def test_which_frames_passed_in_the_real_session_is_read_for_every_tracklet(real_session: Path) -> None:
    session = open_session(real_session)
    for movie in session.movies:
        tracklets = list(read_results(session, [movie]).index)
        passed = read_frame_passed(session.path / "images" / f"frame_passed_{movie}.mat", tracklets)
        assert list(passed) == tracklets
        assert all(len(passed[name]) >= 1 for name in tracklets)
    first = read_frame_passed(session.path / "images" / "frame_passed_1.mat", ["trj_id1_ti1_1258_tf1_1275"])
    assert first["trj_id1_ti1_1258_tf1_1275"].shape == (18,)
    assert first["trj_id1_ti1_1258_tf1_1275"].sum() == 14
