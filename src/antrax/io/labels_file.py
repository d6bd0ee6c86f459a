"""`parameters/labels.csv`: reading, writing, and editing by several people."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from antrax.errors import ConflictError, LabelsError, OutputError
from antrax.io.atomic import fsync_folder, make_folder, write_atomically
from antrax.io.layout import SessionLayout
from antrax.io.locks import only_writer
from antrax.io.regular_files import read_regular
from antrax.io.text import decode_text, read_text
from antrax.labels import (
    MULTI_NAMES,
    UNKNOWN,
    UNSEEN,
    Category,
    Labels,
    check_label_name,
    clean_label,
    complete,
    looks_like_a_number,
    unusable_names,
)

_SPELLINGS = {
    "ant_labels": "ant",
    "noant_labels": "nonant",
    "nonant_labels": "nonant",
    "other_labels": "other",
    "tagcolors": "tagcolor",
}
_CATEGORY_HEADERS = frozenset({"category", "categories", "kind", "type", "group", "class"})
_LABEL_HEADERS = frozenset({"label", "labels", "id", "name", "ant"})
_QUOTES = frozenset(
    {("'", "'"), ("\u2018", "\u2019"), ("\u201c", "\u201d"), ("\u201e", "\u201c"), ("\u00ab", "\u00bb")}
)
_MOST_COLUMNS = 100
_CONTENT = re.compile(r"[^\s,;\"]")


def from_labels_file(path: Path) -> Labels:
    """Read `labels.csv` as anTraX, spreadsheets and people write it.

    Forms that are understood: a label and its category a line, in any order of columns, with further columns and a
    header; or a category and its labels a line (the old form). Columns may be parted by tabs, semicolons, commas or
    blanks, cells may be quoted, categories are in any case. ``Unknown`` is added where it is missing.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Labels

    Raises
    ------
    LabelsError
        The file is missing, empty, or no text; it is not plain which column holds the categories; a row has an unknown
        one; or a label is listed in two.
    """
    try:
        return _parse(path, read_text(path)).labels
    except FileNotFoundError:
        raise LabelsError(
            f"{path} does not exist; list the labels of the experiment there, one per line: the label, a tab, and "
            "ant_labels, noant_labels or other_labels"
        ) from None
    except OSError as error:
        raise LabelsError(f"{path} cannot be read: {error.strerror or error}") from None


_Row = tuple[int, list[str]]  # number of the line, and its cells


@dataclass(frozen=True)
class _Parsed:
    """Result of parsing: rows, whether in the old form, and whether there is more than labels and categories."""

    labels: Labels
    old_form: bool
    has_notes: bool


def _parse(path: Path, text: str) -> _Parsed:
    lines = [
        (number, line) for number, line in enumerate(text.translate(UNSEEN).split("\n"), 1) if _CONTENT.search(line)
    ]
    if not lines:
        raise LabelsError(f"{path} is empty; list the labels there, one `label<TAB>category` per line")
    separators = [character for character in "\t;," if character in text] or [" "]
    found = None
    for separator in separators:
        rows = _without_empty_columns([(number, _cells(line, separator)) for number, line in lines])
        column = _category_column(rows)
        if column is not None:
            found = rows, column, separator
            break
    if found is None:
        raise _not_understood(path, [(number, _cells(line, separators[0])) for number, line in lines])
    rows, column, separator = found
    old_form = False
    has_notes = False
    pairs: list[tuple[int, str, str]] = []
    header = _is_header(rows[0][1], column)
    if header:
        named = [
            place for place, cell in enumerate(rows[0][1]) if cell.casefold() in _LABEL_HEADERS and place != column
        ]
        rows = rows[1:]
    else:
        named = []
    categories = [_category(cells, column) for _, cells in rows]
    if column == 0 and not header and (separator == "," or len(set(categories)) == len(categories)):
        old_form = True
        pairs = [
            (number, label, category)
            for (number, cells), category in zip(rows, categories, strict=True)
            for label in cells[1:]
            if label
        ]
    else:
        label_column = named[0] if len(named) == 1 else 0 if column == 1 else 1 if column == 0 else None
        if label_column is None:
            raise LabelsError(
                f"{path}: it is not plain which column holds the labels; write the label, a tab and the category on "
                "each line"
            )
        for (number, cells), category in zip(rows, categories, strict=True):
            label = cells[label_column] if label_column < len(cells) else ""
            has_notes |= any(cell for place, cell in enumerate(cells) if place not in (column, label_column))
            pairs.append((number, label, category))
    return _Parsed(_labels_of(path, pairs), old_form, has_notes)


def _labels_of(path: Path, pairs: list[tuple[int, str, str]]) -> Labels:
    kinds: dict[str, str] = {}
    tagcolors: list[str] = []
    for number, cell, category in pairs:
        label = clean_label(cell)
        kind = _SPELLINGS[category]
        if not label:
            raise LabelsError(f"{path}, line {number}: there is no label beside the category {category}")
        if '"' in label:  # a quotation that is not closed, most likely
            raise LabelsError(f"{path}, line {number}: label {_shown(label)} holds a quotation mark; take it out")
        if kind != "tagcolor" and label.casefold() == UNKNOWN.casefold():
            label = UNKNOWN
            if kind != "other":
                raise LabelsError(
                    f"{path}, line {number}: {UNKNOWN} stands for animals that cannot be recognised, and is none of "
                    f"{category}; write other_labels beside it"
                )
        if kind == "tagcolor":
            tagcolors.append(label)
        elif kinds.setdefault(label, kind) != kind:
            raise LabelsError(f"{path}, line {number}: label {label!r} is listed in two categories; keep one of them")
    chosen: dict[str, list[str]] = {"ant": [], "nonant": [], "other": []}
    for label, kind in kinds.items():
        chosen[kind].append(label)
    if UNKNOWN not in kinds:
        chosen["other"].append(UNKNOWN)
    return Labels(
        tuple(chosen["ant"]), tuple(chosen["nonant"]), tuple(chosen["other"]), tuple(dict.fromkeys(tagcolors))
    )


def _cells(line: str, separator: str) -> list[str]:
    if separator == " ":
        # the label may have blanks itself
        words = line.split()
        if len(words) > 2 and words[-1].casefold() in _SPELLINGS:
            return [" ".join(words[:-1]), words[-1]]
        return words
    # each line on its own: a quote that is not closed must not swallow the next
    cells = line.split(separator) if '"' not in line else next(csv.reader([line], delimiter=separator), [])
    return [_without_quotes(cell.strip()) for cell in cells]


def _without_quotes(cell: str) -> str:
    """A cell that is quoted in another way than csv does it, as word processors and MATLAB do."""
    return cell[1:-1].strip() if len(cell) > 2 and (cell[0], cell[-1]) in _QUOTES else cell


def _without_empty_columns(rows: list[_Row]) -> list[_Row]:
    """Remove empty columns, which doubled tabs produce."""
    width = min(max(len(cells) for _, cells in rows), _MOST_COLUMNS)
    used = [any(place < len(cells) and cells[place] for _, cells in rows) for place in range(width)]
    if all(used):
        return rows
    return [
        (number, [cell for place, cell in enumerate(cells) if place >= width or used[place]]) for number, cells in rows
    ]


def _category(cells: list[str], column: int) -> str:
    return cells[column].casefold() if column < len(cells) else ""


def _is_header(cells: list[str], column: int) -> bool:
    return _category(cells, column) in _CATEGORY_HEADERS


def _category_column(rows: list[_Row]) -> int | None:
    """The only column that holds categories, and nothing else but a header; None where there is none, or several."""
    columns = [
        column
        for column in range(min(max(len(cells) for _, cells in rows), _MOST_COLUMNS))
        if all(
            _category(cells, column) in _SPELLINGS or (place == 0 and len(rows) > 1 and _is_header(cells, column))
            for place, (_, cells) in enumerate(rows)
        )
    ]
    return columns[0] if len(columns) == 1 else None


def _not_understood(path: Path, rows: list[_Row]) -> LabelsError:
    """Error for a file in which no column holds only categories; names its first wrong line."""
    expected = "one of ant_labels, noant_labels, other_labels, tagcolors"
    width = min(max(len(cells) for _, cells in rows), _MOST_COLUMNS)
    hits = [sum(_category(cells, column) in _SPELLINGS for _, cells in rows) for column in range(width)]
    usual = min(1, width - 1)
    column = usual if hits[usual] == max(hits) else hits.index(max(hits))
    for number, cells in rows:
        found = _category(cells, column)
        if found not in _SPELLINGS or not max(hits):
            others = [cell for place, cell in enumerate(cells) if place != column and cell]
            beside = f" beside {_shown(others[0])}" if others else ""
            return LabelsError(
                f"{path}, line {number}: expected a label, a tab and {expected}; found "
                f"{_shown(cells[column] if column < len(cells) else '')} for the category{beside}"
            )
    return LabelsError(f"{path}: several columns hold categories; write the label, a tab and {expected} on each line")


def _shown(cell: str) -> str:
    return repr(cell if len(cell) <= 60 else f"{cell[:60]}…")


def to_labels_file(labels: Labels, path: Path, old_form: bool = False, known: Collection[str] = ()) -> None:
    """Write `labels`, by default in the new form, which anTraX reads too.

    anTraX fails where no non-ant or no other label is listed: ``NoAnt`` and ``Unknown`` are added then.

    Parameters
    ----------
    labels : Labels
    path : Path
    old_form : bool
        Write ``category,label,…`` rows.
    known : collection of str
        Labels that the file had before, which may have names that a new label may not.

    Raises
    ------
    LabelsError
        A new ant label is no MATLAB variable name, which later steps make of it; a new label looks like a number; or a
        label has a comma, which parts labels in the old form, or, where it is new, in MATLAB.
    OutputError
        The file cannot be written.
    """
    labels = complete(labels)
    new = [label for label in labels.all if label not in known]
    if bad := unusable_names(label for label in labels.ants if label not in known):
        raise LabelsError(
            f"{', '.join(map(repr, bad))}: an ant label must start with a letter and hold only letters, digits and _"
        )
    if bad := [label for label in new if looks_like_a_number(label)]:
        raise LabelsError(f"{', '.join(map(repr, bad))}: a label that looks like a number is one to MATLAB; rename it")
    columns = [
        ("ant_labels", labels.ants),
        ("noant_labels", labels.nonants),
        ("other_labels", labels.others),
        ("tagcolors", labels.tagcolors),
    ]
    if old_form:
        if bad := [label for _, names in columns for label in names if "," in label]:
            raise LabelsError(f"{', '.join(map(repr, bad))}: in the old form of {path}, a label has no comma")
        lines = [",".join([category, *names]) for category, names in columns if names]
    else:
        if bad := [label for label in new if "," in label]:
            raise LabelsError(f"{', '.join(map(repr, bad))}: a comma separates labels in MATLAB; choose another name")
        lines = [f"{label}\t{category}" for category, names in columns for label in names]
    write_atomically(path, "".join(f"{line}\n" for line in lines))


def labels_digest(path: Path) -> str | None:
    """Digest of the content of a `labels.csv`; None if there is no file.

    Raises
    ------
    LabelsError
        It cannot be read.
    """
    try:
        return hashlib.blake2b(read_regular(path), digest_size=8).hexdigest()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LabelsError(f"{path} cannot be read: {error.strerror}") from None


def edit_labels(layout: SessionLayout, rows: Sequence[tuple[str, Category | str]], digest: str | None) -> Labels:
    """Write the labels of a session; a session that has no `labels.csv` gets one.

    ``Unknown`` is added where it is missing. Tag colours, and the old form where it is in use, stay.

    Parameters
    ----------
    layout : SessionLayout
        The session.
    rows : sequence of (str, Category or str)
        Label and category. The order within each category is kept.
    digest : str or None
        `labels_digest` of the file that the rows were made from.

    Returns
    -------
    Labels
        As written.

    Raises
    ------
    ConflictError
        The file is another than the rows were made from.
    LabelsError
        The file is damaged; or a label has a name that it cannot have.
    OutputError
        It cannot be written.
    """
    path = layout.labels_file
    if not path.parent.is_dir():
        raise LabelsError(f"{path.parent} is not there; is the drive of the experiment connected?")
    make_folder(layout.classifier.path)
    with only_writer(layout.classifier.trainset_lock):
        if labels_digest(path) != digest:
            raise ConflictError(f"somebody else changed {path}; look at the labels as they are now and edit these")
        # A damaged file is not replaced: what is in it may be needed. From an empty one nothing is lost.
        there, content = _current(path) if digest is not None else (None, b"")
        wanted = Labels.from_categories(_checked(rows, there.labels if there else Labels(())))
        labels = complete(Labels(wanted.ants, wanted.nonants, wanted.others, there.labels.tagcolors if there else ()))
        _put_in_place(layout, labels, there, content)
    return labels


def rename_listed_label(layout: SessionLayout, label: str, new: str) -> None:
    """Give a label of `labels.csv` another name at its place; nothing to do where it is not listed.

    The caller holds the lock of the training set, and has checked the new name.

    Parameters
    ----------
    layout : SessionLayout
        The session.
    label, new : str
        Old and new name.

    Raises
    ------
    LabelsError
        The file is damaged.
    OutputError
        It cannot be written.
    """
    there, content = _current(layout.labels_file)
    if there is None or label not in there.labels.categories:
        return

    def renamed(labels: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(new if each == label else each for each in labels)

    found = there.labels
    labels = Labels(renamed(found.ants), renamed(found.nonants), renamed(found.others), found.tagcolors)
    _put_in_place(layout, labels, there, content)


def _put_in_place(layout: SessionLayout, labels: Labels, there: _Parsed | None, content: bytes) -> None:
    """Write labels in the place of others; `there` and `content` are of the file as it is."""
    path = layout.labels_file
    if there and there.has_notes:
        # what people noted beside the labels is kept
        write_atomically(_free_name(path), content)
    old_form = there is not None and there.old_form and layout.matlab_labels_file.is_file()
    to_labels_file(labels, path, old_form, frozenset(there.labels.all if there else ()))
    try:
        fsync_folder(path.parent)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error


def _current(path: Path) -> tuple[_Parsed | None, bytes]:
    """Parsed content and bytes of a file; None for an empty one. Raises `LabelsError`."""
    try:
        content = read_regular(path)
        text = decode_text(content, path)
    except OSError as error:
        raise LabelsError(f"{path} cannot be read: {error.strerror or error}") from None
    return (_parse(path, text) if text.strip() else None), content


def _free_name(path: Path) -> Path:
    """A name for a copy of a file that has notes, beside it."""
    number = 1
    while (copy := path.with_name(f"{path.stem}_before_edit_{number}{path.suffix}")).exists():
        number += 1
    return copy


def _checked(rows: Sequence[tuple[str, Category | str]], there: Labels) -> dict[str, Category]:
    """Check rows of labels and make a table of them; names that are in the file already are allowed."""
    categories: dict[str, Category] = {}
    folders = {UNKNOWN.casefold(): UNKNOWN}
    for text, kind in rows:
        label = clean_label(text) if clean_label(text) in there.categories else text
        try:
            category = Category(kind)
        except ValueError:
            raise LabelsError(f"{label}: {kind!r} is no category; take one of {', '.join(Category)}") from None
        if label in categories:
            raise LabelsError(f"{label} is listed twice; keep one of them")
        if there.category(label) is not category:
            check_label_name(label)
            label = clean_label(label)
            if label.casefold() in _SPELLINGS:
                raise LabelsError(f"{label} is the name of a category; choose another name")
            # their folders would be one on Windows and macOS
            if (other := folders.get(label.casefold(), label)) != label:
                raise LabelsError(f"{other} and {label} differ in capital letters only; rename one of them")
            if (label in MULTI_NAMES) != (category is Category.MULTI):
                raise LabelsError(f"{label}: {', '.join(MULTI_NAMES)}, and no other label, stand for several ants")
            if label == UNKNOWN and category is not Category.UNKNOWN:
                raise LabelsError(f"{UNKNOWN} is the label of what nobody can tell, and of no other category")
        folders.setdefault(label.casefold(), label)
        categories[label] = category
    return categories
