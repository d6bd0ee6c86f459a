"""Split into training and held-out tracklets, and which of the latter the network has certainly not seen."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from antrax.training.tracklets import Origin

HELD_OUT_SHARE = 0.2
# Whole experiments are held out too once there are so many that the rest still shows what experiments differ in.
EXPERIMENTS_ENOUGH = 12
HELD_OUT_EXPERIMENTS = 0.1
# So few images whose names tell no tracklet are learned at the end only, and nothing is measured on them.
FEW_NAMELESS = 0.02


@dataclass(frozen=True)
class Split:
    """Held-out tracklets, and which of them give unbiased figures.

    Parameters
    ----------
    held_out : NDArray[np.bool_]
        Which tracklets the measured network is not trained on, shape (tracklets,).
    measurable : NDArray[np.bool_]
        Which of these it has never been trained on before either, so that it can be measured on them.
    nameless : int
        Images that cannot be told to which tracklet they belong, and that are trained or measured on.
    withheld : int
        Images of this kind that are so few that they are neither trained nor measured on.
    independent : bool
        Whether no tracklet can be both among those measured on and among those trained on, now or before.
    """

    held_out: NDArray[np.bool_]
    measurable: NDArray[np.bool_]
    nameless: int
    withheld: int
    independent: bool


def make_split(
    origins: Sequence[Origin],
    tracklet_index: NDArray[np.int64],
    label_index: NDArray[np.int64],
    seen: NDArray[np.uint64] | None = None,
) -> Split:
    """Choose what is held out: by a fixed hash, the same in every run and on every set.

    Nothing is held out of a set so small that the rest would lack all but one label.

    Parameters
    ----------
    origins : sequence of Origin
        Of each tracklet.
    tracklet_index, label_index : NDArray[np.int64]
        Tracklet and label of each image, shape (images,).
    seen : NDArray[np.uint64], optional
        What `fingerprints_after` gave of the classifier that training goes on from.

    Returns
    -------
    Split
    """
    images = np.bincount(tracklet_index, minlength=len(origins))
    nameless = np.array([not origin.named for origin in origins], bool)
    known = _Seen(seen)
    was_seen = known.has_seen(origins)
    held_out = (known.held_out_before(origins) if known.by_old_rule else held_out_by_name(origins)) & ~was_seen
    few = 0 < images[nameless].sum() <= FEW_NAMELESS * len(tracklet_index) and not known.nameless
    named_labels = set(label_index[~nameless[tracklet_index]].tolist())
    withheld = nameless if few and named_labels == set(label_index.tolist()) else np.zeros_like(nameless)
    measurable = held_out & ~withheld
    held_out |= withheld
    if len(np.unique(label_index[~held_out[tracklet_index]])) < 2:
        held_out[:] = measurable[:] = False
    count = int(images[nameless & ~withheld].sum())
    return Split(held_out, measurable, count, int(images[withheld].sum()), count == 0 and not known.nameless)


def held_out_by_name(origins: Sequence[Origin]) -> NDArray[np.bool_]:
    """Which tracklets are held out of a new classifier's training, shape (tracklets,).

    The hash is that of the tracklet's name, whatever the experiment is called, of images without such a name that of
    their pixels. Tracklets of one side group are held out together, by the first of them.
    """
    of_side: dict[int, list[Origin]] = defaultdict(list)
    for origin in origins:
        of_side[origin.side].append(origin)
    whole = _experiments_held_out(origins)
    chosen = {
        side: _side_is_held_out(members) or any(whole & set(origin.experiments) for origin in members)
        for side, members in of_side.items()
    }
    return np.array([chosen[origin.side] for origin in origins], bool)


def in_held_out_experiments(origins: Sequence[Origin]) -> NDArray[np.bool_]:
    """Which tracklets belong to experiments that are held out whole, shape (tracklets,)."""
    whole = _experiments_held_out(origins)
    return np.array([bool(whole & set(origin.experiments)) for origin in origins], bool)


def is_held_out(tracklet: str) -> bool:
    """Whether a tracklet of that name is held out."""
    return _fingerprint(tracklet) < HELD_OUT_SHARE * 2**64


def _side_is_held_out(members: Sequence[Origin]) -> bool:
    names = [name for origin in members for name in origin.tracklets]
    if names:
        return is_held_out(min(names))
    return _fingerprint(min((origin.pixels[0].hex() for origin in members if origin.pixels), default="")) < (
        HELD_OUT_SHARE * 2**64
    )


def _experiments_held_out(origins: Sequence[Origin]) -> set[str]:
    """Experiments held out whole; those that share tracklets are one experiment under several names."""
    name_of: dict[str, str] = {name: name for origin in origins for name in origin.experiments}

    def first(name: str) -> str:
        while name_of[name] != name:
            name = name_of[name]
        return name

    together: dict[int, list[str]] = defaultdict(list)
    for origin in origins:
        together[origin.side] += origin.experiments
    for names in together.values():
        for name in names[1:]:
            one, other = sorted((first(names[0]), first(name)))
            name_of[other] = one
    whole = held_out_experiments(
        (first(name), origin.tracklet) for origin in origins for name in origin.experiments[:1]
    )
    return {name for name in name_of if first(name) in whole}


def held_out_experiments(tracklets: Iterable[tuple[str, str]]) -> set[str]:
    """Experiments held out whole, by a fixed hash of their names.

    None where there are fewer than `EXPERIMENTS_ENOUGH`; nor one with more than a tenth of the tracklets, without
    which the rest would be another training set.

    Parameters
    ----------
    tracklets : iterable of (str, str)
        Experiment and tracklet.

    Returns
    -------
    set of str
    """
    sizes = Counter(experiment for experiment, _ in tracklets if experiment)
    if len(sizes) < EXPERIMENTS_ENOUGH:
        return set()
    limit = sizes.total() / 10
    return {
        name for name, size in sizes.items() if size <= limit and _old_hash(name, "") < HELD_OUT_EXPERIMENTS * 2**64
    }


def fingerprints_after(
    origins: Sequence[Origin], held_out: NDArray[np.bool_], seen: NDArray[np.uint64] | None = None
) -> NDArray[np.uint64]:
    """Fingerprints of what evaluation weights were trained on: names and images, and a mark of this form.

    Parameters
    ----------
    origins : sequence of Origin
    held_out : NDArray[np.bool_]
        Shape (tracklets,).
    seen : NDArray[np.uint64], optional
        Of the classifier that training went on from.

    Returns
    -------
    NDArray[np.uint64]
        Sorted.
    """
    found = set() if seen is not None and len(seen) else {_FORM}
    for origin, out in zip(origins, held_out, strict=True):
        if not out:
            found |= _fingerprints(origin)
    return np.union1d(np.zeros(0, np.uint64) if seen is None else seen, np.array(sorted(found), np.uint64))


def _fingerprints(origin: Origin) -> set[int]:
    of_pixels = {int.from_bytes(digest[:8], "big") for digest in origin.pixels}
    return of_pixels | ({_fingerprint(name) for name in origin.tracklets} if origin.named else {_NAMELESS})


class _Seen:
    """Fingerprints of what a classifier was trained on.

    The first version of this software wrote a hash of experiment and tracklet, and no `_FORM`.
    """

    def __init__(self, seen: NDArray[np.uint64] | None) -> None:
        self._seen: Collection[int] = frozenset(() if seen is None else seen.tolist())
        self.by_old_rule = bool(self._seen) and _FORM not in self._seen
        # it was trained on images whose tracklet is not known
        self.nameless = _NAMELESS in self._seen

    def has_seen(self, origins: Sequence[Origin]) -> NDArray[np.bool_]:
        """Which tracklets it has seen, or others of the same side group; shape (tracklets,)."""
        sides = {origin.side for origin in origins if self._one(origin)}
        return np.array([origin.side in sides for origin in origins], bool)

    def _one(self, origin: Origin) -> bool:
        return any(number in self._seen for number in _fingerprints(origin) - {_NAMELESS}) or any(
            _old_hash(*key) in self._seen for key in origin.old_keys
        )

    def held_out_before(self, origins: Sequence[Origin]) -> NDArray[np.bool_]:
        """Which tracklets the first version held out and has therefore not seen, shape (tracklets,).

        Of an experiment that it has seen nothing of, this cannot be told: it may have another name now.
        """
        known = {name for origin in origins if self._one(origin) for name, _ in origin.old_keys if name}
        whole = held_out_experiments(key for origin in origins for key in origin.old_keys[:1])
        return np.array(
            [
                bool(origin.old_keys)
                and all(
                    (name in known and _old_hash(name, tracklet) < HELD_OUT_SHARE * 2**64) or name in whole
                    for name, tracklet in origin.old_keys
                )
                for origin in origins
            ],
            bool,
        )


def _fingerprint(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(errors="replace"), digest_size=8).digest(), "big")


def _old_hash(experiment: str, tracklet: str) -> int:
    return _fingerprint(f"{experiment}\0{tracklet}")


_FORM = _fingerprint("tracklets by name and pixels")
_NAMELESS = _fingerprint("images without a tracklet")
