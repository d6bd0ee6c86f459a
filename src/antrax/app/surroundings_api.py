"""The surroundings of a tracklet as the page shows them: place, neighbours in time, IDs at that time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import numpy as np

from antrax.errors import AntraxError, ExperimentError
from antrax.io.films import why_no_film
from antrax.io.session import Session
from antrax.io.sources import source_of
from antrax.labels import Labels
from antrax.plots.run import background_size
from antrax.review.tracklets.assignments import Assignments
from antrax.review.tracklets.catalog import Catalog
from antrax.review.tracklets.colonies import Colonies
from antrax.review.tracklets.surroundings import GraphNeighbours, Neighbour, find_place, ids_at_same_time
from antrax.review.tracklets.tiles import spread_images
from antrax.review.training_set.editing import Examples


class SurroundingsApi:
    """Surroundings of tracklets of one session. Safe to use from several threads.

    Parameters
    ----------
    session : Session
    catalog : Catalog
    assignments : Assignments
    examples : Examples
    labels : callable
        The session's labels as they are now.
    colonies : callable
        The session's colonies.
    """

    def __init__(
        self,
        session: Session,
        catalog: Catalog,
        assignments: Assignments,
        examples: Examples,
        labels: Callable[[], Labels],
        colonies: Callable[[], Colonies],
    ) -> None:
        self._session = session
        self._catalog = catalog
        self._assignments = assignments
        self._examples = examples
        self._labels = labels
        self._colonies = colonies
        self._graph = GraphNeighbours(session)

    def of(self, name: str) -> dict[str, Any]:
        """Place of a tracklet, its neighbours by place and time, and the IDs at that time. Raises `ExperimentError`."""
        tracklet, _ = self._catalog.find(name)
        self._assignments.refresh()
        by_hand = self._by_hand()
        labels = self._labels()
        answer: dict[str, Any] = {"path": [], "place_problem": None, "before": [], "after": []}
        try:
            place = find_place(self._session, self._catalog, tracklet)
        except AntraxError as error:
            answer["place_problem"] = str(error)
        else:
            answer["path"] = np.round(place.path, 1).tolist()
            answer["before"] = self._told(place.before, labels, by_hand)
            answer["after"] = self._told(place.after, labels, by_hand)
        size = background_size(self._session)
        own, _ = self._label(name, by_hand)
        is_known = tracklet.movie in self._assignments.movies or bool(by_hand)
        return answer | {
            "tracklet": name,
            "movie": tracklet.movie,
            "fps": self._fps(tracklet.movie),
            "width": size[0] if size else None,
            "height": size[1] if size else None,
            "film": self._why_no_film(tracklet.movie),
            "ids": [
                {
                    "id": one.id,
                    "where": one.where,
                    "bearers": [
                        {
                            "tracklet": bearer.tracklet.name,
                            "first": bearer.tracklet.first,
                            "last": bearer.tracklet.last,
                            "by_hand": bearer.by_hand,
                        }
                        for bearer in one.bearers
                    ],
                }
                for one in ids_at_same_time(tracklet, own, labels.ants, self._assignments, by_hand, self._colonies())
            ]
            if is_known
            else None,
        }

    def by_graph(self, name: str) -> dict[str, Any]:
        """Neighbours of a tracklet by the graph; a missing or damaged one is told as a problem."""
        tracklet, _ = self._catalog.find(name)
        try:
            before, after = self._graph.of(tracklet)
        except AntraxError as error:
            return {"before": [], "after": [], "problem": str(error)}
        labels, by_hand = self._labels(), self._by_hand()
        return {
            "before": self._told(before, labels, by_hand),
            "after": self._told(after, labels, by_hand),
            "problem": None,
        }

    def _fps(self, movie: int) -> float | None:
        """Frame rate of a movie; None where the movie table does not tell it, or cannot be read."""
        with contextlib.suppress(ExperimentError):
            entry = self._session.movies.get(movie)
            return entry.fps if entry and entry.fps > 0 else None
        return None

    def _why_no_film(self, movie: int) -> str | None:
        try:
            return why_no_film(self._session, movie)
        except ExperimentError as error:
            return str(error)

    def _by_hand(self) -> Mapping[str, Collection[str]]:
        """Labels under which the experiment's tracklets have examples."""
        self._examples.refresh()
        return self._examples.labels_of(self._session.experiment.name)

    def _label(self, name: str, by_hand: Mapping[str, Collection[str]]) -> tuple[str | None, bool]:
        """Label of a tracklet, and whether a person gave it."""
        given = by_hand.get(name, ())
        if len(given) == 1:
            return next(iter(given)), True
        with contextlib.suppress(AntraxError):  # damaged results are told elsewhere
            if found := self._assignments.of(name):
                return found.label, False
        return None, False

    def _told(
        self, neighbours: Iterable[Neighbour], labels: Labels, by_hand: Mapping[str, Collection[str]]
    ) -> list[dict[str, Any]]:
        told = []
        for one in neighbours:
            name = one.tracklet.name
            label, is_by_hand = self._label(name, by_hand)
            image, size = self._image(name)
            told.append(
                {
                    "tracklet": name,
                    "movie": one.tracklet.movie,
                    "gap": one.gap,
                    "distance": None if one.distance is None else round(one.distance, 1),
                    "by_graph": one.by_graph,
                    "label": label,
                    "category": labels.likely_category(label) if label else None,
                    "by_hand": is_by_hand,
                    "image": image,
                    "size": size,
                }
            )
        return told

    def _image(self, name: str) -> tuple[int | None, int]:
        """Index of the image that shows a tracklet best, and its side; None where there are no images."""
        best = None
        with contextlib.suppress(AntraxError, OSError):
            if (found := self._assignments.of(name)) and found.best_frame:
                best = found.best_frame - 1
        with contextlib.suppress(AntraxError, OSError):
            _, path = self._catalog.find(name)
            with source_of(self._session).open(path) as stack:
                count, size = stack.count(name), stack.size(name)
            if count:
                return best if best is not None and best < count else spread_images(count, 1)[0], size
        return None, 0
