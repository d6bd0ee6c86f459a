"""Labels, their categories, and the names that they may have."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

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
# Marks of byte order and of the direction of writing, and spaces and hyphens of no width. Programs leave them in texts;
# joiners (U+200C, U+200D) are letters in some scripts.
UNSEEN = dict.fromkeys(
    [0xAD, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2060, 0x2065), *range(0x2066, 0x206A), 0xFEFF]
)
_MATLAB_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
# Names that Windows gives to devices, with any ending.
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)


class Category(StrEnum):
    """Category of a label; the decision rule treats each category differently."""

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
        return self.categories.get(label)

    def likely_category(self, label: str) -> Category:
        """Category of `label`, guessed from its name if these labels do not include it."""
        return self.category(label) or guess_category(label)

    @cached_property
    def categories(self) -> Mapping[str, Category]:
        """Category of every label, in their order."""
        found = dict.fromkeys(self.ants, Category.ANT)
        for names, category in ((self.nonants, Category.NONANT), (self.others, Category.UNKNOWN)):
            for label in names:
                found.setdefault(label, Category.MULTI if label in MULTI_NAMES else category)
        return found

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


def clean_label(label: str) -> str:
    """Normalise a label for comparison: composed Unicode (NFC), no leading or trailing blanks, single blanks inside.

    macOS names folders in decomposed Unicode, and spreadsheets leave blanks and characters that cannot be seen: these
    are never meant.

    Examples
    --------
    >>> clean_label("BB ") == "BB" and clean_label("Mu\u0308ll") == "M\u00fcll"
    True
    """
    return " ".join(unicodedata.normalize("NFC", label.translate(UNSEEN)).split())


def match_labels(names: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """Match names to known labels of another source that may be spelt slightly differently.

    A name stands for the known label that is equal to it as `clean_label` gives both; else for the only one that
    differs in capital letters alone; else, as an unknown label, for itself as `clean_label` gives it.

    Parameters
    ----------
    names : iterable of str
        As one source spells them: folders of a training set, labels of a classifier, rows of a result.
    known : iterable of str
        As the other source spells them.

    Returns
    -------
    dict of str to str
        By name. Those that change can be told with `spelling_notice`.

    Examples
    --------
    >>> match_labels(["BB ", "gg", "new"], ["BB", "GG", "Unknown"])
    {'BB ': 'BB', 'gg': 'GG', 'new': 'new'}
    >>> match_labels(["bb"], ["BB", "Bb"])
    {'bb': 'bb'}
    """
    by_clean: dict[str, str] = {}
    by_case: dict[str, set[str]] = {}
    for label in known:
        by_clean.setdefault(clean_label(label), label)
        by_case.setdefault(clean_label(label).casefold(), set()).add(clean_label(label))
    matched = {}
    for name in names:
        clean = clean_label(name)
        alike = by_case.get(clean.casefold(), set())
        matched[name] = (
            by_clean[clean] if clean in by_clean else by_clean[next(iter(alike))] if len(alike) == 1 else clean
        )
    return matched


def spelling_notice(matched: Mapping[str, str]) -> str:
    """A sentence about names that `match_labels` took for labels of another spelling; empty where there are none."""
    changed = [f"{name!r} as {label!r}" for name, label in matched.items() if name != label]
    if not changed:
        return ""
    return f"labels spelt in another way are taken as one: {', '.join(changed[:10])}" + (" …" if changed[10:] else "")


def looks_like_a_number(label: str) -> bool:
    """Whether MATLAB would read a label as a number (`1`, `1e5`, `nan`, `0x1f`)."""
    if label.casefold() in ("i", "j"):  # MATLAB's imaginary unit, which nobody means
        return False
    if re.fullmatch(r"0(x[0-9a-f]+|b[01]+)([su](8|16|32|64))?", label.strip(), re.IGNORECASE):
        return True
    try:
        complex(label.strip().lower().replace("i", "j") if label[-1:] in "ijIJ" else label)
    except ValueError:
        return False
    return True


def label_warnings(labels: Labels) -> list[str]:
    """Warnings about labels that later steps may not accept, although this package does."""
    warnings = []
    numbers = [label for label in labels.all if looks_like_a_number(label)]
    if numbers:
        warnings.append(f"MATLAB takes labels that look like numbers for numbers: {_list(numbers)}; rename them")
    if unusable := [label for label in unusable_names(labels.ants) if label not in numbers]:
        warnings.append(f"MATLAB cannot use these ant labels as names of variables: {_list(unusable)}; rename them")
    if commas := [label for label in labels.all if "," in label]:
        warnings.append(f"MATLAB separates labels at commas: {_list(commas)}; rename them")
    return warnings


def _list(labels: list[str]) -> str:
    return ", ".join(map(repr, labels[:10])) + (f" and {len(labels) - 10} more" if labels[10:] else "")


def complete(labels: Labels) -> Labels:
    """`labels` with at least one non-ant and one other label, without which anTraX's classification fails."""
    nonants, others = labels.nonants, labels.others
    if UNKNOWN not in labels.categories:
        others = (*others, UNKNOWN)
    if not nonants:
        used = {label.casefold() for label in labels.all}
        nonants = (
            next(name for name in ("NoAnt", "NonAnt", "Debris", "not_an_animal") if name.casefold() not in used),
        )
    return replace(labels, nonants=nonants, others=others)


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
    """Raise `LabelsError` unless a label can be the name of a folder on every system, as a training set requires.

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


def check_new_label(label: str, category: Category) -> None:
    """Raise `LabelsError` for a new label that a later step could not use.

    Parameters
    ----------
    label : str
    category : Category
        Its kind.

    Raises
    ------
    LabelsError
        It cannot be the name of a folder; MATLAB would take it for a number, part it at a comma, or, of an ant, not
        take it as the name of a variable; or it stands for something of another kind.
    """
    check_label_name(label)
    if looks_like_a_number(label):
        raise LabelsError(f"the label {label!r} looks like a number, and is one to MATLAB; choose another name")
    if "," in label:
        raise LabelsError(f"the label {label!r} holds a comma, at which MATLAB separates labels; choose another name")
    if category is Category.ANT and unusable_names([label]):
        raise LabelsError(
            f"the label {label!r}: an ant label must start with a letter and hold only letters, digits and _"
        )
    if (label in MULTI_NAMES) != (category is Category.MULTI):
        raise LabelsError(f"the label {label!r}: {', '.join(MULTI_NAMES)}, and no other label, stand for several ants")
    if label.casefold() == UNKNOWN.casefold() and (label != UNKNOWN or category is not Category.UNKNOWN):
        raise LabelsError(f"the label {label!r}: {UNKNOWN} is the label of what nobody can tell, and of nothing else")
