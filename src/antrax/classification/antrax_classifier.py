"""Metadata of classifiers that anTraX wrote: preprocessing parameters, and labels truncated to ten bytes."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from antrax.errors import ClassifierError
from antrax.images import Preparation
from antrax.networks.graph import LARGEST, Graph

_CUT = 10
_LONGEST = 2**20
_LARGEST_SCALE, _LARGEST_RESIZED = 8, 2048
_IN_JSON = {"None": "null", "True": "true", "False": "false", "nan": "NaN"}
_MODELS = ("small", "wide", "large", "MobileNetV2")


def read_parameters(text: str, graph: Graph) -> tuple[Preparation, bool, str]:
    """Preprocessing of a network of anTraX, whether animals are symmetric, and a name for the network.

    Parameters
    ----------
    text : str
        The dataset `prmtrs`.
    graph : Graph
        The network, which says the size where the parameters do not.

    Raises
    ------
    ClassifierError
        The parameters are missing or cannot be.
    """
    parameters = _parse(text)
    target, crop, scale = (parameters.get(key) for key in ("target_size", "crop_size", "scale"))
    if target is not None and _number(target, "target_size") != graph.size:
        raise ClassifierError(f"its target_size is {target}, but its network takes images of {graph.size} pixels")
    preparation = Preparation(
        graph.size,
        parameters.get("background", "white"),
        antrax=True,
        crop_size=None if not crop else int(_number(crop, "crop_size")),
        scale=1 if scale is None else _number(scale, "scale"),
    )
    check_preparation(preparation)
    # what was mirrored before anTraX could be told not to
    hsymmetry = bool(parameters.get("hsymmetry", True))
    model = parameters.get("modeltype")
    return preparation, hsymmetry, f"anTraX-{model if model in _MODELS else 'custom'}"


def check_preparation(preparation: Preparation) -> None:
    """Raise ClassifierError for a preparation that cannot be."""
    if preparation.background not in ("white", "black"):
        raise ClassifierError(f"its background is {str(preparation.background)[:60]!r}")
    crop, scale = preparation.crop_size, preparation.scale
    if crop is not None and (not isinstance(crop, int) or not 1 <= crop <= 4 * LARGEST):
        raise ClassifierError(f"its crop_size is {str(crop)[:60]!r}")
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not 1 <= scale <= _LARGEST_SCALE:
        raise ClassifierError(f"its scale is {str(scale)[:60]!r}; a number from 1 to {_LARGEST_SCALE} is expected")
    if preparation.size * scale > _LARGEST_RESIZED:
        raise ClassifierError(f"its images are resized to {preparation.size * scale:.0f} pixels before they are cut")


def distinct(classes: Sequence[str]) -> tuple[str, ...]:
    """Classes, those numbered that became the same when they were cut: they stand for no label then."""
    counts = Counter(classes)
    seen: Counter[str] = Counter()
    found = []
    for name in classes:
        seen[name] += 1
        found.append(name if counts[name] == 1 else f"{name}#{seen[name]}")
    return tuple(found)


def match_cut_labels(classes: Sequence[str], labels: Sequence[str]) -> tuple[str, ...]:
    """Labels that a classifier's classes stand for, whose names anTraX truncated to ten bytes.

    Parameters
    ----------
    classes : sequence of str
        Of the classifier, in the order of its outputs.
    labels : sequence of str
        That there are.

    Returns
    -------
    tuple of str
        For each class the label of that name; else the only label that begins with it and no other class stands
        for; else the class as it is.
    """
    taken = set(classes) & set(labels)
    matched = []
    for name in classes:
        fitting = {label for label in labels if label not in taken and label != name and _cut(label) == name}
        matched.append(fitting.pop() if name not in taken and len(fitting) == 1 else name)
    return tuple(matched)


def _cut(label: str) -> str:
    """A label truncated as anTraX does; a character that would be cut in two is dropped."""
    return label.encode()[:_CUT].decode(errors="ignore")


def _parse(text: str) -> dict[str, Any]:
    """The parameters as JSON, or as Python writes a dictionary."""
    if len(text) > _LONGEST:
        raise ClassifierError("its prmtrs are too long")
    python = re.sub(r"\b(None|True|False|nan)\b", lambda found: _IN_JSON[found[0]], text.replace("'", '"'))
    for candidate in (text, python):
        try:
            parameters = json.loads(candidate)
        except (ValueError, RecursionError):
            continue
        if isinstance(parameters, dict):
            return parameters
    raise ClassifierError("its prmtrs cannot be understood")


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ClassifierError(f"its {name} is {str(value)[:60]!r}")
    return value
