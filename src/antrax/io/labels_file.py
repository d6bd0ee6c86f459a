"""`parameters/labels.csv`: reading, writing, and editing by several people."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from antrax.errors import ConflictError, LabelsError, OutputError
from antrax.io.atomic import fsync_folder, make_folder, write_atomically
from antrax.io.layout import SessionLayout
from antrax.io.locks import only_writer
from antrax.labels import MULTI_NAMES, UNKNOWN, Category, Labels, check_label_name, unusable_names

_SPELLINGS = {
    "ant_labels": "ant",
    "noant_labels": "nonant",
    "nonant_labels": "nonant",
    "other_labels": "other",
    "tagcolors": "tagcolor",
}


def from_labels_file(path: Path) -> Labels:
    """Read `labels.csv` in its new (``label<TAB>category``) or old (``category,label,…``) form.

    A file with a tab in it is of the new form: sessions exist that were converted and kept their `labels.mat`.
    ``Unknown`` is added where it is missing.

    Raises
    ------
    LabelsError
        The file is missing, empty, has an unknown category, or lists a label in two categories.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise LabelsError(
            f"{path} does not exist; list the labels of the experiment there, one a line: the label, a tab, and "
            "ant_labels, noant_labels or other_labels"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise LabelsError(f"{path} cannot be read: {error}") from None
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise LabelsError(f"{path} is empty; list the labels there, one `label<TAB>category` a line")

    pairs: list[tuple[int, str, str]] = []
    if "\t" in text:
        for number, line in lines:
            label, _, category = (part.strip() for part in line.partition("\t"))
            pairs.append((number, label, category))
    else:
        for number, line in lines:
            category, *labels = (part.strip() for part in line.split(","))
            pairs += [(number, label, category) for label in labels if label]
            if category not in _SPELLINGS:
                pairs.append((number, line.strip(), ""))

    kinds: dict[str, str] = {}
    tagcolors: list[str] = []
    for number, label, category in pairs:
        kind = _SPELLINGS.get(category)
        if kind is None or not label:
            raise LabelsError(
                f"{path}, line {number}: expected a label, a tab and one of ant_labels, noant_labels, "
                f"other_labels, tagcolors, found {label!r} with category {category!r}"
            )
        if kind == "tagcolor":
            tagcolors.append(label)
        elif kinds.setdefault(label, kind) != kind:
            raise LabelsError(f"{path}, line {number}: label {label!r} is listed in two categories; keep one of them")
    chosen = {kind: tuple(label for label, k in kinds.items() if k == kind) for kind in ("ant", "nonant", "other")}
    if UNKNOWN not in kinds:
        chosen["other"] += (UNKNOWN,)
    return Labels(chosen["ant"], chosen["nonant"], chosen["other"], tuple(dict.fromkeys(tagcolors)))


def to_labels_file(labels: Labels, path: Path, old_form: bool = False) -> None:
    """Write `labels`, by default in the new form, which anTraX reads too.

    Parameters
    ----------
    labels : Labels
    path : Path
    old_form : bool
        Write ``category,label,…`` rows.

    Raises
    ------
    LabelsError
        An ant label is no MATLAB variable name, which later steps make of it; or a label has a comma, which parts
        labels in the old form.
    OutputError
        The file cannot be written.
    """
    if bad := unusable_names(labels.ants):
        raise LabelsError(
            f"{', '.join(map(repr, bad))}: an ant label must start with a letter and hold only letters, digits and _"
        )
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
        lines = [f"{label}\t{category}" for category, names in columns for label in names]
    write_atomically(path, "".join(f"{line}\n" for line in lines))


def labels_digest(path: Path) -> str | None:
    """What tells the present content of a `labels.csv` from any other; None where there is no file.

    Raises
    ------
    LabelsError
        It cannot be read.
    """
    try:
        return hashlib.blake2b(path.read_bytes(), digest_size=8).hexdigest()
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
    wanted = Labels.from_categories(_checked(rows))
    if not path.parent.is_dir():
        raise LabelsError(f"{path.parent} is not there; is the drive of the experiment connected?")
    make_folder(layout.classifier.path)
    with only_writer(layout.classifier.trainset_lock):
        if labels_digest(path) != digest:
            raise ConflictError(f"somebody else changed {path}; look at the labels as they are now and edit these")
        # A damaged file is not replaced: what is in it may be needed. From an empty one nothing is lost.
        there = from_labels_file(path) if digest is not None and path.stat().st_size else None
        labels = Labels(wanted.ants, wanted.nonants, wanted.others, there.tagcolors if there else ())
        old_form = there is not None and layout.matlab_labels_file.is_file() and "\t" not in _text(path)
        to_labels_file(labels, path, old_form)
        try:
            fsync_folder(path.parent)
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error
    return labels


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8-sig")


def _checked(rows: Sequence[tuple[str, Category | str]]) -> dict[str, Category]:
    """Rows as a table, if labels may be named so."""
    categories: dict[str, Category] = {}
    folders = {UNKNOWN.casefold(): UNKNOWN}
    for label, kind in rows:
        check_label_name(label)
        try:
            category = Category(kind)
        except ValueError:
            raise LabelsError(f"{label}: {kind!r} is no category; take one of {', '.join(Category)}") from None
        if label in categories:
            raise LabelsError(f"{label} is listed twice; keep one of them")
        # their folders would be one on Windows and macOS
        if (other := folders.setdefault(label.casefold(), label)) != label:
            raise LabelsError(f"{other} and {label} differ in capital letters only; rename one of them")
        if (label in MULTI_NAMES) != (category is Category.MULTI):
            raise LabelsError(f"{label}: {', '.join(MULTI_NAMES)}, and no other label, stand for several ants")
        if label == UNKNOWN and category is not Category.UNKNOWN:
            raise LabelsError(f"{UNKNOWN} is the label of what nobody can tell, and of no other category")
        categories[label] = category
    return categories
