"""The wall: many tracklets at once, one image each, of which those that belong together get one label in one go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from antrax.app.sheets import IMAGES, LARGEST_CELL, centred, make_sheet
from antrax.app.training_set_api import TrainingSetApi, stack_stamp
from antrax.errors import ExperimentError, OptionError, StackError
from antrax.io.session import Session
from antrax.io.sources import source_of
from antrax.labels import Labels
from antrax.review.tracklets.assignments import Assignment, Assignments
from antrax.review.tracklets.catalog import Catalog
from antrax.review.tracklets.tiles import Tile, make_tile, read_images, spread_images
from antrax.review.tracklets.views import View
from antrax.review.training_set.outcomes import Chosen

MOST_TILES = 60
"""Most tracklets on the wall at once."""
# Tracklets that cannot be read are named up to so many at a time.
_NAMED = 3


class WallApi:
    """The wall of an open session. Safe to use from several threads.

    Parameters
    ----------
    session : Session
    catalog : Catalog
    assignments : Assignments
    training_set : TrainingSetApi
        Where tracklets are exported to.
    labels : callable
        The session's labels as they are now.
    """

    def __init__(
        self,
        session: Session,
        catalog: Catalog,
        assignments: Assignments,
        training_set: TrainingSetApi,
        labels: Callable[[], Labels],
    ) -> None:
        self._session = session
        self._catalog = catalog
        self._assignments = assignments
        self._training_set = training_set
        self._labels = labels

    def page(self, view: View, start: int, tiles: int) -> dict[str, Any]:
        """The next tracklets of a view that have no examples yet, and where to go on.

        Parameters
        ----------
        view : View
        start : int
            Place in the view, from 0.
        tiles : int
            How many tracklets are wanted, `MOST_TILES` at most.
        """
        if not 1 <= tiles <= MOST_TILES or start < 0:
            raise OptionError(f"ask for 1 to {MOST_TILES} tracklets, from 0 on")
        self._training_set.examples.refresh()
        has_examples = self._training_set.examples.tracklet_names()
        shown: list[str] = []
        following = start
        while following < len(view.tracklets):
            name = view.tracklets[following]
            if name not in has_examples:
                if len(shown) == tiles:
                    break
                shown.append(name)
            following += 1
        # the examples are few, the tracklets of a view may be millions
        positions = (view.position(name) for name in has_examples)
        without = len(view.tracklets) - following - sum(at is not None and at >= following for at in positions)
        made, problems = self._tiles(shown)
        return {
            "items": [self._item(tile, path) for tile, path in made],
            "cell": min(max((len(tile.pixels) for tile, _ in made), default=1), LARGEST_CELL),
            "next": following,
            "total": len(view.tracklets),
            "left": without,
            "problems": problems,
        }

    def _tiles(self, wanted: Sequence[str]) -> tuple[list[tuple[Tile, Path]], list[str]]:
        """Tiles of tracklets, in their order, and what is wrong with those that cannot be read."""
        problems: list[str] = []
        by_path: dict[Path, list[str]] = defaultdict(list)
        for name in wanted:
            try:
                by_path[self._catalog.find(name)[1]].append(name)
            except (ExperimentError, StackError) as error:
                problems.append(str(error))
        made: dict[str, tuple[Tile, Path]] = {}
        for path, names in by_path.items():
            try:
                with source_of(self._session).open(path) as stack:
                    for name in names:
                        try:
                            found = self._result(name)
                            made[name] = make_tile(stack, name, found.best_frame if found else None), path
                        except StackError as error:
                            problems.append(str(error))
            except (StackError, OSError) as error:
                problems.append(str(error))
        return [made[name] for name in wanted if name in made], _first(problems)

    def _result(self, name: str) -> Assignment | None:
        """Result of classification of a tracklet; damaged results are reported elsewhere."""
        try:
            return self._assignments.of(name)
        except ExperimentError:
            return None

    def _item(self, tile: Tile, path: Path) -> dict[str, Any]:
        found = self._result(tile.tracklet)
        return {
            "tracklet": tile.tracklet,
            "image": tile.image,
            "images": tile.images,
            "stamp": stack_stamp(path),
            "label": found.label if found else None,
            "category": self._labels().likely_category(found.label) if found else None,
            "confidence": found.confidence if found else None,
            "best_label": found.best_label if found else None,
        }

    def sheet(self, images: Sequence[tuple[str, int]], cell: int) -> bytes:
        """A PNG with an image of each tracklet; one that cannot be read is an empty cell.

        Parameters
        ----------
        images : sequence of (str, int)
            Name of the tracklet, and the index of its image, from 0.
        cell : int
            Side of a cell, in pixels.
        """
        if not 1 <= len(images) <= IMAGES:
            raise OptionError(f"ask for 1 to {IMAGES} images")
        found = []
        for name, image in images:
            try:
                _, path = self._catalog.find(name)
                with source_of(self._session).open(path) as stack:
                    found.append(stack.read(name, image, image + 1)[0])
            except (ExperimentError, StackError, OSError, IndexError):
                found.append(np.zeros((1, 1, 3), np.uint8))
        return make_sheet(centred(found, cell, 0))

    def others(self, name: str, most: int) -> bytes:
        """A PNG of images that are spread over a tracklet, `most` of them at most.

        Parameters
        ----------
        name : str
            Of the tracklet.
        most : int
            At most so many; `IMAGES` at most.

        Raises
        ------
        ExperimentError, StackError
        """
        if not 1 <= most <= IMAGES:
            raise OptionError(f"ask for 1 to {IMAGES} images")
        _, path = self._catalog.find(name)
        with source_of(self._session).open(path) as stack:
            return make_sheet(read_images(stack, name, spread_images(stack.count(name), most)))

    def accept(
        self, label: str, tiles: Sequence[tuple[str, int, str]], most: int, client: str, author: str = ""
    ) -> dict[str, Any]:
        """Add tracklets to the examples of a label: one change, and one undo.

        A tracklet whose images have been replaced since they were shown, or that cannot be read, is left out and named.

        Parameters
        ----------
        label : str
        tiles : sequence of (str, int, str)
            Name of the tracklet, the image that was shown (from 0), and the stamp of the stack that it was of.
        most : int
            Images of each tracklet at most, spread over it.
        client : str
            Page that asks; its last change can be undone.
        author : str
            The person.

        Raises
        ------
        TrainsetError, OutputError, LabelsError
            Nothing has changed then.
        """
        if not 1 <= len(tiles) <= MOST_TILES or most < 1:
            raise OptionError(f"choose 1 to {MOST_TILES} tracklets, and at least one image of each")
        chosen: list[Chosen] = []
        problems: list[str] = []
        for name, shown, stamp in tiles:
            try:
                tracklet, path = self._catalog.find(name)
                with source_of(self._session).open(path) as stack:
                    count = stack.count(name)
                    frames = spread_images(count, most, shown if 0 <= shown < count else None)
                    images = read_images(stack, name, frames)
                # after reading: a stack is put in place whole, so if it is the same now, it was when it was read
                if stamp != stack_stamp(path):
                    problems.append(f"the images of {name} have been replaced since they were shown")
                    continue
            except (ExperimentError, StackError, OSError) as error:
                problems.append(str(error))
                continue
            chosen.append(Chosen(tracklet, images, frames, count))
        if not chosen:
            raise StackError(f"nothing was added: {_first(problems)[0]}")
        outcome = self._training_set.examples.export_several(chosen, label, client, author)
        self._training_set.note(client, outcome, lambda: self.accept(label, tiles, most, client, author))
        return self._training_set.told(outcome) | {"tracklets": len(chosen), "problems": _first(problems)}


def _first(problems: Sequence[str]) -> list[str]:
    """The first of some problems, each once, and how many more there are."""
    problems = list(dict.fromkeys(problems))
    more = len(problems) - _NAMED
    return [*problems[:_NAMED], *([f"and {more} more"] if more > 0 else [])]
