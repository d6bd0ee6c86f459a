"""Results of classification as a pandas table (see `antrax.io.results`)."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from antrax.io.names import parse_tracklet_name
from antrax.io.results import classified_movies, read_movie
from antrax.io.session import Movie, Session, as_session

if TYPE_CHECKING:
    import pandas as pd


def read_results(session: Session | str | os.PathLike[str], movies: Iterable[int] | None = None) -> pd.DataFrame:
    """Labels and confidences of a session's tracklets.

    Parameters
    ----------
    session : Session or path
        A classified session; of an experiment's folder, the latest session.
    movies : iterable of int, optional
        All classified movies by default.

    Returns
    -------
    pandas.DataFrame
        A row a tracklet, indexed by its name (`tracklet`): `movie`, `label`, `score`, `best_frame` and, where any of
        the movies has them (results of anTraX have none), `confidence`, `best_label`, `runner_up`,
        `runner_up_confidence`, `images`, `passed_images`, `votes`, `first_frame`, `last_frame`. Labels are text
        (`001` and `NA` stay what they are). Frames are absolute, from 1 on over all movies, as in all tables of this
        package; missing where `movies_info.txt` does not tell. `best_frame` counts the images of the tracklet, from 1.

    Raises
    ------
    ExperimentError
        A movie has no result, or a file is damaged.

    Warns
    -----
    UserWarning
        Confidences of a movie are of another classification than its labels, and left out.

    Examples
    --------
    >>> antrax.read_results("colony1").label.value_counts()  # doctest: +SKIP
    """
    import pandas as pd

    session = as_session(session)
    found = [read_movie(session, movie) for movie in (classified_movies(session) if movies is None else movies)]
    for results in found:
        if results.problem:
            warnings.warn(results.problem, stacklevel=2)
    names = [name for results in found for name in results.assignments]
    every = [it for results in found for it in results.assignments.values()]
    columns: dict[str, object] = {
        "movie": pd.array([r.movie for r in found for _ in r.assignments], dtype="int64"),
        "label": pd.Series([it.label for it in every], dtype=object),
        "score": pd.array([it.score for it in every], dtype="float64"),
        "best_frame": pd.array([it.best_frame for it in every], dtype="int64"),
    }
    if not found or any(results.has_confidences for results in found):
        table_of_movies = session.movies
        frames = [absolute_frames(table_of_movies, name) for name in names]
        columns |= {
            "confidence": pd.Series([it.confidence for it in every], dtype="float64"),
            "best_label": pd.Series([it.best_label for it in every], dtype=object),
            "runner_up": pd.Series([it.runner_up for it in every], dtype=object),
            "runner_up_confidence": pd.Series([it.runner_up_confidence for it in every], dtype="float64"),
            "images": pd.array([it.images for it in every], dtype="Int64"),
            "passed_images": pd.array([it.passed_images for it in every], dtype="Int64"),
            "votes": pd.array([it.votes for it in every], dtype="Int64"),
            "first_frame": pd.array([first for first, _ in frames], dtype="Int64"),
            "last_frame": pd.array([last for _, last in frames], dtype="Int64"),
        }
    table = pd.DataFrame(columns)
    table.index = pd.Index(names, name="tracklet", dtype=object)
    return table


def absolute_frames(movies: Mapping[int, Movie], tracklet: str) -> tuple[int | None, int | None]:
    """First and last absolute frame of a tracklet (from 1); None where the movie table does not tell."""
    name = parse_tracklet_name(tracklet)
    movie = movies.get(name.movie) if name else None
    if name is None or movie is None or not movie.fi:
        return None, None
    return movie.fi + name.first - 1, movie.fi + name.last - 1
