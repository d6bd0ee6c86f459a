"""Whether the files of a movie's result belong together (see `antrax.io.results`)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import Path

from antrax.errors import ExperimentError
from antrax.io.frame_probabilities import DAMAGED, open_frame_probabilities
from antrax.io.results import autoids_file, confidence_file, frameprobs_file, pending_file, read_movie
from antrax.io.runs import size_and_time
from antrax.io.session import Session
from antrax.io.stamps import stamp_of


class ResultState(Enum):
    """State of a movie's result."""

    NONE = "no result"
    WHOLE = "a result, all files of which belong together"
    INCOMPLETE = "labels, of which confidences or probabilities of images are gone"
    FOREIGN = "labels alone, of anTraX or a person"
    MIXED = "files that do not belong together, or are damaged"
    LEFTOVER = "other files without autoids, which the original removes when it tracks a movie again"


def result_state(session: Session, movie: int, left: Mapping[str, tuple[int, int]] | None = None) -> ResultState:
    """Determine the state of a movie's result by reading its files.

    Parameters
    ----------
    session : Session
    movie : int
    left : mapping of str to (int, int), optional
        Size and time of the files, by name, as the last run that made the result left them: labels alone are told by it
        from those of anTraX or a person.
    """
    others = [confidence_file(session, movie), frameprobs_file(session, movie)]
    there = [path for path in others if path.exists()]
    if not autoids_file(session, movie).exists():
        return ResultState.LEFTOVER if there else ResultState.NONE
    try:
        results = read_movie(session, movie)
        # a result whose run was killed after it counted, and before its other files had their names, is whole
        places = {path: [path, *(pending_file(path, digest) for digest in results.digests)] for path in others}
        found = {path: [place for place in some if place.exists()] for path, some in places.items()}
        there = [place for some in found.values() for place in some]
        if not there:
            return ResultState.INCOMPLETE if _is_as_left(autoids_file(session, movie), left) else ResultState.FOREIGN
        if results.problem:
            return ResultState.MIXED
        if any("frameprobs" in path.name for path in there):
            with open_frame_probabilities(session, results) as frames:
                frames.rows()
        if not all(found.values()):
            return ResultState.INCOMPLETE
    except (ExperimentError, *DAMAGED):
        return ResultState.MIXED if there else ResultState.FOREIGN
    return ResultState.WHOLE


def _is_as_left(path: Path, left: Mapping[str, tuple[int, int]] | None) -> bool:
    """Whether a file is one of several that a run left, and has not changed since."""
    if not left or len(left) < 2 or path.name not in left:
        return False
    stamp = stamp_of(path)
    return stamp is not None and size_and_time(stamp) == left[path.name]
