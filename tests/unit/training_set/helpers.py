"""What tests of the edited training set share: types of their fixtures, and what lies on the disk."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from antrax.io.examples import list_examples
from antrax.io.names import TrackletName, parse_tracklet_name
from antrax.io.session import Session

NewSession = Callable[..., Session]
Images = Callable[..., NDArray[np.uint8]]


def tracklet(movie: int = 1, first: int = 11, last: int = 15, id_: int = 7) -> TrackletName:
    name = parse_tracklet_name(f"trj_id{id_}_ti{movie}_{first}_tf{movie}_{last}")
    assert name
    return name


def listing(session: Session) -> set[str]:
    """Files of the training set as training finds them: `label/name`."""
    folder = session.classifier_dir / "examples"
    return {file.path.relative_to(folder).as_posix() for file in list_examples(folder)} if folder.is_dir() else set()


def by_label(session: Session) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in listing(session):
        counts[name.split("/")[0]] = counts.get(name.split("/")[0], 0) + 1
    return counts


def everything(session: Session) -> dict[str, bytes]:
    """Content of all files below `classifier/`, temporary ones too; the lock is none of them."""
    found = {
        path.relative_to(session.path).as_posix(): path.read_bytes()
        for path in session.classifier_dir.rglob("*")
        if path.is_file()
    }
    found.pop("classifier/.trainset.lock", None)
    return found
