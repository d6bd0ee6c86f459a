"""Which experiments an argument stands for: an experiment, a folder, a list as people write it."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from antrax.classification.report import ClassifyResult, ExperimentReport
from antrax.cli.console import show_report
from antrax.errors import ExperimentError
from antrax.io import experiments
from antrax.io.experiments import experiments_below, find_experiments


def test_an_experiment_stands_for_itself(make_session, tmp_path: Path) -> None:
    session = make_session("exp/s")
    assert find_experiments(tmp_path / "exp") == [tmp_path / "exp"]
    assert find_experiments(session) == [session]


def test_a_folder_stands_for_the_experiments_in_it(make_session, tmp_path: Path) -> None:
    for name in ("all/b [2]", "all/a 1"):
        make_session(f"{name}/session")
    (tmp_path / "all" / "notes").mkdir()
    (tmp_path / "all" / "todo.txt").touch()
    assert find_experiments(tmp_path / "all") == [tmp_path / "all" / "a 1", tmp_path / "all" / "b [2]"]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs POSIX permissions")
def test_a_folder_that_nobody_may_look_into_hides_no_experiment(
    make_session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_session("drive/exp/session")
    closed = tmp_path / "drive" / "System Volume Information"
    closed.mkdir()
    closed.chmod(0)
    if os.geteuid() == 0:  # nothing is closed to root
        is_file = Path.is_file

        def refuse(path: Path, **options: bool) -> bool:
            if closed in path.parents:
                raise PermissionError(13, "Permission denied", str(path))
            return is_file(path, **options)

        monkeypatch.setattr(Path, "is_file", refuse)
    assert find_experiments(tmp_path / "drive") == [tmp_path / "drive" / "exp"]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte order mark"])
def test_a_text_file_lists_experiments_relative_to_itself(tmp_path: Path, ending: str, mark: bytes) -> None:
    lists = tmp_path / "lists"
    lists.mkdir()
    lines = [
        "one",
        "# a comment",
        "",
        "  # another",
        "  ../two words [3]  ",
        str(tmp_path / "three"),
        "./one/",
        "~ne",
        '"/a b"',
    ]
    (lists / "list.txt").write_bytes(mark + ending.join(lines).encode())
    assert find_experiments(lists / "list.txt") == [
        lists / "one",
        tmp_path / "two words [3]",
        tmp_path / "three",
        lists / "~ne",
        Path("/a b"),
    ]


def test_a_list_may_start_from_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    (tmp_path / "list.txt").write_text("~/exp\n")
    assert find_experiments(tmp_path / "list.txt") == [tmp_path / "home" / "exp"]


@pytest.mark.parametrize("content", [b"", b"# nothing\n\n", b"\x89HDF\r\n\x1a\n\xff\xfe"])
def test_a_file_that_lists_nothing_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(ExperimentError, match=r"list\.txt (lists no experiment|is neither a folder nor a text file)"):
        find_experiments(tmp_path / "list.txt")


def test_what_stands_for_no_experiment_is_told(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="nowhere does not exist"):
        find_experiments(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ExperimentError, match="empty is no tracked experiment and contains none"):
        find_experiments(tmp_path / "empty")


@pytest.mark.filterwarnings("ignore::antrax.io.text.GuessedTextWarning")
@pytest.mark.parametrize("mark", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_a_list_may_be_in_any_encoding(tmp_path: Path, mark: str, ending: str) -> None:
    (tmp_path / "list.txt").write_bytes(f"Müller 1{ending}# Öl{ending}b{ending}".encode(mark))
    assert find_experiments(tmp_path / "list.txt") == [tmp_path / "Müller 1", tmp_path / "b"]


def test_experiments_are_found_at_any_depth_but_not_inside_of_experiments(make_session, tmp_path: Path) -> None:
    for where in ("lab/a/s", "lab/2/3/4/5/6/7/b/s", "lab/a/s/images/inner/s", "lab/.hidden/c/s"):
        make_session(where)
    assert find_experiments(tmp_path / "lab") == [tmp_path / "lab/2/3/4/5/6/7/b", tmp_path / "lab/a"]


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_a_round_trip_of_links_ends(make_session, tmp_path: Path) -> None:
    make_session("lab/a/s")
    make_session("elsewhere/b/s")
    (tmp_path / "lab" / "up").symlink_to(tmp_path)
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "lab")
    assert {path.name for path in find_experiments(tmp_path / "lab")} == {"a", "b"}
    assert experiments_below(tmp_path / "lab", links_out=False).paths == (tmp_path / "lab" / "a",)


def test_a_search_that_ends_early_is_told(make_session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_session("lab/a/s")
    for number in range(20):
        (tmp_path / "lab" / "b" / str(number)).mkdir(parents=True)
    monkeypatch.setattr(experiments, "MOST_FOLDERS", 10)
    told: list[str] = []
    assert find_experiments(tmp_path / "lab", told.append) == [tmp_path / "lab" / "a"]
    assert "holds more than 10 folders" in told[0]


def test_a_list_is_relative_to_its_own_folder_and_then_to_the_working_folder(
    make_session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for where in ("lists/both/s", "work/both/s", "work/here only/s"):
        make_session(where)
    (tmp_path / "lists" / "list.txt").write_text("both\nhere only\nnowhere\n")
    monkeypatch.chdir(tmp_path / "work")
    assert find_experiments(tmp_path / "lists" / "list.txt") == [
        tmp_path / "lists" / "both",
        tmp_path / "work" / "here only",
        tmp_path / "lists" / "nowhere",
    ]


@pytest.mark.parametrize(
    ("line", "found", "remark"),
    [
        ("colony 1", "colony 1", False),
        ("colony 1 is good", "colony 1", True),
        ("colony is good", "colony", True),
        ("colony # is good", "colony", True),
        ("colony#", "colony#", False),
        ("colony\tqueen lost", "colony", True),
        ('"colony 1" is good', "colony 1", True),
        ("colony 2", "colony", True),
        ("nowhere at all", "nowhere at all", False),
    ],
)
def test_what_follows_a_path_is_a_remark_where_the_whole_line_does_not_exist(
    make_session, tmp_path: Path, line: str, found: str, remark: bool
) -> None:
    for name in ("colony", "colony 1"):
        make_session(f"{name}/s")
    (tmp_path / "list.txt").write_text(line + "\n")
    told: list[str] = []
    assert find_experiments(tmp_path / "list.txt", told.append) == [tmp_path / found]
    assert [f"line 1: {line!r} is taken for the experiment {found!r} and a remark" in text for text in told] == [
        True
    ] * remark


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_is_no_list(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "list.txt")
    with pytest.raises(ExperimentError, match="is neither a folder nor a text file"):
        find_experiments(tmp_path / "list.txt")


@pytest.mark.filterwarnings("ignore::antrax.io.text.GuessedTextWarning")
@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-16", "surrogatepass")))
def test_no_bytes_break_the_reader_of_lists(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any_list.txt"
    path.write_bytes(content)
    try:
        assert find_experiments(path)
    except ExperimentError as error:
        assert str(path) in str(error)


def test_a_list_of_one_enormous_line_is_read_in_no_time(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a " * 5_000_000)
    (found,) = find_experiments(tmp_path / "list.txt")
    assert found.name.startswith("a a a")


def test_the_name_of_an_experiment_cannot_move_the_cursor_of_a_terminal(tmp_path: Path) -> None:
    text = io.StringIO()
    failed = ExperimentReport(tmp_path / "a\x1b[2J\nb[red]", failures=["broken"])
    show_report(Console(file=text, force_terminal=True, color_system=None), ClassifyResult([failed], 1.0, "cpu"))
    assert "a\\x1b[2J\\nb[red]: 0 movies" in text.getvalue()
    assert text.getvalue().endswith(" on cpu\n")
