"""The surroundings of a tracklet: its place, its neighbours in time, and the IDs at that time."""

from __future__ import annotations

from antrax.app.schemas.base import Answer, Request, Route, Text
from antrax.labels import Category
from antrax.review.tracklets.surroundings import AtSameTime


class NeighbourTold(Answer):
    """A tracklet just before or after another one.

    `image` is null where it has no images, as a contact of several animals; `by_hand`: its label is that of its
    examples; `distance` in pixels.
    """

    tracklet: str
    movie: int
    gap: int
    distance: float | None
    by_graph: bool
    label: str | None
    category: Category | None
    by_hand: bool
    image: int | None
    size: int


class BearerTold(Answer):
    """A tracklet that has an ID; `by_hand`: it has examples under it. Frames are of the movie."""

    tracklet: str
    first: int
    last: int
    by_hand: bool


class IdAtTimeTold(Answer):
    """Where an ID is while a tracklet is there."""

    id: str
    where: AtSameTime
    bearers: list[BearerTold]


class Surroundings(Answer):
    """The surroundings of a tracklet, but for the graph.

    `path` has frame of the movie, x, y; `place_problem` says why it is empty, `film` why no film is shown. `ids` is
    null where nothing is known of any tracklet of the movie.
    """

    tracklet: str
    movie: int
    fps: float | None
    width: int | None
    height: int | None
    path: list[list[float]]
    place_problem: str | None
    film: str | None
    before: list[NeighbourTold]
    after: list[NeighbourTold]
    ids: list[IdAtTimeTold] | None


class GraphNeighboursTold(Answer):
    """Tracklets that lead into one, and out of it; `problem`: why they are not known."""

    before: list[NeighbourTold]
    after: list[NeighbourTold]
    problem: str | None


class SurroundingsRequest(Request):
    """A tracklet."""

    tracklet: Text


ROUTES: dict[str, Route] = {
    "surroundings": Route("GET", SurroundingsRequest, Surroundings),
    "surroundings/graph": Route("GET", SurroundingsRequest, GraphNeighboursTold),
}
