"""Labels, their categories, and the names that they may have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from antrax.errors import LabelsError

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
