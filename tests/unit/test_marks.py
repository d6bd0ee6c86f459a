"""Marks: what people said of tracklets, in a CSV that survives power cuts, spreadsheets and colleagues."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from antrax.errors import ExperimentError, OptionError, OutputError
from antrax.labels import Category
from antrax.review.validation.marks import Marks
from antrax.review.validation.table import check_who
from antrax.review.validation.verdicts import COLUMNS, FORM, Mark, Verdict, verdicts_for
from tests.fixtures.processes import python

NOW, EARLIER = "0123456789abcdef", "12345678e9012345"
MARK = Mark(
    time="2026-11-05T12:34:56Z",
    who="Anna",
    classification=NOW,
    movie=1,
    tracklet="trj_id3_ti1_10_tf1_40",
    label="AB",
    category=Category.ANT,
    confidence=0.9876,
    images=31,
    verdict=Verdict.CORRECT,
    true_label="",
    met="random",
    seen=False,
)


def tracklet(number: int) -> str:
    return f"trj_id{number}_ti1_{number + 1}_tf1_{number + 9}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    session = tmp_path / "exp" / "session"
    session.mkdir(parents=True)
    return session / "validation" / "marks.csv"


def reread(path: Path) -> tuple[Mark, ...]:
    marks = Marks(path)
    marks.refresh()
    return marks.all()


def test_what_can_be_said_depends_on_the_kind_of_label():
    assert verdicts_for(Category.ANT) == (Verdict.CORRECT, Verdict.WRONG, Verdict.NO_ID)
    assert verdicts_for(Category.NONANT) == verdicts_for(Category.MULTI) == (Verdict.NOT_ANT, Verdict.ANT)
    assert verdicts_for(Category.UNKNOWN) == (Verdict.RIGHTLY_UNKNOWN, Verdict.IDENTIFIABLE, Verdict.NOT_ANT)


def test_a_session_without_marks_has_none_and_reading_creates_nothing(path):
    marks = Marks(path)
    marks.refresh()
    assert marks.all() == marks.history(MARK.tracklet) == ()
    assert marks.current(MARK.tracklet, NOW) is None
    assert not path.parent.exists()


def test_a_mark_is_on_disk_when_it_is_added_and_read_back_as_it_was(path):
    other = replace(MARK, confidence=None, verdict=None, true_label="CD", met="", seen=True, who="Zoë O'Neil")
    marks = Marks(path)
    marks.add(MARK)
    marks.add(other)
    assert marks.all() == reread(path) == (MARK, other)
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    assert header.split(",")[:4] == ["time", "who", "movie", "tracklet"]
    assert len(lines) == 2
    assert {entry.name for entry in path.parent.iterdir()} <= {"marks.csv", "marks.lock"}


def test_the_last_word_in_a_classification_is_the_current_one_and_history_keeps_all(path):
    marks = Marks(path)
    old, first, last = (
        replace(MARK, classification=EARLIER, verdict=Verdict.NO_ID),
        MARK,
        replace(MARK, verdict=Verdict.WRONG, true_label="CD"),
    )
    for mark in (old, first, last):
        marks.add(mark)
    assert marks.current(MARK.tracklet, NOW) == last
    assert marks.current(MARK.tracklet, EARLIER) == old
    assert marks.current(MARK.tracklet, None) is None
    assert marks.current(tracklet(99), NOW) is None
    assert marks.history(MARK.tracklet) == (old, first, last)


def test_a_mark_that_is_taken_back_is_current_no_more_but_stays_in_the_history(path):
    marks = Marks(path)
    taken_back = replace(MARK, verdict=None)
    marks.add(MARK)
    marks.add(taken_back)
    assert marks.current(MARK.tracklet, NOW) is None
    assert reread(path) == (MARK, taken_back)


def test_marks_of_others_are_found_and_the_version_grows_with_them_only(path):
    mine, theirs = Marks(path), Marks(path)
    mine.refresh()
    before = mine.version
    mine.refresh()
    assert mine.version == before
    theirs.add(MARK)
    mine.refresh()
    assert mine.version > before
    assert mine.all() == (MARK,)
    before = mine.version
    mine.add(replace(MARK, who="Ben"))
    assert mine.version > before


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": Verdict.IDENTIFIABLE},
        {"tracklet": "../../etc/passwd"},
        {"tracklet": "trj_id3_ti2_10_tf2_40"},
        {"images": -1},
        {"confidence": float("nan")},
        {"confidence": 1.5},
        {"label": ""},
        {"classification": ""},
        {"who": ""},
        {"who": "x" * 41},
        {"who": "tab\x07"},
        {"true_label": "two\nlines"},
        {"met": "zero\x00"},
        {"true_label": "<cut off>"},
    ],
)
def test_a_mark_that_contradicts_itself_or_cannot_be_kept_is_refused_and_nothing_is_written(path, change):
    with pytest.raises(OptionError):
        Marks(path).add(replace(MARK, **change))
    assert not path.parent.exists()


def test_the_name_of_a_person_is_tidied():
    assert check_who("  Anna \t Maria\u00a0 K. ") == "Anna Maria K."
    with pytest.raises(OptionError, match="who you are"):
        check_who("   ")


@pytest.mark.parametrize("text", ["=1+1", "+49 30", "-Ann", "@ann", "'=x", "''@", "'Ann", 'A"nn', "A, nn; x"])
def test_no_cell_is_a_formula_and_the_text_comes_back_as_it_was(path, text):
    Marks(path).add(replace(MARK, who=text, true_label=text, verdict=Verdict.WRONG, label=text))
    with path.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row.values())
    (mark,) = reread(path)
    assert (mark.who, mark.true_label, mark.label) == (text, text, text)


def test_a_digest_is_no_number_for_a_spreadsheet(path):
    Marks(path).add(replace(MARK, classification=EARLIER))
    with path.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    with pytest.raises(ValueError):
        float(row["classification"])
    assert reread(path)[0].classification == EARLIER


# ---- power cuts


@pytest.fixture(scope="module")
def two_lines(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("two") / "session" / "marks.csv"
    path.parent.mkdir()
    Marks(path).add(MARK)
    Marks(path).add(replace(MARK, who='Jo "x", y', tracklet=tracklet(7), seen=True))
    return path.read_bytes()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(1, 10_000), junk=st.sampled_from([b"", b"\x00" * 64, b"\xc3", b'"']))
def test_a_line_cut_off_anywhere_is_passed_over_and_the_next_mark_stands_on_a_line_of_its_own(
    tmp_path_factory, two_lines, cut, junk
):
    path = tmp_path_factory.mktemp("cut") / "session" / "marks.csv"
    path.parent.mkdir()
    second = two_lines.index(b"\n", two_lines.index(b"\n") + 1) + 1
    path.write_bytes(two_lines[: second + cut % (len(two_lines) - second - 1)] + junk)
    assert reread(path) == (MARK,)
    marks = Marks(path)
    after = replace(MARK, who="after")
    marks.add(after)
    marks.add(after)
    assert marks.all() == reread(path) == (MARK, after, after)


def test_a_whole_last_line_that_an_editor_left_open_counts_once(path, two_lines):
    path.parent.mkdir()
    path.write_bytes(two_lines.rstrip(b"\n"))
    marks = Marks(path)
    marks.refresh()
    assert len(marks.all()) == 2
    marks.add(MARK)
    assert len(marks.all()) == len(reread(path)) == 3


def test_a_half_written_line_of_another_process_is_taken_in_when_it_is_whole(path, two_lines):
    path.parent.mkdir()
    marks = Marks(path)
    for end in range(len(two_lines) - 120, len(two_lines) + 1, 7):
        path.write_bytes(two_lines[:end])
        marks.refresh()
    path.write_bytes(two_lines)
    marks.refresh()
    assert marks.all() == reread(path)
    assert len(marks.all()) == 2


@pytest.mark.parametrize("content", [b"", b"\n", b"\xef\xbb\xbf", b"\x00" * 30])
def test_an_empty_file_is_begun_anew(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    marks = Marks(path)
    marks.refresh()
    assert marks.all() == ()
    marks.add(MARK)
    assert reread(path) == (MARK,)


# ---- spreadsheets


def rewrite(path: Path, change) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    path.write_bytes(change(rows))


def as_csv(rows: list[list[str]], separator: str = ",", end: str = "\r\n") -> bytes:
    return "".join(separator.join(row) + end for row in rows).encode()


def test_a_file_that_excel_saved_is_read_and_gets_new_marks_in_its_own_columns(path):
    marks = Marks(path)
    marks.add(MARK)

    def saved(rows):
        wide = [[*reversed(row), "my notes" if number == 0 else "", ""] for number, row in enumerate(rows)]
        return b"\xef\xbb\xbf" + as_csv([*wide, [""] * 15])

    rewrite(path, saved)
    marks.refresh()
    assert marks.all() == (MARK,)
    second = replace(MARK, who="Ben", verdict=Verdict.WRONG, true_label="CD")
    marks.add(second)
    assert marks.all() == reread(path) == (MARK, second)
    assert path.read_bytes().startswith(b"\xef\xbb\xbfseen,")


def test_cells_that_a_spreadsheet_left_out_at_the_end_of_a_row_are_empty(path):
    Marks(path).add(MARK)
    rewrite(path, lambda rows: as_csv([[*rows[0], "notes"], rows[1]]))
    assert reread(path) == (MARK,)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda rows: as_csv(rows, ";"), r"line 1: the columns are separated by semicolons"),
        (lambda rows: as_csv(rows, "\t"), r"line 1: the columns are separated by tabs"),
        (lambda rows: as_csv(rows, end="\r"), r"line 1 is no line of a table"),
        (lambda rows: as_csv(rows).decode().encode("utf-16"), r"line 1 is no line of a table"),
        (lambda rows: as_csv([row[1:] for row in rows]), r"line 1: column time is missing"),
        (lambda rows: as_csv([[*row, row[1]] for row in rows]), r"line 1: column who is missing or there twice"),
        (lambda rows: as_csv([*rows, ["x"]]), r"line 4: .* is no movie"),
        (lambda rows: as_csv([*rows, [*rows[1], "x"]]), r"line 4: it has 14 cells"),
        (lambda rows: as_csv(rows).replace(b",correct,", b",corect,", 1), r"line 2: 'corect' is no verdict"),
        (lambda rows: as_csv(rows).replace(b",correct,", b",is_ant,", 1), r"line 2: is_ant cannot be said"),
        (lambda rows: as_csv(rows).replace(b",random,", b",r\xe4ndom,", 1), r"line 2: it is no UTF-8"),
        (lambda rows: as_csv(rows).replace(b"0.9876", b"9876", 1), r"line 2: 9876.0 is no confidence"),
        (lambda rows: as_csv(rows).replace(b"Anna", b'"An', 1), r"line 2: "),
    ],
)
def test_a_file_that_cannot_be_understood_is_an_error_that_names_the_line_and_is_left_alone(path, change, told):
    marks = Marks(path)
    marks.add(MARK)
    marks.add(MARK)
    rewrite(path, change)
    damaged = path.read_bytes()
    with pytest.raises(ExperimentError, match=told) as caught:
        marks.refresh()
    assert str(path) in str(caught.value)
    with pytest.raises(ExperimentError):
        marks.add(MARK)
    assert path.read_bytes() == damaged
    assert marks.all() == (MARK, MARK)


cells = st.sampled_from(
    [*COLUMNS, *FORM.to_line(MARK, COLUMNS).strip().split(","), "taken_back", "<cut off>", "1e999", "nan"]
)
separators = st.sampled_from([",", ",", ",", "\n", "\r\n", '"', ";", "\0"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    content=st.binary(max_size=200)
    | st.lists(st.tuples(cells, separators).map("".join), max_size=60).map("".join).map(str.encode)
    | st.text(max_size=100).map(lambda text: text.encode("utf-16", "surrogatepass")),
    has_header=st.booleans(),
)
def test_no_bytes_break_the_reader_and_what_cannot_be_read_is_left_alone(path, content, has_header):
    content = (",".join(COLUMNS) + "\n").encode() * has_header + content
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    marks = Marks(path)
    try:
        marks.add(MARK)
    except ExperimentError as error:
        assert str(path) in str(error)
        assert path.read_bytes() == content
        return
    assert marks.all()[-1] == MARK
    assert reread(path) == marks.all()
    assert path.read_bytes().startswith(content.rstrip(b"\0")) or not content.strip(b"\0\xef\xbb\xbf \r\n")


def test_a_change_in_the_middle_of_a_file_is_noticed_also_where_it_has_grown(path):
    marks = Marks(path)
    marks.add(MARK)
    marks.add(MARK)
    path.write_bytes(path.read_bytes().replace(b"Anna", b"Annabella", 1))
    marks.refresh()
    assert [mark.who for mark in marks.all()] == ["Annabella", "Anna"]
    rewrite(path, lambda rows: as_csv(rows[:2]))
    marks.refresh()
    assert len(marks.all()) == 1
    path.unlink()
    marks.refresh()
    assert marks.all() == ()


# ---- many marks, many people


@pytest.mark.slow
def test_ten_thousand_marks_are_read_and_one_more_does_not_read_them_again(path):
    Marks(path).add(MARK)
    header, line = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(
        header + b"".join(line.replace(MARK.tracklet.encode(), tracklet(n).encode()) for n in range(10_000))
    )
    marks = Marks(path)
    marks.refresh()
    assert len(marks.all()) == 10_000
    first = marks.history(tracklet(0))[0]
    marks.add(replace(MARK, tracklet=tracklet(1)))
    assert marks.history(tracklet(0))[0] is first
    assert len(marks.history(tracklet(1))) == 2
    Marks(path).add(replace(MARK, tracklet=tracklet(2)))
    marks.refresh()
    assert marks.history(tracklet(0))[0] is first
    assert len(marks.history(tracklet(2))) == 2


WRITER = """
import sys
from dataclasses import replace
from pathlib import Path
from antrax.review.validation.marks import Marks
sys.path.insert(0, sys.argv[3])
from test_marks import MARK, tracklet
marks = Marks(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for number in range(40):
    marks.add(replace(MARK, who=sys.argv[2], tracklet=tracklet(number)))
"""


def test_processes_that_mark_at_once_lose_nothing_and_mix_no_lines(path):
    with (
        python("-c", WRITER, path, "Anna", Path(__file__).parent) as anna,
        python("-c", WRITER, path, "Ben", Path(__file__).parent) as ben,
    ):
        for writer in (anna, ben):
            assert writer.stdout.readline() == "ready\n"
        for writer in (anna, ben):
            writer.stdin.write("go\n")
            writer.stdin.flush()
        for writer in (anna, ben):
            writer.communicate()
            assert writer.returncode == 0
    marks = reread(path)
    assert Counter(mark.who for mark in marks) == {"Anna": 40, "Ben": 40}
    assert len({(mark.who, mark.tracklet) for mark in marks}) == 80


def test_threads_that_mark_at_once_lose_nothing(path):
    marks = Marks(path)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda number: marks.add(replace(MARK, tracklet=tracklet(number))), range(40)))
    assert {mark.tracklet for mark in marks.all()} == {tracklet(number) for number in range(40)}
    assert sorted(reread(path), key=lambda mark: mark.tracklet) == sorted(marks.all(), key=lambda mark: mark.tracklet)


def test_a_reader_is_not_kept_waiting_by_a_writer(path):
    marks = Marks(path)
    marks.add(MARK)
    with ThreadPoolExecutor(1) as threads, FileLock(path.with_suffix(".lock")):
        waiting = threads.submit(marks.add, MARK)
        marks.refresh()
        assert len(marks.all()) == 1
        assert not waiting.done()
    waiting.result()
    assert len(marks.all()) == 2


# ---- trouble with the disk


LIMITED = """
import resource, sys
from pathlib import Path
from antrax.errors import OutputError
from antrax.review.validation.marks import Marks
sys.path.insert(0, sys.argv[2])
from test_marks import MARK
path = Path(sys.argv[1])
marks = Marks(path)
marks.add(MARK)
size = path.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 50, -1))
try:
    marks.add(MARK)
except OutputError as error:
    assert "not kept" in str(error), error
else:
    raise AssertionError("a mark that does not fit was kept")
assert path.stat().st_size == size
assert marks.all() == (MARK,)
resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
marks.add(MARK)
assert marks.all() == (MARK, MARK)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot limit the size of files")
def test_a_mark_that_is_only_half_written_is_an_error_and_leaves_no_trace(path):
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, path, Path(__file__).parent], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("marks_before", [0, 1])
def test_a_full_or_read_only_disk_is_an_error_and_what_there_was_stays(small_disk, marks_before):
    place, spoil = small_disk("64k")
    path = place / "validation" / "marks.csv"
    marks = Marks(path)
    for _ in range(marks_before):
        marks.add(MARK)
    spoil()
    failed = 0
    for _ in range(40):  # the last block of the file may have room for some more
        try:
            marks.add(MARK)
        except OutputError:
            failed += 1
    assert failed
    assert len(marks.all()) == marks_before + 40 - failed
    assert reread(path) == marks.all()


def test_marks_that_have_no_place_are_an_error(path):
    path.parent.write_text("a file where the folder should be")
    with pytest.raises(OutputError, match="not kept"):
        Marks(path).add(MARK)


def test_a_session_that_is_gone_is_an_error_its_marks_stay_known_and_it_is_not_made_up(path):
    marks = Marks(path)
    marks.add(MARK)
    session = path.parent.parent
    session.rename(session.with_name("elsewhere"))
    with pytest.raises(ExperimentError, match="cannot be read"):
        marks.refresh()
    with pytest.raises(OutputError, match="not kept"):
        marks.add(MARK)
    assert marks.all() == (MARK,)
    assert not session.exists()
