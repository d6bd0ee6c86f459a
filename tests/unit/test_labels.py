"""labels.csv as labs have it: two forms, many spellings, and what is refused."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antrax.errors import ConflictError, LabelsError, OutputError
from antrax.io.labels_file import edit_labels, from_labels_file, labels_digest, to_labels_file
from antrax.io.session import Session
from antrax.labels import (
    MULTI_NAMES,
    UNKNOWN,
    Category,
    Labels,
    check_label_name,
    clean_label,
    guess_category,
    unusable_names,
)

NEW = "AB\tant_labels\nCD\tant_labels\nNoAnt\tnoant_labels\nMulti\tother_labels\nUnknown\tother_labels\nB\ttagcolors\n"
PARSED = Labels(("AB", "CD"), ("NoAnt",), ("Multi", "Unknown"), ("B",))


def read(tmp_path: Path, content: str | bytes) -> Labels:
    path = tmp_path / "labels.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return from_labels_file(path)


def complaint(tmp_path: Path, content: str | bytes) -> str:
    with pytest.raises(LabelsError) as raised:
        read(tmp_path, content)
    assert str(tmp_path / "labels.csv") in str(raised.value)
    return str(raised.value)


def test_new_form_has_a_label_and_its_category_a_line(tmp_path: Path) -> None:
    assert read(tmp_path, NEW) == PARSED


def test_old_form_has_a_category_and_its_labels_a_line(tmp_path: Path) -> None:
    old = "ant_labels,AB,CD\nnoant_labels,NoAnt\nother_labels,Multi,Unknown\ntagcolors,B\n"
    assert read(tmp_path, old) == PARSED


def test_old_form_may_have_spaces_and_empty_cells_as_spreadsheets_leave_them(tmp_path: Path) -> None:
    old = "ant_labels, AB ,CD,,\nnoant_labels,NoAnt,,,\nother_labels,Multi,Unknown,,\ntagcolors,B,,,\n"
    assert read(tmp_path, old) == PARSED


def test_new_form_is_read_beside_a_leftover_labels_mat(tmp_path: Path) -> None:
    (tmp_path / "labels.mat").touch()
    assert read(tmp_path, NEW) == PARSED


@pytest.mark.parametrize(
    "content", [NEW, "ant_labels,AB,CD\nnoant_labels,NoAnt\nother_labels,Multi,Unknown\ntagcolors,B\n"]
)
@pytest.mark.parametrize(
    "disguise",
    [
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\n\n  \n").encode(),
        lambda text: text.rstrip("\n").encode(),
    ],
    ids=["byte order mark", "CRLF", "blank lines", "no last line ending"],
)
def test_what_editors_add_changes_nothing(tmp_path: Path, content: str, disguise) -> None:
    assert read(tmp_path, disguise(content)) == PARSED


def test_unknown_is_added_where_it_is_missing(tmp_path: Path) -> None:
    assert read(tmp_path, "AB\tant_labels\n").others == (UNKNOWN,)
    assert read(tmp_path, "ant_labels,AB\nother_labels,Multi\n").others == ("Multi", UNKNOWN)


def test_unknown_is_not_doubled(tmp_path: Path) -> None:
    assert read(tmp_path, NEW).all.count(UNKNOWN) == 1


def test_nonant_labels_is_another_spelling_of_noant_labels(tmp_path: Path) -> None:
    assert read(tmp_path, NEW.replace("noant_labels", "nonant_labels")) == PARSED


def test_tagcolors_are_no_labels_and_may_be_spelt_like_one(tmp_path: Path) -> None:
    labels = read(tmp_path, "B\tant_labels\nG\ttagcolors\nB\ttagcolors\n")
    assert labels.ants == ("B",)
    assert labels.tagcolors == ("G", "B")
    assert "G" not in labels.all
    assert labels.category("G") is None


def test_a_label_listed_twice_in_one_category_counts_once(tmp_path: Path) -> None:
    assert read(tmp_path, "AB\tant_labels\nCD\tant_labels\nAB\tant_labels\n").ants == ("AB", "CD")


@pytest.mark.parametrize("multi", MULTI_NAMES)
@pytest.mark.parametrize("category", ["other_labels", "noant_labels"])
def test_several_animals_are_known_by_any_of_three_spellings(tmp_path: Path, multi: str, category: str) -> None:
    assert read(tmp_path, f"AB\tant_labels\n{multi}\t{category}\n").category(multi) is Category.MULTI


def test_every_label_has_a_category() -> None:
    assert PARSED.categories == {
        "AB": Category.ANT,
        "CD": Category.ANT,
        "NoAnt": Category.NONANT,
        "Multi": Category.MULTI,
        "Unknown": Category.UNKNOWN,
    }
    assert PARSED.category("nobody") is None


@pytest.mark.parametrize(
    "content", ["AB\tant_labels\nAB\tnoant_labels\n", "ant_labels,CD\nnoant_labels,AB,CD\n"], ids=["new", "old"]
)
def test_a_label_in_two_categories_is_refused_with_its_line(tmp_path: Path, content: str) -> None:
    message = complaint(tmp_path, content)
    assert "line 2" in message
    assert "two categories" in message


@pytest.mark.parametrize(
    ("content", "line", "named"),
    [
        ("AB\tant_labels\n\nNoAnt\tno_ants\n", 3, "no_ants"),
        ("AB\tant_labels\nCD\n", 2, "CD"),
        ("AB\tant_labels\n\tant_labels\n", 2, "ant_labels"),
        ("ant_labels,AB\nantlabels,CD\n", 2, "antlabels"),
        ("AB,ant_label\n", 1, "AB"),
    ],
)
def test_an_unknown_category_is_refused_with_its_line(tmp_path: Path, content: str, line: int, named: str) -> None:
    message = complaint(tmp_path, content)
    assert f"line {line}:" in message
    assert named in message


@pytest.mark.parametrize("content", ["", "\n\n", "  \r\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(tmp_path: Path, content: str | bytes) -> None:
    assert "empty" in complaint(tmp_path, content)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    assert "cannot be read" in complaint(tmp_path, b"\xff\xfe\x00A\x00B\x00")


def test_a_missing_file_is_told_with_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(LabelsError, match="does not exist; list the labels") as raised:
        from_labels_file(tmp_path / "labels.csv")
    assert str(tmp_path / "labels.csv") in str(raised.value)


ant = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,8}", fullmatch=True)
other = st.text(st.characters(categories=["L", "N"], include_characters="_- ."), min_size=1, max_size=8).map(str.strip)


@given(st.lists(ant, unique=True), st.lists(other.filter(bool), unique=True), st.lists(ant, unique=True), st.data())
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, ants: list[str], rest: list[str], colors: list[str], data: st.DataObject
) -> None:
    rest = [clean_label(name) for name in rest if clean_label(name) not in ants and clean_label(name) != UNKNOWN]
    rest = ["not an ant", *dict.fromkeys(rest)]
    cut = data.draw(st.integers(1, len(rest)))
    ants = [name for name in ants if name != UNKNOWN]
    labels = Labels(tuple(ants), tuple(rest[:cut]), (*rest[cut:], UNKNOWN), tuple(colors))
    path = tmp_path_factory.getbasetemp() / "round_trip.csv"
    to_labels_file(labels, path, known=labels.all)  # some look like numbers
    assert from_labels_file(path) == labels


@pytest.mark.parametrize("bad", ["1A", "_A", "A-B", "A B", "", "Ä", "A.B", "A\n"])
def test_ant_labels_that_matlab_cannot_use_are_refused_on_writing(tmp_path: Path, bad: str) -> None:
    path = tmp_path / "labels.csv"
    with pytest.raises(LabelsError, match="must start with a letter") as raised:
        to_labels_file(Labels(("AB", bad)), path)
    assert repr(bad) in str(raised.value)
    assert not path.exists()
    assert unusable_names(["AB", bad, "a_1"]) == [bad]


def test_labels_that_are_no_ids_may_have_any_name(tmp_path: Path) -> None:
    labels = Labels(("AB",), ("not an ant",))
    to_labels_file(labels, tmp_path / "labels.csv")
    assert from_labels_file(tmp_path / "labels.csv") == labels


def test_a_label_that_matlab_cannot_use_is_still_read(tmp_path: Path) -> None:
    assert read(tmp_path, "1A\tant_labels\n").ants == ("1A",)


@pytest.mark.parametrize(
    ("label", "category"),
    [
        ("BG", Category.ANT),
        ("queen", Category.ANT),
        ("NoAnt", Category.NONANT),
        ("Larva", Category.NONANT),
        ("trash", Category.NONANT),
        ("Multi", Category.MULTI),
        ("MultiAnt", Category.MULTI),
        ("multi", Category.MULTI),
        ("MULTI", Category.MULTI),
        ("Unknown", Category.UNKNOWN),
        ("unknown", Category.UNKNOWN),
    ],
)
def test_the_category_of_a_label_without_a_session_is_guessed_from_its_name(label: str, category: Category) -> None:
    assert guess_category(label) is category


def test_labels_come_back_from_a_table_of_categories() -> None:
    assert Labels.from_categories(PARSED.categories) == Labels(("AB", "CD"), ("NoAnt",), ("Multi", "Unknown"))
    assert Labels.from_categories({"AB": "ant"}).others == (UNKNOWN,)


OLD = "ant_labels,AB,CD\nnoant_labels,NoAnt\nother_labels,Multi,Unknown\ntagcolors,B\n"
ROWS = [("CD", "ant"), ("AB", Category.ANT), ("NoAnt", "nonant"), ("Multi", "multi"), ("Unknown", "unknown")]


@pytest.fixture
def session(make_session) -> Session:
    path = make_session(labels=NEW)
    return Session(path.parent, path)


def labels_file(session: Session) -> Path:
    return session.path / "parameters" / "labels.csv"


def test_labels_can_be_written_in_the_old_form(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    to_labels_file(PARSED, path, old_form=True)
    assert path.read_text() == OLD
    to_labels_file(Labels(("AB",)), path, old_form=True)
    assert path.read_text() == "ant_labels,AB\nnoant_labels,NoAnt\nother_labels,Unknown\n"


def test_a_comma_is_refused_in_the_old_form_where_it_parts_labels(tmp_path: Path) -> None:
    with pytest.raises(LabelsError, match="'a, b': in the old form"):
        to_labels_file(Labels(("AB",), ("a, b",)), tmp_path / "labels.csv", old_form=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["AB", "no ant", "Ä", "蟻", "a.b", "a-b", "console", "nulls", "x" * 64, "a=b", "a, b", "🐜" * 50]
)
def test_a_name_that_a_folder_can_have_everywhere_may_be_a_label(tmp_path: Path, name: str) -> None:
    check_label_name(name)
    (tmp_path / name).mkdir()
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            ".",
            "..",
            ".hidden",
            "=ids",
            " ",
            " a",
            "a ",
            "a.",
            "a/b",
            "a\\b",
            "c:",
            "a*",
            "a?",
            'a"',
            "a<",
            "a>",
            "a|",
        ),
        *("a\tb", "a\nb", "a\x00", "\u202eab", "\ud800", "x" * 65, "蟻" * 64 + "x", "🐜" * 50 + "x"),
        *("con", "NUL", "Aux.txt", "COM1", "lpt9.a.b", "prn"),
    ],
)
def test_a_name_that_no_folder_can_have_everywhere_is_refused_as_a_label(name: str) -> None:
    with pytest.raises(LabelsError, match="choose another name"):
        check_label_name(name)


def test_the_labels_of_a_session_are_those_of_its_file_now(session: Session) -> None:
    assert session.labels == PARSED
    labels_file(session).write_text("EF\tant_labels\n")
    assert session.labels.ants == ("EF",)


def test_edited_labels_keep_their_order_and_the_tag_colours(session: Session) -> None:
    labels = edit_labels(session.layout, ROWS, labels_digest(labels_file(session)))
    assert labels == Labels(("CD", "AB"), ("NoAnt",), ("Multi", "Unknown"), ("B",))
    assert session.labels == labels


def test_edited_labels_stay_in_the_old_form_where_matlab_keeps_its_own_beside_it(session: Session) -> None:
    labels_file(session).write_text(OLD)
    (session.path / "parameters" / "labels.mat").touch()
    edit_labels(session.layout, ROWS, labels_digest(labels_file(session)))
    assert labels_file(session).read_text() == OLD.replace("AB,CD", "CD,AB")


@pytest.mark.parametrize(("content", "matlab"), [(NEW, True), (OLD, False), (NEW, False)])
def test_edited_labels_are_in_the_new_form_otherwise(session: Session, content: str, matlab: bool) -> None:
    labels_file(session).write_text(content)
    if matlab:
        (session.path / "parameters" / "labels.mat").touch()
    edit_labels(session.layout, ROWS, labels_digest(labels_file(session)))
    assert labels_file(session).read_text().startswith("CD\tant_labels\nAB\tant_labels\n")


def test_unknown_cannot_be_edited_away(session: Session) -> None:
    assert edit_labels(session.layout, [("AB", "ant")], labels_digest(labels_file(session))).all == (
        "AB",
        "NoAnt",
        "Unknown",
    )
    assert edit_labels(session.layout, [], labels_digest(labels_file(session))).all == ("NoAnt", "Unknown")


def test_a_session_without_labels_gets_a_file(session: Session) -> None:
    labels_file(session).unlink()
    assert labels_digest(labels_file(session)) is None
    edit_labels(session.layout, ROWS, None)
    assert session.labels.ants == ("CD", "AB")


def test_an_empty_labels_file_can_be_edited(session: Session) -> None:
    labels_file(session).write_bytes(b"")
    assert edit_labels(session.layout, ROWS, labels_digest(labels_file(session))).ants == ("CD", "AB")


def test_a_damaged_labels_file_is_left_as_it_is(session: Session) -> None:
    labels_file(session).write_text("AB\tno_such_category\n")
    with pytest.raises(LabelsError, match="line 1"):
        edit_labels(session.layout, ROWS, labels_digest(labels_file(session)))
    assert labels_file(session).read_text() == "AB\tno_such_category\n"


@pytest.mark.parametrize("since", ["EF\tant_labels\n", None, "first"])
def test_labels_that_somebody_changed_since_are_not_written_over(session: Session, since: str | None) -> None:
    digest = labels_digest(labels_file(session))
    if since == "first":
        digest = None  # there was no file when this person began
    elif since:
        labels_file(session).write_text(since)
    else:
        labels_file(session).unlink()
    before = labels_digest(labels_file(session))
    with pytest.raises(ConflictError, match="somebody else changed"):
        edit_labels(session.layout, ROWS, digest)
    assert labels_digest(labels_file(session)) == before


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([("AB", "ant"), ("AB", "nonant")], "AB is listed twice"),
        ([("AB", "ant"), ("Ab", "ant")], "AB and Ab differ in capital letters only"),
        ([("unknown", "nonant")], "Unknown and unknown differ in capital letters only"),
        ([("1A", "ant")], "'1A': an ant label must start with a letter"),
        ([("a b", "ant")], "an ant label must"),
        ([("a/b", "nonant")], "holds /"),
        ([("several", "multi")], "stand for several ants"),
        ([("Multi", "nonant")], "stand for several ants"),
        ([("Unknown", "nonant")], "Unknown is the label of what nobody can tell"),
        ([("AB", "ants")], "'ants' is no category; take one of ant, nonant, multi, unknown"),
    ],
)
def test_labels_that_cannot_be_are_refused_and_the_file_stays(
    session: Session, rows: list[tuple[str, str]], why: str
) -> None:
    with pytest.raises(LabelsError, match=why):
        edit_labels(session.layout, rows, labels_digest(labels_file(session)))
    assert labels_file(session).read_text() == NEW


@pytest.mark.parametrize("multi", MULTI_NAMES)
def test_several_ants_may_be_spelt_in_three_ways(session: Session, multi: str) -> None:
    labels = edit_labels(session.layout, [(multi, "multi")], labels_digest(labels_file(session)))
    assert labels.category(multi) is Category.MULTI


def test_labels_are_not_edited_on_a_drive_that_was_taken_away(session: Session) -> None:
    session.path.rename(session.path.with_name("away"))
    with pytest.raises(LabelsError, match="is the drive of the experiment connected"):
        edit_labels(session.layout, ROWS, None)
    assert not session.path.exists()


def test_labels_that_cannot_be_written_are_an_error_and_the_old_ones_stay(session: Session) -> None:
    folder = session.path / "parameters"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("mounting a small file system is not allowed here")
    try:
        labels_file(session).write_text(NEW)
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        with pytest.raises(OutputError, match=r"labels\.csv cannot be written"):
            edit_labels(session.layout, ROWS, labels_digest(labels_file(session)))
        assert labels_file(session).read_text() == NEW
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
