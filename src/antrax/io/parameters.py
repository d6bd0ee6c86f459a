"""`parameters/prmtrs.json`: the settings of the tracking, each checked when it is asked for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from antrax.errors import ExperimentError, LabelsError
from antrax.io.text import read_json
from antrax.labels import check_label_name

_ORDERS = ("Vertical", "Horizontal", "Clockwise", "CounterClockwise")
_MOST_COLONIES = 255
"""An index mask has eight bits."""
_SETTINGS = (
    "tagged", "inverted", "multi_colony", "colony_count", "colony_labels", "colony_order", "colony_shift",
    "metres_per_pixel", "smallest_animal", "largest_animal",
)  # fmt: skip


class Parameters(Mapping[str, Any]):
    """Settings of a session: a table by name as the file has them, and those that are used as checked properties.

    An invalid setting affects only what needs it: its property raises `ExperimentError`, which names the file and the
    setting.

    Parameters
    ----------
    path : Path
        The file, for messages.
    values : mapping
    """

    def __init__(self, path: Path, values: Mapping[str, Any]) -> None:
        self.path = path
        self._values = dict(values)

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    @property
    def tagged(self) -> bool:
        """Whether animals carry colour tags."""
        return self.flag("tagged", True)

    @property
    def inverted(self) -> bool:
        """Whether animals are light on dark: the background of blob images is then black and stays black."""
        return self.flag("segmentation_invert", False)

    @property
    def multi_colony(self) -> bool:
        """Whether the arena holds several colonies."""
        return self.flag("geometry_multi_colony", False)

    @property
    def colony_count(self) -> int | None:
        """Number of colonies; None where the file does not tell."""
        return self.whole("geometry_Ncolonies", 1, _MOST_COLONIES)

    @property
    def colony_labels(self) -> tuple[str, ...]:
        """Names of the colonies in order; C1, C2, … where the file only counts them.

        Empty where there is one colony, or where several are neither named nor counted.
        """
        if not self.multi_colony:
            return ()
        name = "geometry_colony_labels"
        value = self._values.get(name)
        labels = [value] if isinstance(value, str) and value else value
        if labels in (None, "", []):
            return tuple(f"C{number}" for number in range(1, (self.colony_count or 0) + 1))
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            raise self._wrong(name, "a list of names")
        for label in labels:
            try:
                check_label_name(label)  # it is the name of a folder too
            except LabelsError:
                raise self._wrong(name, "names that folders may have") from None
        if len(set(labels)) < len(labels) or len(labels) > _MOST_COLONIES:
            raise self._wrong(name, f"at most {_MOST_COLONIES} names, each once")
        return tuple(labels)

    @property
    def colony_order(self) -> str:
        """How colonies are numbered where no index mask tells: Vertical, Horizontal, Clockwise, CounterClockwise."""
        value = self._values.get("geometry_multi_colony_numbering", _ORDERS[0])
        if value not in _ORDERS:
            raise self._wrong("geometry_multi_colony_numbering", f"one of {', '.join(_ORDERS)}")
        return str(value)

    @property
    def colony_shift(self) -> int:
        """By how many places the numbers of colonies are shifted in a circle."""
        return self.whole("geometry_multi_colony_circ_shift", -_MOST_COLONIES, _MOST_COLONIES) or 0

    @property
    def metres_per_pixel(self) -> float | None:
        """Size of a pixel in metres; None where the file does not tell."""
        return self.positive("geometry_rscale")

    @property
    def smallest_animal(self) -> float | None:
        """Smallest area of a single animal, in square metres; None where the file does not tell."""
        return self.positive("thrsh_meanareamin")

    @property
    def largest_animal(self) -> float | None:
        """Largest area of a single animal, in square metres; None where the file does not tell."""
        return self.positive("thrsh_meanareamax")

    @property
    def problems(self) -> tuple[str, ...]:
        """Problems of the settings above, a sentence for each invalid one.

        For callers that only show a session: they continue, and report the problems.
        """
        found: dict[str, None] = {}  # the names of colonies need two other settings
        for setting in _SETTINGS:
            try:
                getattr(self, setting)
            except ExperimentError as error:
                found[str(error)] = None
        return tuple(found)

    def flag(self, name: str, default: bool) -> bool:
        """A setting that is true or false. Raises `ExperimentError` where it is neither."""
        value = self._values.get(name)
        if value is None or value == []:  # MATLAB's representation of a setting that is not set
            return default
        if isinstance(value, bool) or (isinstance(value, int | float) and value in (0, 1)):
            return bool(value)
        raise self._wrong(name, "true or false")

    def whole(self, name: str, least: int, most: int) -> int | None:
        """A setting that is a whole number, None where the file has none. Raises `ExperimentError` for any other.

        Parameters
        ----------
        name : str
            Of the setting.
        least : int
            Smallest value that it may have.
        most : int
            Largest value that it may have.
        """
        number = self._finite(name)
        if number is None:
            return None
        if not number.is_integer() or not least <= number <= most:
            raise self._wrong(name, f"a whole number from {least} to {most}")
        return int(number)

    def positive(self, name: str) -> float | None:
        """A setting that is a number above 0, None where the file has none. Raises `ExperimentError` for any other."""
        number = self._finite(name)
        if number is not None and not number > 0:
            raise self._wrong(name, "a number above 0")
        return number

    def _finite(self, name: str) -> float | None:
        value = self._values.get(name)
        if value is None or value == [] or (isinstance(value, float) and math.isnan(value)):
            return None
        try:
            if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(float(value)):
                return float(value)
        except OverflowError:  # a whole number of hundreds of digits
            pass
        raise self._wrong(name, "a number")

    def _wrong(self, name: str, expected: str) -> ExperimentError:
        found = repr(self._values.get(name))
        shown = found if len(found) <= 60 else f"{found[:60]}…"
        return ExperimentError(f"{self.path}: {name} is {shown}; it must be {expected}. Correct it there")


def from_parameters_file(path: Path) -> Parameters:
    """Read `prmtrs.json`; a file that does not exist gives an empty table.

    Raises
    ------
    ExperimentError
        It cannot be read, or holds no table.
    """
    try:
        values = read_json(path, only_numbers=True)
    except FileNotFoundError:
        return Parameters(path, {})
    except OSError as error:
        raise ExperimentError(f"{path} cannot be read: {error.strerror or error}") from None
    if not isinstance(values, dict):
        raise ExperimentError(f"{path} does not hold a table of parameters")
    return Parameters(path, values)
