"""labels.csv as spreadsheets, shells and people write it, and what an edit leaves of it."""

from __future__ import annotations

import pickle
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antrax.errors import LabelsError
from antrax.io.labels_file import edit_labels, from_labels_file, labels_digest, to_labels_file
from antrax.io.layout import SessionLayout
from antrax.io.session import Session
from antrax.labels import (
    UNKNOWN,
    Category,
    Labels,
    clean_label,
    complete,
    label_warnings,
    looks_like_a_number,
    match_labels,
    spelling_notice,
)

PAIRS = [("AB", "ant_labels"), ("C D", "ant_labels"), ("NoAnt", "noant_labels"), ("Unknown", "other_labels")]
PARSED = Labels(("AB", "C D"), ("NoAnt",), ("Unknown",))
DECOMPOSED = unicodedata.normalize("NFD", "Müll")


def read(tmp_path: Path, content: str | bytes) -> Labels:
    path = tmp_path / "labels.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return from_labels_file(path)


def joined(separator: str) -> str:
    return "".join(f"{label}{separator}{category}\n" for label, category in PAIRS)


@pytest.mark.filterwarnings("ignore::antrax.io.text.GuessedTextWarning")
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_any_encoding_is_read(tmp_path: Path, encoding: str, ending: str) -> None:
    labels = read(tmp_path, f"AB\tant_labels{ending}Müll\tnoant_labels{ending}".encode(encoding))
    assert labels == Labels(("AB",), ("Müll",))


@pytest.mark.parametrize(
    "content",
    [
        joined("\t"),
        joined(","),
        joined(";"),
        joined(" , "),
        joined("   "),
        "label,category\n" + joined(","),
        "Label;Category;Note\n" + joined(";").replace("\n", ";\n"),
        "Category\tLabel\n" + "".join(f"{category}\t{label}\n" for label, category in PAIRS),
        "".join(f"{category}\t{label}\n" for label, category in PAIRS),
        "".join(f'"{label}","{category}"\n' for label, category in PAIRS),
        "".join(f"'{label}'\t'{category}'\n" for label, category in PAIRS),
        "".join(f"\u201c{label}\u201d\t{category}\n" for label, category in PAIRS),
        joined("\t\t"),
        "\ufeff\ufeff" + joined("\t").replace("\t", "\u200b\t\u202a"),
        joined("\t").upper().replace("AB", "AB").replace("NOANT\t", "NoAnt\t").replace("UNKNOWN\t", "Unknown\t"),
        joined("\t").replace("\n", "\tqueen, died in May\n", 1),
        joined(",").replace("\n", ",queen\n"),
        "\n,,\n" + joined(",").replace("\n", "\n,,\n"),
        "note;label;category\n" + "".join(f"seen;{label};{category}\n" for label, category in PAIRS),
    ],
    ids=[
        "tabs", "commas", "semicolons", "blanks around", "blanks", "header", "note column", "swapped with header",
        "swapped", "quotes", "single quotes", "curved quotes", "two tabs", "unseen marks", "capitals", "a note",
        "notes", "empty rows", "note first",
    ],
)  # fmt: skip
def test_a_table_is_read_where_one_column_holds_only_categories(tmp_path: Path, content: str) -> None:
    assert read(tmp_path, content) == PARSED


def test_notes_are_no_labels(tmp_path: Path) -> None:
    assert read(tmp_path, "AB,ant_labels,queen\nNoAnt,noant_labels,dirt\n") == Labels(("AB",), ("NoAnt",))


@pytest.mark.parametrize(
    ("content", "line", "told"),
    [
        ("AB\tant_labels\nant_labels\tCD\n", 2, "found 'CD' for the category beside 'ant_labels'"),
        ("AB\tant_labels\nCD\tants\n", 2, "found 'ants' for the category beside 'CD'"),
        ("AB;ant_labels\nCD;\n", 2, "found '' for the category beside 'CD'"),
        ("AB\nCD\n", 1, "found 'AB' for the category"),
        ("AB\tant_labels\nUnknown\tant_labels\n", 2, "Unknown stands for animals that cannot be recognised"),
        ("AB\tant_labels\nunknown\tnoant_labels\n", 2, "none of noant_labels; write other_labels beside it"),
    ],
)
def test_a_row_that_is_no_pair_is_told_the_right_way_round(tmp_path: Path, content: str, line: int, told: str) -> None:
    with pytest.raises(LabelsError) as raised:
        read(tmp_path, content)
    assert f"line {line}:" in str(raised.value)
    assert told in str(raised.value)


@pytest.mark.parametrize("content", ["", "\n", " ;,\t\n", "\u00a0", "\u3000\n\u00a0,"])
def test_a_file_of_blanks_is_empty(tmp_path: Path, content: str) -> None:
    with pytest.raises(LabelsError, match="is empty; list the labels there"):
        read(tmp_path, content)


def test_letters_that_are_not_western_are_no_labels(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes("Müller\tant_labels\n".encode("mac_roman"))
    with pytest.raises(
        LabelsError, match=r"labels.csv cannot be read: its encoding is not known.*'MŸller'; save it as UTF-8"
    ):
        from_labels_file(path)


def test_two_columns_of_categories_are_not_guessed_at(tmp_path: Path) -> None:
    with pytest.raises(LabelsError, match="several columns"):
        read(tmp_path, "ant_labels\tant_labels\nother_labels\tnoant_labels\n")


def test_labels_are_read_in_composed_unicode_and_without_odd_blanks(tmp_path: Path) -> None:
    labels = read(tmp_path, f"{DECOMPOSED} \tnoant_labels\nA\u00a0B\tother_labels\n")
    assert labels == Labels((), ("Müll",), ("A B", UNKNOWN))


def test_one_label_in_two_forms_of_unicode_is_one(tmp_path: Path) -> None:
    assert read(tmp_path, f"{DECOMPOSED}\tnoant_labels\nMüll\tnoant_labels\n").nonants == ("Müll",)
    with pytest.raises(LabelsError, match="two categories"):
        read(tmp_path, f"{DECOMPOSED}\tnoant_labels\nMüll\tother_labels\n")


characters = st.characters() | st.sampled_from('\t,; "\n')
fragments = st.sampled_from(["ant_labels", "noant_labels", "\t", ",", ";", "\n", "AB", "Unknown", '"', "category"])


@pytest.mark.filterwarnings("ignore::antrax.io.text.GuessedTextWarning")
@given(
    st.binary(max_size=200)
    | st.lists(fragments, max_size=40).map("".join).map(str.encode)
    | st.tuples(st.text(characters, max_size=100), st.sampled_from(["utf-8", "utf-16", "utf-32"])).map(
        lambda pair: pair[0].encode(pair[1], "surrogatepass")
    )
)
def test_no_bytes_break_the_reader(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any_labels.csv"
    path.write_bytes(content)
    try:
        labels = from_labels_file(path)
    except LabelsError as error:
        assert str(path) in str(error)
        return
    assert UNKNOWN in labels.all
    assert all(label and label == clean_label(label) for label in labels.all)
    to_labels_file(labels, path, known=labels.all)
    assert from_labels_file(path) == complete(labels)


@pytest.mark.slow
@pytest.mark.parametrize(
    "content", ["a" * 10_000_000, "a," * 5_000_000, "ant_labels," + "a," * 3_000_000, '"' * 9_000_001]
)
def test_a_line_of_ten_megabytes_is_read_or_told(tmp_path: Path, content: str) -> None:
    try:
        assert read(tmp_path, content).ants == ("a",)
    except LabelsError as error:
        assert len(str(error)) < 1000


def calls_of(function) -> int:
    """How many calls of Python functions it takes: a measure of work that no busy machine changes."""
    count = 0

    def count_calls(frame, event, argument) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(count_calls)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


def test_the_work_for_many_labels_grows_with_their_number_and_no_faster(make_session, tmp_path: Path) -> None:
    def work(number: int) -> int:
        path = make_session(f"exp{number}/s", labels="".join(f"a{n}\tant_labels\n" for n in range(number)))
        session = Session(path.parent, path)

        def use() -> None:
            labels = session.labels
            rows = list(labels.categories.items())
            edit_labels(session.layout, rows, labels_digest(session.layout.labels_file))
            match_labels((name for name, _ in rows), labels.all)
            assert {labels.category(name) for name, _ in rows} == {*Category} - {Category.NONANT, Category.MULTI}

        return calls_of(use)

    assert work(4000) < 5 * work(1000)


# --- edits ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def layout(make_session) -> SessionLayout:
    return SessionLayout(make_session(labels="7\tant_labels\nB-G\tant_labels\nbb\tant_labels\nBB\tant_labels\n"))


def edit(layout: SessionLayout, *more: tuple[str, str]) -> Labels:
    rows = [(label, str(kind)) for label, kind in from_labels_file(layout.labels_file).categories.items()]
    return edit_labels(layout, [*rows, *more], labels_digest(layout.labels_file))


def test_labels_that_matlab_cannot_use_do_not_block_an_edit(layout: SessionLayout) -> None:
    assert edit(layout, ("CD", "ant")).ants == ("7", "B-G", "bb", "BB", "CD")
    assert from_labels_file(layout.labels_file).ants == ("7", "B-G", "bb", "BB", "CD")


@pytest.mark.parametrize(
    ("label", "category", "why"),
    [
        ("8", "ant", "must start with a letter"),
        ("C-D", "ant", "must start with a letter"),
        ("8", "nonant", "looks like a number"),
        ("nan", "ant", "looks like a number"),
        ("1e5", "unknown", "looks like a number"),
        ("a, b", "nonant", "comma"),
        ("Bb", "ant", "differ in capital letters"),
        ("ant_labels", "nonant", "name of a category"),
    ],
)
def test_new_labels_that_matlab_cannot_use_are_refused(
    layout: SessionLayout, label: str, category: str, why: str
) -> None:
    before = layout.labels_file.read_bytes()
    with pytest.raises(LabelsError, match=why):
        edit(layout, (label, category))
    assert layout.labels_file.read_bytes() == before


def test_labels_are_written_with_a_nonant_and_an_other_label(layout: SessionLayout) -> None:
    layout.labels_file.write_text("AB\tant_labels\n")
    edit(layout)
    assert layout.labels_file.read_text() == "AB\tant_labels\nNoAnt\tnoant_labels\nUnknown\tother_labels\n"


def test_what_people_noted_beside_labels_is_kept_when_the_page_edits_them(layout: SessionLayout) -> None:
    noted = "AB;ant_labels;queen\nNoAnt;noant_labels;\n".encode("utf-16")
    layout.labels_file.write_bytes(noted)
    edit(layout, ("CD", "ant"))
    assert from_labels_file(layout.labels_file).ants == ("AB", "CD")
    assert (layout.parameters / "labels_before_edit_1.csv").read_bytes() == noted


# --- identity ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "known", "label"),
    [
        ("BB", ["BB"], "BB"),
        ("BB ", ["BB"], "BB"),
        ("bb", ["BB"], "BB"),
        ("bb", ["BB", "bb"], "bb"),
        ("bB", ["BB", "bb"], "bB"),
        (DECOMPOSED, ["Müll"], "Müll"),
        ("Müll", [DECOMPOSED], DECOMPOSED),
        (DECOMPOSED.upper(), ["Müll"], "Müll"),
        ("new ", ["BB"], "new"),
        ("multi", ["Multi"], "Multi"),
    ],
)
def test_a_label_stands_for_the_only_known_one_that_differs_in_unicode_blanks_or_case(
    name: str, known: list[str], label: str
) -> None:
    assert match_labels([name], known) == {name: label}


def test_labels_of_another_spelling_are_told() -> None:
    assert spelling_notice(match_labels(["bb", "GG"], ["BB", "GG"])) == (
        "labels spelt in another way are taken as one: 'bb' as 'BB'"
    )
    assert spelling_notice({"GG": "GG"}) == ""


@given(st.lists(st.text(), unique=True), st.lists(st.text(), unique=True))
def test_matching_changes_nothing_when_done_twice(names: list[str], known: list[str]) -> None:
    matched = match_labels(names, known)
    assert match_labels(matched.values(), known) == {label: label for label in matched.values()}


def test_what_later_steps_cannot_use_is_warned_of() -> None:
    assert label_warnings(PARSED)[0].startswith("MATLAB cannot use these ant labels as names of variables: 'C D'")
    numbers, unusable, commas = label_warnings(Labels(("001", "B-G"), ("a,b",)))
    assert ("'001'" in numbers, "'B-G'" in unusable, "'a,b'" in commas) == (True, True, True)
    assert label_warnings(Labels(("AB",), ("not an ant",))) == []


@pytest.mark.parametrize(
    "label", ["1", "001", "1.5", "-2", "1e5", "nan", "NaN", "inf", "Inf", "1i", "1+2j", "0x1F", "0b101", "0xFFs16"]
)
def test_what_matlab_reads_as_a_number_looks_like_one(label: str) -> None:
    assert looks_like_a_number(label)


@pytest.mark.parametrize("label", ["AB", "a1", "1a", "i", "NoAnt", "e5", "infinite", "", "-", "0x", "0xg", "b0"])
def test_other_labels_do_not(label: str) -> None:
    assert not looks_like_a_number(label)


def test_labels_whose_categories_were_asked_for_can_be_sent_to_another_process() -> None:
    assert PARSED.category("AB") is Category.ANT
    assert pickle.loads(pickle.dumps(PARSED)) == PARSED
