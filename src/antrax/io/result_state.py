"""Whether the files of a movie's result belong together (see `antrax.io.results`)."""

from __future__ import annotations

from enum import Enum

from antrax.errors import ExperimentError
from antrax.io.frame_probabilities import DAMAGED, open_frame_probabilities
from antrax.io.results import autoids_file, confidence_file, frameprobs_file, pending_file, read_movie
from antrax.io.session import Session


class ResultState(Enum):
    """What there is of a movie's result."""

    NONE = "no result"
    WHOLE = "a result, all files of which belong together"
    FOREIGN = "labels alone, of anTraX or a person"
    MIXED = "files that do not belong together, or are damaged"
    LEFTOVER = "other files without autoids, which the original removes when it tracks a movie again"


def result_state(session: Session, movie: int) -> ResultState:
    """What there is of a movie's result; reads its files.

    Parameters
    ----------
    session : Session
    movie : int
    """
    others = [confidence_file(session, movie), frameprobs_file(session, movie)]
    there = [path for path in others if path.exists()]
    if not autoids_file(session, movie).exists():
        return ResultState.LEFTOVER if there else ResultState.NONE
    try:
        results = read_movie(session, movie)
        # a result whose run was killed after it counted, and before its other files had their names, is whole
        for path in others:
            there += [place for digest in results.digests if (place := pending_file(path, digest)).exists()]
        if not there:
            return ResultState.FOREIGN
        if results.problem:
            return ResultState.MIXED
        if any("frameprobs" in path.name for path in there):
            with open_frame_probabilities(session, results) as frames:
                frames.rows()
    except (ExperimentError, *DAMAGED):
        return ResultState.MIXED if there else ResultState.FOREIGN
    return ResultState.WHOLE
