"""`groups/groups.h5`: groups of tracklets that look alike, and the features that they were found by.

It holds `tracklets` (names), `features` (tracklets, features), `groups` (tracklets; 0 for those that belong to none),
`closeness` (tracklets; to the middle of the group, cosine), and an attribute `made_with`, JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antrax.errors import ExperimentError
from antrax.io import untrusted_hdf5
from antrax.io.atomic import make_folder, replacing_hdf5
from antrax.io.session import Session
from antrax.io.stamps import FileStamp, stamp_of

_MOST_TRACKLETS = 10_000_000
_MOST_FEATURES = 4096
_ADVICE = "group the tracklets again"


@dataclass(frozen=True, eq=False)
class TrackletGroups:
    """Groups of tracklets that look alike.

    Parameters
    ----------
    tracklets : tuple of str
        Names.
    features : NDArray[np.float32]
        Of each tracklet, of length 1; shape (tracklets, features).
    groups : NDArray[np.int64]
        Number of the group of each, from 1; 0 for those that belong to none.
    closeness : NDArray[np.float32]
        Cosine between the features of each tracklet and those of the middle of the group nearest to it.
    made_with : mapping
        Options and versions.
    """

    tracklets: tuple[str, ...]
    features: NDArray[np.float32]
    groups: NDArray[np.int64]
    closeness: NDArray[np.float32]
    made_with: Mapping[str, Any]

    @cached_property
    def places(self) -> dict[str, int]:
        """Place of each tracklet."""
        return {name: place for place, name in enumerate(self.tracklets)}

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Tracklets of each group; first of those that belong to none."""
        return tuple(np.bincount(self.groups, minlength=1).tolist())

    def group_of(self, tracklet: str) -> int | None:
        """Number of a tracklet's group, 0 where it belongs to none; None for a tracklet that was not grouped."""
        place = self.places.get(tracklet)
        return None if place is None else int(self.groups[place])


def groups_stamp(session: Session) -> FileStamp | None:
    """The stamp of the file; None where there is none, or it cannot be looked at."""
    try:
        return stamp_of(session.layout.groups_file)
    except OSError:
        return None


def read_groups(session: Session) -> TrackletGroups | None:
    """The groups of a session; None where none were made.

    Raises
    ------
    ExperimentError
        The file is damaged.
    """
    path = session.layout.groups_file
    if groups_stamp(session) is None:
        return None
    with untrusted_hdf5.open_untrusted(path, "a file of groups", ExperimentError, advice=_ADVICE) as file:
        names = untrusted_hdf5.texts(file, "tracklets", most=_MOST_TRACKLETS)
        count = len(names)
        features = untrusted_hdf5.dataset(file, "features", dtype=np.floating, compressed=True)
        if features.ndim != 2 or len(features) != count or not 0 < features.shape[1] <= _MOST_FEATURES:
            raise untrusted_hdf5.ContentError("features do not fit the tracklets")
        groups = untrusted_hdf5.dataset(file, "groups", shape=(count,), dtype=np.integer)
        closeness = untrusted_hdf5.dataset(file, "closeness", shape=(count,), dtype=np.floating)
        found = TrackletGroups(
            names,
            np.asarray(features[()], np.float32),
            np.asarray(groups[()], np.int64),
            np.asarray(closeness[()], np.float32),
            _made_with(untrusted_hdf5.text_attribute(file, "made_with")),
        )
        if len(found.places) < count or (count and not 0 <= found.groups.min() <= found.groups.max() <= count):
            raise untrusted_hdf5.ContentError("a tracklet is listed twice, or numbers of groups are none")
        if not (np.isfinite(found.features).all() and np.isfinite(found.closeness).all()):
            raise untrusted_hdf5.ContentError("some of its features are no numbers")
        return found


def _made_with(text: str) -> dict[str, Any]:
    values = json.loads(text or "{}")
    if not isinstance(values, dict):
        raise untrusted_hdf5.ContentError("its made_with is no list of options")
    return values


def write_groups(session: Session, found: TrackletGroups) -> None:
    """Put the groups of a session in place of those that there were.

    Parameters
    ----------
    session : Session
    found : TrackletGroups

    Raises
    ------
    OutputError
        The folder cannot be written. The earlier file is then as it was.
    """
    import h5py

    path = session.layout.groups_file
    make_folder(path.parent, within=session.path)
    with replacing_hdf5(path) as file:
        file.create_dataset("tracklets", data=list(found.tracklets), dtype=h5py.string_dtype())
        # half the precision is far finer than what an animal looks like
        file.create_dataset("features", data=found.features.astype(np.float16), compression="gzip", shuffle=True)
        file.create_dataset("groups", data=found.groups.astype(np.int32))
        file.create_dataset("closeness", data=found.closeness.astype(np.float32))
        file.attrs["made_with"] = json.dumps(dict(found.made_with))
