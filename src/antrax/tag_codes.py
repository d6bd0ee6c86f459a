"""What the IDs of animals tell of the colours of their tags. Pure: names in, colours out.

An ID such as `GP` often says which colour the animal carries at each place of its body. Animals then share colours, and
a network that knows the colours can tell an animal of which it has never seen an example.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

# Codes in IDs where no list of colours says what they are: a capital letter, with small ones or without.
_CODE = re.compile(r"[A-Z][a-z]*")
# Initials of colours: blue, black, brown, cyan, green, grey, gold, key (black), lime, magenta, navy, orange, pink,
# purple, red, silver, turquoise, tan, violet, white, none (x), yellow. IDs made of other letters are names.
_INITIALS = frozenset("BCGKLMNOPRSTVWXY")
# Most places of tags; more are no codes that a person could paint.
_MOST_PLACES = 6
# Share of the IDs that must be codes of as many colours, where no list of colours says what they are.
_MOST_IDS = 0.75


@dataclass(frozen=True)
class TagCodes:
    """The colours that IDs tell.

    Parameters
    ----------
    codes : mapping of str to tuple of str
        Colour at each place, by ID; IDs that are no codes are not in it.
    """

    codes: Mapping[str, tuple[str, ...]]

    @cached_property
    def places(self) -> tuple[tuple[str, ...], ...]:
        """Colours at each place, sorted."""
        return tuple(tuple(sorted(set(colors))) for colors in zip(*self.codes.values(), strict=True))


def are_told_apart(codes: Collection[Sequence[str]]) -> bool:
    """Whether codes tell which colour is which, by what the animals that carry them look like.

    They do not where two colours are always together, or all codes have one.
    """
    colors = sorted({color for code in codes for color in code})
    counts = np.array([[code.count(color) for color in colors] for code in codes])
    return len(codes) > 0 and int(np.linalg.matrix_rank(counts)) == len(colors)


def read_codes(ids: Sequence[str], tagcolors: Sequence[str] = ()) -> TagCodes | None:
    """Tell the colours at each place from the IDs; None where they are no codes of colours.

    Where the colours are listed, the IDs of most of which this can be told without doubt are as many colours long as
    most of them are. Where they are not, at least three quarters of the IDs must be as many capital letters long
    (with or without small letters: `GP`, `GrPi`), all initials of colours, and there must be more IDs than a colour a
    place can tell by itself.

    Parameters
    ----------
    ids : sequence of str
        Labels of individual animals.
    tagcolors : sequence of str
        Names of the colours, as `labels.csv` lists them; nothing where it does not.

    Examples
    --------
    >>> read_codes(["GB", "GP", "PB"], ["B", "G", "P"]).codes["GP"]
    ('G', 'P')
    >>> read_codes(["1", "2", "3"]) is None
    True
    """
    split = {label: _split(label, tagcolors) if tagcolors else _split_letters(label) for label in ids}
    lengths = Counter(len(code) for code in split.values() if code and 2 <= len(code) <= _MOST_PLACES)
    if not lengths:
        return None
    places = max(lengths, key=lambda length: (lengths[length], length))
    found = TagCodes({label: code for label, code in split.items() if code and len(code) == places})
    shared = any(count > 1 for colors in zip(*found.codes.values(), strict=True) for count in Counter(colors).values())
    if tagcolors:
        return found if shared else None
    free = 1 + sum(len(colors) - 1 for colors in found.places)
    return found if len(found.codes) > free and len(found.codes) >= _MOST_IDS * len(ids) else None


def _split(label: str, tagcolors: Iterable[str]) -> tuple[str, ...] | None:
    """The only way in which a label can be put together from names of colours; None where there is none or another."""
    ways: list[list[tuple[str, ...]]] = [[()], *([] for _ in label)]
    for end in range(1, len(label) + 1):
        for color in tagcolors:
            if color and label.endswith(color, 0, end) and len(color) <= end:
                # two ways are enough to know that there is not only one
                ways[end] = (ways[end] + [(*way, color) for way in ways[end - len(color)]])[:2]
    return ways[-1][0] if len(ways[-1]) == 1 and label else None


def _split_letters(label: str) -> tuple[str, ...] | None:
    code = tuple(_CODE.findall(label))
    if "".join(code) != label or not all(color[0] in _INITIALS for color in code):
        return None
    return code
