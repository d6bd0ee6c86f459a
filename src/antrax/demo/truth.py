"""The ground truth of a simulated colony: file, and comparison of positions with it.

`truth_positions.h5` in the experiment's folder (HDF5):

====================  =========================  ===================================================================
dataset               type, shape                content
====================  =========================  ===================================================================
``ids``               text (animals,)            ID of each animal
``colony``            text (animals,)            its colony; empty where there is one colony
``x``, ``y``          float32 (frames, animals)  middle of the body in pixels; NaN where the animal is not there
``heading``           float32 (frames, animals)  direction of the head in radians
``tracklet``          int32 (frames, animals)    row of the tracklet it is in; -1 where the tracker does not see it
``tracklets``         text (tracklets,)          names
====================  =========================  ===================================================================

Row 0 is absolute frame 1. Root attributes: ``format`` = ``"antrax colony truth"``, ``version`` = 1, ``fps``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from antrax.errors import ExperimentError
from antrax.io.atomic import replacing_hdf5
from antrax.io.untrusted_hdf5 import ContentError, open_untrusted, text_attribute, texts, values

if TYPE_CHECKING:
    import pandas as pd

    from antrax.demo.colony import Colony

TRUTH_FILE = "truth_positions.h5"
_FORMAT = "antrax colony truth"


@dataclass(frozen=True, eq=False)
class ColonyTruth:
    """True positions of all animals of a simulated colony.

    Parameters
    ----------
    ids, colony : (animals,) array of str
    x, y, heading : (frames, animals) array of float32
    tracklet : (frames, animals) array of int32
        Row in `tracklets`; -1 where the tracker does not see the animal.
    tracklets : (tracklets,) array of str
    """

    ids: NDArray[np.str_]
    colony: NDArray[np.str_]
    x: NDArray[np.float32]
    y: NDArray[np.float32]
    heading: NDArray[np.float32]
    tracklet: NDArray[np.int32]
    tracklets: NDArray[np.str_]


@dataclass(frozen=True)
class PositionAccuracy:
    """Placements against the truth.

    Parameters
    ----------
    cells : int
        Pairs of an animal and a frame in which the tracker sees the animal.
    placed : int
        Pairs of an animal and a frame that were given a tracklet, also where the tracker does not see it.
    wrong : int
        Of the placed ones, those in a tracklet that does not hold the animal.
    """

    cells: int
    placed: int
    wrong: int


def truth_of(colony: Colony) -> ColonyTruth:
    """The truth of a simulated colony."""
    names = np.array(colony.colony_names, np.str_)[colony.colony]
    return ColonyTruth(
        np.array(colony.ids, np.str_), names, colony.x, colony.y, colony.heading, colony.cell, colony.tracks.names
    )


def write_truth(path: Path, truth: ColonyTruth, fps: float) -> None:
    """Write `truth_positions.h5`. Raises `OutputError`.

    Parameters
    ----------
    path : Path
        The file.
    truth : ColonyTruth
        What was simulated.
    fps : float
        Frames a second.
    """
    import h5py

    text = h5py.string_dtype()
    with replacing_hdf5(path) as file:
        file.attrs.update(format=_FORMAT, version=1, fps=fps)
        for name in ("ids", "colony", "tracklets"):
            file.create_dataset(name, data=getattr(truth, name).tolist(), dtype=text)
        for name in ("x", "y", "heading", "tracklet"):
            file.create_dataset(name, data=getattr(truth, name), compression="gzip", compression_opts=1, shuffle=True)


def read_truth(path: Path) -> ColonyTruth:
    """Read `truth_positions.h5`.

    Parameters
    ----------
    path : Path
        The file, or the experiment's folder.

    Raises
    ------
    ExperimentError
        There is no such file, or it is damaged.
    """
    path = path / TRUTH_FILE if path.is_dir() else path
    advice = "`antrax demo DIR --colony` writes one"
    with open_untrusted(path, "a truth of a made-up colony", ExperimentError, most=None, advice=advice) as file:
        if text_attribute(file, "format") != _FORMAT:
            raise ContentError(f"its format is not {_FORMAT}")
        columns = {
            name: np.asarray(texts(file, name, compressed=True, most=10**7), np.str_)
            for name in ("ids", "colony", "tracklets")
        }
        arrays: dict[str, Any] = {name: values(file, name) for name in ("x", "y", "heading", "tracklet")}
    return ColonyTruth(**{**columns, **arrays})


def score_positions(truth: ColonyTruth, positions: pd.DataFrame) -> PositionAccuracy:
    """Compare positions with the truth.

    Parameters
    ----------
    truth : ColonyTruth
    positions : pandas.DataFrame
        A row a placed cell: `frame` (absolute, from 1), `id`, `tracklet` (name), and `colony` where there are several.
        Those without a tracklet (interpolated) are left out.
    """
    positions = positions[positions["tracklet"].notna()]
    rows = {name: row for row, name in enumerate(truth.tracklets.tolist())}
    animals = {key: n for n, key in enumerate(zip(truth.colony.tolist(), truth.ids.tolist(), strict=True))}
    colonies = positions["colony"].astype(str) if "colony" in positions else [""] * len(positions)
    keys = list(zip(colonies, positions["id"].astype(str), strict=True))
    animal = np.array([animals.get(key, -1) for key in keys], np.int64)
    if (unknown := np.flatnonzero(animal < 0)).size:
        raise ExperimentError(f"the truth has no animal {' '.join(keys[unknown[0]]).strip()}; it is of another colony")
    tracklet = positions["tracklet"].astype(str).map(rows).fillna(-2).to_numpy(np.int64)
    right = truth.tracklet[positions["frame"].to_numpy(np.int64) - 1, animal] == tracklet
    return PositionAccuracy(int((truth.tracklet >= 0).sum()), len(positions), int((~right).sum()))
