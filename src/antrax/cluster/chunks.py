"""Division of movies into tasks of some minutes each, within the cluster's limit of tasks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from antrax.errors import OptionError

TASK_SECONDS = 300.0
"""Shorter tasks are mostly waiting and loading; longer ones lose more where one is stopped."""
_BYTES_A_SECOND = 3e6
_MOVIE_SECONDS = 2.0


def seconds_of(size: int, cpus: int) -> float:
    """Estimated duration of the classification of a movie, generously.

    Parameters
    ----------
    size : int
        Bytes of its image stacks.
    cpus : int
    """
    return _MOVIE_SECONDS + size / (_BYTES_A_SECOND * cpus)


def allot(seconds: Sequence[float], movies: Sequence[int], array_size: int, max_jobs: int) -> list[int]:
    """Number of tasks for each experiment.

    Parameters
    ----------
    seconds : sequence of float
        How long the work on each experiment takes in all.
    movies : sequence of int
        Number of its movies, from 1 on.
    array_size : int
        Most tasks of one experiment.
    max_jobs : int
        Most tasks of all.

    Returns
    -------
    list of int
        From 1 on.

    Raises
    ------
    OptionError
        There are more experiments than tasks.

    Examples
    --------
    >>> allot([3000, 600, 10], [100, 100, 1], array_size=1000, max_jobs=9)
    [6, 2, 1]
    """
    if len(seconds) > max_jobs:
        raise OptionError(
            f"--hpc-options max-jobs={max_jobs}: each of the {len(seconds)} experiments needs a task of its own; give "
            "a larger number, or fewer experiments at a time"
        )
    wanted = [
        max(1, min(math.ceil(needed / TASK_SECONDS), count, array_size))
        for needed, count in zip(seconds, movies, strict=True)
    ]
    # one task is taken from where the tasks are shortest until they are few enough
    while sum(wanted) > max_jobs:
        _, place = min((seconds[place] / (count - 1), place) for place, count in enumerate(wanted) if count > 1)
        wanted[place] -= 1
    return wanted


def split_movies(seconds: Mapping[int, float], tasks: int) -> list[list[int]]:
    """Divide movies, in order, into tasks that take about the same time.

    Parameters
    ----------
    seconds : mapping of int to float
        How long each movie takes.
    tasks : int
        At most as many as there are movies.

    Returns
    -------
    list of list of int
        None is empty.

    Examples
    --------
    >>> split_movies({1: 1, 2: 1, 3: 1, 4: 3}, 2)
    [[1, 2, 3], [4]]
    """
    chunks: list[list[int]] = []
    left, total = list(seconds), sum(seconds.values())
    for more in range(tasks, 0, -1):
        share, chunk, length = total / more, [left.pop(0)], 0.0
        length = seconds[chunk[0]]
        # the next movie goes where it leaves the task nearer to its share, and one is left for each further task
        while left and (more == 1 or (len(left) >= more and length + seconds[left[0]] / 2 <= share)):
            chunk.append(left.pop(0))
            length += seconds[chunk[-1]]
        chunks.append(chunk)
        total -= length
    return chunks


def time_limit(seconds: float) -> str:
    """Time limit of a task that takes about `seconds`: much more, in whole hours, since nodes and drives differ.

    Examples
    --------
    >>> time_limit(300)
    '1:00:00'
    """
    return f"{math.ceil((seconds * 6 + 1200) / 3600)}:00:00"
