"""The labels of an experiment: their names, categories, and the file `parameters/labels.csv`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from antrax.errors import LabelsError
from antrax.files import write_atomically

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


def to_labels_file(labels: Labels, path: Path) -> None:
    """Write `labels` in the new form, which anTraX reads too.

    Raises
    ------
    LabelsError
        An ant label is no MATLAB variable name, which later steps make of it.
    """
    if bad := unusable_names(labels.ants):
        raise LabelsError(
            f"{', '.join(map(repr, bad))}: an ant label must start with a letter and hold only letters, digits and _"
        )
    rows = (
        [(label, "ant_labels") for label in labels.ants]
        + [(label, "noant_labels") for label in labels.nonants]
        + [(label, "other_labels") for label in labels.others]
        + [(color, "tagcolors") for color in labels.tagcolors]
    )
    write_atomically(path, "".join(f"{label}\t{category}\n" for label, category in rows))


def unusable_names(ants: Iterable[str]) -> list[str]:
    """The ant labels that MATLAB could not use as variable names."""
    return [label for label in ants if not _MATLAB_NAME.fullmatch(label)]
