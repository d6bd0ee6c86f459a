"""Which movies of a session have images, labels, graphs and positions. Files are listed, not opened."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from antrax.io.antdata import antdata_colonies, antdata_movies, xy_file
from antrax.io.graphs import movies_with_graph
from antrax.io.positions_table import positions_file
from antrax.io.results import autoids_file
from antrax.io.session import Session
from antrax.io.sources import source_of


class SessionContents:
    """Files of a session that its commands read and write, each listed when first asked for.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    @cached_property
    def images(self) -> Mapping[int, tuple[Path, ...]]:
        """Files with images of tracklets."""
        return dict(source_of(self._session).files(self._session))

    @cached_property
    def labels(self) -> Mapping[int, Path]:
        """Labels of tracklets, as `antrax classify` writes them."""
        return {movie: autoids_file(self._session, movie) for movie in self._session.layout.files("autoids")}

    @cached_property
    def graphs(self) -> list[int]:
        """Movies that have a graph of tracklets."""
        return movies_with_graph(self._session)

    @cached_property
    def positions(self) -> Mapping[int, Path]:
        """Positions of this package, or else those in `antdata/`, of the first colony where there are several."""
        session = self._session
        first = antdata_colonies(session)[0]
        found = {movie: xy_file(session, movie, first) for movie in antdata_movies(session)}
        found |= {movie: positions_file(session, movie) for movie in session.layout.files("positions")}
        return dict(sorted(found.items()))
