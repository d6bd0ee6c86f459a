"""The labels of an experiment: their names, categories, and the file `parameters/labels.csv`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from antrax.errors import ConflictError, LabelsError, OutputError
from antrax.io.atomic import fsync_folder, make_folder, write_atomically
from antrax.io.locks import only_writer

if TYPE_CHECKING:
    from antrax.io.session import Session

UNKNOWN = "Unknown"
MULTI_NAMES = ("Multi", "MultiAnt", "multi")

# Names that people use for things that are no ant, for training sets that lie outside of any session and so
# have no labels.csv to ask (compared in lower case).
_NONANT_NAMES = frozenset(
    [
        "noant",
        "nonant",
        "notant",
        "noants",
        "larva",
        "larvae",
        "brood",
        "pupa",
        "pupae",
        "egg",
        "eggs",
        "cocoon",
        "food",
        "trash",
        "dirt",
        "junk",
        "debris",
        "wall",
        "artifact",
        "artefact",
        "background",
        "shadow",
        "reflection",
        "bubble",
        "water",
        "plant",
        "other",
        "nothing",
        "empty",
    ]
)
_MATLAB_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_SPELLINGS = {
    "ant_labels": "ant",
    "noant_labels": "nonant",
    "nonant_labels": "nonant",
    "other_labels": "other",
    "tagcolors": "tagcolor",
}
# Names that Windows gives to devices, with any ending.
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)


class Category(StrEnum):
    """What kind of thing a label stands for; the decision rule treats each kind in its own way."""

    ANT = "ant"
    NONANT = "nonant"
    MULTI = "multi"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Labels:
    """The labels of one session, in the order of its file.

    Parameters
    ----------
    ants : tuple of str
        Individual IDs.
    nonants : tuple of str
        Larvae, dirt, walls and the like.
    others : tuple of str
        Always holds ``Unknown``; may hold a multi-animal label.
    tagcolors : tuple of str
        Codes of the tag colours; these are no labels.
    """

    ants: tuple[str, ...]
    nonants: tuple[str, ...] = ()
    others: tuple[str, ...] = (UNKNOWN,)
    tagcolors: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Every label: ants, then non-ants, then the others."""
        return self.ants + self.nonants + self.others

    def category(self, label: str) -> Category | None:
        """Category of `label`, or None where these labels do not have it."""
        if label in self.ants:
            return Category.ANT
        if label in self.nonants or label in self.others:
            if label in MULTI_NAMES:
                return Category.MULTI
            return Category.NONANT if label in self.nonants else Category.UNKNOWN
        return None

    def likely_category(self, label: str) -> Category:
        """Category of `label`; what its name says where these labels do not have it."""
        return self.category(label) or guess_category(label)

    @property
    def categories(self) -> dict[str, Category]:
        """Category of every label."""
        return {label: category for label in self.all if (category := self.category(label))}

    @classmethod
    def from_categories(cls, categories: Mapping[str, Category | str]) -> Labels:
        """Labels from a label → category table (as classifiers carry)."""
        names: dict[Category, list[str]] = {category: [] for category in Category}
        for label, category in categories.items():
            names[Category(category)].append(label)
        others = names[Category.MULTI] + names[Category.UNKNOWN]
        return cls(
            ants=tuple(names[Category.ANT]),
            nonants=tuple(names[Category.NONANT]),
            others=tuple(others if UNKNOWN in others else [*others, UNKNOWN]),
        )


def guess_category(label: str) -> Category:
    """Category of a label that no labels.csv explains.

    The few names in general use for non-ants, several ants and the unrecognisable are known; any other name is
    taken for an ID.
    """
    if label in MULTI_NAMES or label.casefold() in ("multi", "multiant"):
        return Category.MULTI
    if label.casefold() == UNKNOWN.casefold():
        return Category.UNKNOWN
    return Category.NONANT if label.casefold() in _NONANT_NAMES else Category.ANT


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


def unusable_names(ants: Iterable[str]) -> list[str]:
    """The ant labels that MATLAB could not use as variable names."""
    return [label for label in ants if not _MATLAB_NAME.fullmatch(label)]


def check_label_name(label: str) -> None:
    """Refuse a label that cannot be the name of a folder on every system, as labels of a training set are.

    Raises
    ------
    LabelsError
        It cannot, and why.
    """
    if not label:
        why = "is empty"
    elif len(label) > 64 or not label.isprintable() or len(label.encode()) > 200:
        why = "is longer than 64 letters" if label.isprintable() else "holds characters that cannot be seen"
    elif bad := [character for character in '/\\:*?"<>|' if character in label]:
        why = f"holds {' '.join(bad)}, which no folder's name may"
    elif label[0] in ".=":
        why = f"starts with {label[0]}"
    elif label[0] == " " or label[-1] in " .":
        why = "starts or ends with a space, or ends with a dot"
    elif _DEVICE.fullmatch(label):
        why = "is the name of a device on Windows"
    else:
        return
    raise LabelsError(f"the label {label!r} {why}; choose another name")


def read_labels(session: Session) -> Labels:
    """The labels of a session as its file says now, while `Session.labels` are those of the first look.

    Raises
    ------
    LabelsError
        As `from_labels_file`.
    """
    return from_labels_file(_labels_file(session))


def labels_digest(session: Session) -> str | None:
    """What tells the present content of a session's `labels.csv` from any other; None where there is no file.

    Raises
    ------
    LabelsError
        It cannot be read.
    """
    path = _labels_file(session)
    try:
        return hashlib.blake2b(path.read_bytes(), digest_size=8).hexdigest()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LabelsError(f"{path} cannot be read: {error.strerror}") from None


def edit_labels(session: Session, rows: Sequence[tuple[str, Category | str]], digest: str | None) -> Labels:
    """Write the labels of a session; a session that has no `labels.csv` gets one.

    ``Unknown`` is added where it is missing. Tag colours, and the old form where it is in use, stay.

    Parameters
    ----------
    session : Session
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
    path = _labels_file(session)
    wanted = Labels.from_categories(_checked(rows))
    if not path.parent.is_dir():
        raise LabelsError(f"{path.parent} is not there; is the drive of the experiment connected?")
    with only_writer(make_folder(session.classifier_dir) / ".trainset.lock"):
        if labels_digest(session) != digest:
            raise ConflictError(f"somebody else changed {path}; look at the labels as they are now and edit these")
        # A damaged file is not replaced: what is in it may be needed. From an empty one nothing is lost.
        there = from_labels_file(path) if digest is not None and path.stat().st_size else None
        labels = Labels(wanted.ants, wanted.nonants, wanted.others, there.tagcolors if there else ())
        old_form = there is not None and (path.parent / "labels.mat").is_file() and "\t" not in _text(path)
        to_labels_file(labels, path, old_form)
        try:
            fsync_folder(path.parent)
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error
    return labels


def _labels_file(session: Session) -> Path:
    return session.path / "parameters" / "labels.csv"


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
