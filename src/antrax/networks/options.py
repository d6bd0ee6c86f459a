"""Validation of layer options: functions that normalise a value, or raise ValueError or TypeError."""

from __future__ import annotations

from collections.abc import Callable
from operator import index
from typing import Any

from antrax.errors import ClassifierError

# ((top, bottom), (left, right))
Padding = tuple[tuple[int, int], tuple[int, int]]

_LARGEST_COUNT = 2**20
_DEEPEST_PADDING = _LARGEST_WINDOW = 2**12
_LARGEST_NUMBER = 1e12


def require(condition: bool) -> None:
    """Raise ValueError unless a condition holds."""
    if not condition:
        raise ValueError


def count(value: Any) -> int:
    """A whole number from 1 on."""
    number = index(value)
    require(not isinstance(value, bool) and 1 <= number <= _LARGEST_COUNT)
    return number


def pair(value: Any) -> tuple[int, int]:
    """Counts of rows and columns, or one for both, of a window or of its steps."""
    first, second = value if isinstance(value, list | tuple) else (value, value)
    require(max(count(first), count(second)) <= _LARGEST_WINDOW)
    return count(first), count(second)


def flag(value: Any) -> bool:
    """True or false, and no number."""
    require(isinstance(value, bool))
    return bool(value)


def number(value: Any) -> float:
    """A number that single precision can compute with."""
    require(isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST_NUMBER)
    return float(value)


def positive(value: Any) -> float:
    """A number above 0 that single precision can tell from it."""
    require(number(value) >= 1 / _LARGEST_NUMBER)
    return number(value)


def share(value: Any) -> float:
    """A number from 0 to less than 1."""
    require(0 <= number(value) < 1)
    return number(value)


def numbers(value: Any) -> float | tuple[float, ...]:
    """One number, or one a channel."""
    if isinstance(value, list | tuple):
        require(1 <= len(value) <= 4096)
        return tuple(number(item) for item in value)
    return number(value)


def or_none(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """What another function reads, or None."""
    return lambda value: None if value is None else read(value)


def one_of(*values: Any) -> Callable[[Any], Any]:
    """One of these values."""

    def read(value: Any) -> Any:
        require(value in values)
        return value

    return read


def axis(value: Any) -> int:
    """One axis, which older versions of Keras put into a list."""
    if isinstance(value, list | tuple):
        (value,) = value
    require(not isinstance(value, bool))
    return index(value)


def margin(value: Any) -> Padding:
    """As rows and columns are padded or cropped: one number, two, or ((top, bottom), (left, right))."""
    if not isinstance(value, list | tuple):
        value = (value, value)
    sides = []
    for side in value:
        first, second = side if isinstance(side, list | tuple) else (side, side)
        require(0 <= index(first) <= _DEEPEST_PADDING and 0 <= index(second) <= _DEEPEST_PADDING)
        sides.append((index(first), index(second)))
    rows, columns = sides
    return rows, columns


def batch_shape(value: Any) -> tuple[int | None, ...]:
    """The shape of a batch of images, of which only their number may be left open."""
    batch, *image = value
    if None in image:
        raise ClassifierError("the model does not say the size of the images it takes; give its input a fixed shape")
    return (None if batch is None else index(batch), *(count(length) for length in image))


def target_shape(value: Any) -> tuple[int, ...]:
    """The shape of a map or of features, of which one length may be -1."""
    shape = tuple(index(length) for length in value)
    require(len(shape) in (1, 3) and shape.count(-1) <= 1 and all(length >= 1 or length == -1 for length in shape))
    return shape


def axes(value: Any) -> tuple[int, ...]:
    """One or several axes of a map, counted from 1."""
    axes = tuple(index(axis) for axis in (value if isinstance(value, list | tuple) else [value]))
    require(all(1 <= axis <= 3 for axis in axes))
    return axes
