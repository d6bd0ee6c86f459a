"""Validation of positions as the page shows it: cells, marks and their rate, corrections."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np

from antrax.app.position_pictures import PositionPictures
from antrax.errors import AntraxError, ConflictError, ExperimentError, OptionError
from antrax.io.films import why_no_film
from antrax.io.names import parse_tracklet_name
from antrax.io.session import Session
from antrax.io.trdata import read_box
from antrax.labels import Category, Labels
from antrax.plots.run import read_background
from antrax.review.positions.marks import (
    PositionMark,
    PositionMarks,
    PositionRate,
    PositionVerdict,
    position_rate,
)
from antrax.review.positions.resolving import Resolver, disagreements
from antrax.review.positions.shots import Shot, neighbour_shots, shots_of
from antrax.review.positions.solved import Cell, Placement, Solved
from antrax.review.tracklets.assignments import Assignments
from antrax.review.tracklets.catalog import Catalog
from antrax.review.validation.table import check_who
from antrax.solving.solution import Contradiction, common_label

# Seconds of the path before and after the moment; without a frame rate, so many frames.
_PATH_S, _PATH_FRAMES = 10.0, 100
_SHOWN = 300
_NAMES = {
    PositionVerdict.CORRECT: "correct",
    PositionVerdict.WRONG: "wrong",
    PositionVerdict.CANNOT_SAY: "cannot say",
}


class PositionsApi:
    """Positions of one session, marks on them and corrections. Safe to use from several threads.

    Parameters
    ----------
    session : Session
    catalog : Catalog
    assignments : Assignments
    labels : callable
        The session's labels as they are now.
    versions : callable
        Numbers that tell the page what changed; they go with each answer about a change.
    """

    def __init__(
        self,
        session: Session,
        catalog: Catalog,
        assignments: Assignments,
        labels: Callable[[], Labels],
        versions: Callable[[], dict[str, Any]],
    ) -> None:
        self._session = session
        self._catalog = catalog
        self._assignments = assignments
        self._labels = labels
        self._versions = versions
        self._solved = Solved(session)
        self._resolver = Resolver(self._solved)
        self._marks = PositionMarks(session.layout.position_marks_file)
        self.pictures = PositionPictures(session, catalog)

    @property
    def version(self) -> str:
        """Version of positions and their marks; it differs after each change."""
        self._marks.try_refresh()  # what is wrong is told in `info`
        return f"{self._solved.refresh()}-{self._marks.version}"

    # ---- overview

    def info(self) -> dict[str, Any]:
        """The solution as a whole. Raises `ExperimentError`."""
        problem = self._marks.try_refresh()
        self._solved.refresh()
        movies = self._solved.movies
        counts = [self._solved.count(movie) for movie in movies]
        why = None
        if not movies:
            why = (
                "This session is not solved yet: type "
                f"`antrax solve {self._session.experiment}` in a terminal, then open this view again."
            )
        elif not sum(counts):
            why = "No animal is placed in any frame, so there is nothing to validate."
        first = self._solved.movie(movies[0]) if movies else None
        background = read_background(self._session)
        listed = self._disagreements() if movies else []
        expected = self._solved.record.get("expected_error")
        table = self._session.movies
        frames = sum(
            table[movie].ff - table[movie].fi + 1
            if movie in table and table[movie].fi
            else self._solved.movie(movie).frames
            for movie in movies
        )
        return {
            "why": why,
            "film": why_no_film(self._session, movies[0]) if movies else None,
            "ids": list(dict.fromkeys(first.ids)) if first else [],
            "method": self._solved.method,
            "cells": frames * len(first.ids) if first else 0,
            "placed": sum(counts),
            "expected_error": float(expected) if isinstance(expected, int | float) else None,
            "solution": self._solved.digest,
            "width": None if background is None else background.shape[1],
            "height": None if background is None else background.shape[0],
            "common": common_label(
                [Contradiction(one["tracklet"], one["label"], 0.0, one["placed"]) for one in listed]
            ),
            "disagreements": listed[:_SHOWN],
            "rate": self._rate(),
            "can_undo": self._resolver.can_undo,
            "problem": problem,
        }

    def _disagreements(self) -> list[dict[str, Any]]:
        """Labels that the solution speaks against, the least probable first."""
        record = self._solved.record
        if "contradictions" in record:
            found = [one for one in record["contradictions"] if isinstance(one, dict)]
        else:
            ants = frozenset(self._labels().ants)

            def labels_of(movie: int) -> dict[str, str]:
                with contextlib.suppress(ExperimentError):
                    return {
                        name: one.label for name, one in self._assignments.movie(movie).items() if one.label in ants
                    }
                return {}

            found = disagreements(self._solved, labels_of, self._solved.movies)
        told = []
        for one in found:
            name = parse_tracklet_name(str(one.get("tracklet", "")))
            if name is None:
                continue
            colony, frame = self._middle(name.name, name.movie, str(one.get("placed") or one.get("label")))
            probability = one.get("probability")
            told.append(
                {
                    "tracklet": name.name,
                    "movie": name.movie,
                    "label": str(one.get("label", "")),
                    "placed": str(one.get("placed") or ""),
                    "colony": colony,
                    "frame": frame,
                    "probability": float(probability) if isinstance(probability, int | float) else None,
                }
            )
        return told

    def _middle(self, tracklet: str, movie: int, animal: str) -> tuple[str, int | None]:
        """Colony of an animal of a movie, and the absolute frame in the middle of a tracklet."""
        name = parse_tracklet_name(tracklet)
        assert name is not None
        frame = self._session.absolute_frame(movie, (name.first + name.last) // 2)
        if movie not in self._solved.movies:
            return "", frame
        positions = self._solved.movie(movie)
        colonies = [colony for each, colony in zip(positions.ids, positions.colonies, strict=True) if each == animal]
        number = np.flatnonzero(positions.tracklets == tracklet)
        if len(number):
            animals = np.flatnonzero((positions.tracklet == number[0]).any(0))
            colonies = [positions.colonies[each] for each in animals] or colonies
        return (colonies[0] if colonies else ""), frame

    def _rate(self) -> dict[str, Any]:
        found = position_rate(self._marks, self._solved.run, self._solved.placement) if self._solved.movies else None
        found = found or position_rate((), "", lambda cell: None)
        return _told_rate(found)

    # ---- a cell

    def cell(
        self,
        seed: int | None,
        number: int | None,
        movie: int | None,
        frame: int | None,
        animal: str,
        colony: str,
        tracklet: str,
    ) -> dict[str, Any]:
        """A cell by its number in a random order, or by animal and frame, or by animal and tracklet.

        Parameters
        ----------
        seed, number : int or None
            Of the random order, and which of its draws.
        movie, frame : int or None
            The frame is absolute.
        animal, colony : str
            The animal.
        tracklet : str
            What is asked about, whoever is in it; empty for where the animal is.

        Raises
        ------
        OptionError
            It is not told which.
        ExperimentError
            There is none, or a file is damaged.
        """
        self._solved.refresh()
        if seed is not None and number is not None:
            cell = self._solved.draw(seed, number)
        elif movie is not None and animal and (frame is not None or tracklet):
            seed = number = None
            if frame is None:
                if parse_tracklet_name(tracklet) is None:
                    raise ExperimentError(f"{tracklet} is no name of a tracklet")
                _, frame = self._middle(tracklet, movie, animal)
            if frame is None:
                raise ExperimentError(f"the movie table does not tell the frames of movie {movie}")
            cell = Cell(movie, frame, animal, colony)
            if self._solved.column(cell) is None:
                raise ExperimentError(f"the solution has no animal {animal} at frame {frame}")
        else:
            raise OptionError("name a cell: its number in a random order, or an animal and a frame")
        found = self._solved.placement(cell)
        if tracklet and (found is None or found.tracklet != tracklet):
            found = None  # the tracklet is what is asked about, whoever is in it
        return self._told(cell, found, tracklet or (found.tracklet if found else ""), seed, number)

    def _told(
        self, cell: Cell, found: Placement | None, tracklet: str, seed: int | None, number: int | None
    ) -> dict[str, Any]:
        entry = self._session.movies.get(cell.movie)
        fps = entry.fps if entry and entry.fps > 0 else None
        movie_frame = cell.frame - self._solved.movie(cell.movie).first_frame + 1
        label = None
        with contextlib.suppress(ExperimentError):
            if tracklet and (assigned := self._assignments.of(tracklet)):
                label = assigned.label
        run = self._solved.run
        path = self._solved.path(cell, _PATH_FRAMES if fps is None else max(10, round(_PATH_S * fps)))
        x, y = (found.x, found.y) if found else self._centre(cell.movie, tracklet, movie_frame)
        return {
            "movie": cell.movie,
            "movie_name": entry.name if entry else "",
            "frame": cell.frame,
            "movie_frame": movie_frame,
            "seconds": None if fps is None else (cell.frame - 1) / fps,
            "id": cell.id,
            "colony": cell.colony,
            "tracklet": tracklet,
            "x": _finite(x),
            "y": _finite(y),
            "kind": found.kind if found else None,
            "confidence": found.confidence if found else None,
            "alternatives": [name for name in found.alternative.split("|") if name] if found else [],
            "label": label,
            "others": [name for name in self._solved.placed_in(cell.movie, tracklet) if name != cell.id],
            "path": np.round(path.astype(float), 1).tolist(),
            "shots": [_told_shot(shot) for shot in shots_of(self._solved, self._catalog, cell, tracklet)],
            "film": why_no_film(self._session, cell.movie),
            **self._said(cell, run),
            "seed": seed,
            "number": number,
            "solution": self._solved.digest,
        }

    def _centre(self, movie: int, tracklet: str, movie_frame: int) -> tuple[float, float]:
        """The middle of a blob's box, where nobody is placed in it; NaN where it is not known."""
        with contextlib.suppress(AntraxError):
            if tracklet and (box := read_box(self._session, movie, tracklet, movie_frame)):
                return box[0] + box[2] / 2, box[1] + box[3] / 2
        return float("nan"), float("nan")

    def _said(self, cell: Cell, run: str) -> dict[str, Any]:
        mark = self._marks.current(cell, run)
        return {
            "mark": _told_mark(mark, run) if mark else None,
            "history": [_told_mark(old, run) for old in reversed(self._marks.about(cell))],
        }

    def neighbours(self, movie: int, tracklet: str) -> dict[str, Any]:
        """Parents and children of a tracklet. A missing or damaged graph is reported as a problem."""
        try:
            parents, children, single = self._resolver.neighbours(tracklet, movie)
        except AntraxError as error:
            return {"single": None, "shots": [], "parents": [], "children": [], "problem": str(error)}
        shots = [
            *neighbour_shots(self._solved, self._catalog, parents, "parent"),
            *neighbour_shots(self._solved, self._catalog, children, "child"),
        ]
        return {
            "single": single,
            "shots": [_told_shot(shot) for shot in shots],
            "parents": list(parents),
            "children": list(children),
            "problem": None,
        }

    # ---- marks and corrections

    def mark(
        self,
        cell: Cell,
        tracklet: str,
        verdict: PositionVerdict | None,
        true_id: str,
        seed: int | None,
        number: int | None,
        who: str,
    ) -> dict[str, Any]:
        """Write a mark, or remove the present one.

        Parameters
        ----------
        cell : Cell
            An animal and a frame.
        tracklet : str
            Where the person saw the animal.
        verdict : PositionVerdict or None
            None takes the present mark back.
        true_id : str
            Who it is instead, or empty.
        seed, number : int or None
            Of the random order that the cell was drawn in.
        who : str
            The person.

        Raises
        ------
        ConflictError
            The animal is no longer placed where the person saw it.
        OptionError, OutputError
        """
        self._solved.refresh()
        now = self._solved.placement(cell)
        run = self._solved.run
        standing = self._marks.current(cell, run)
        if now is None or now.tracklet != tracklet:
            if verdict is not None or standing is None:
                raise ConflictError(f"{cell.id} is not placed there any more at frame {cell.frame}; look again")
            now = None
        is_random = seed is not None and number is not None and self._solved_at(standing, seed, number, cell)
        self._marks.add(
            PositionMark(
                time=datetime.now(UTC).isoformat(timespec="seconds"),
                who=who,
                cell=cell,
                tracklet=tracklet,
                kind=now.kind if now else standing.kind if standing else "single",
                confidence=now.confidence if now else None,
                verdict=verdict,
                true_id=true_id,
                seed=seed if is_random and seed is not None else -1,
                number=number if is_random and number is not None else -1,
                solution=self._solved.digest,
                run=run,
                met="random" if is_random else "chosen",
            )
        )
        told = _NAMES[verdict] if verdict else "mark taken back"
        return {
            "message": f"{cell.id} at frame {cell.frame:,}: {told}" + (f", it is {true_id}" if true_id else ""),
            "rate": self._rate(),
            **self._said(cell, run),
            "versions": self._versions(),
        }

    def _solved_at(self, standing: PositionMark | None, seed: int, number: int, cell: Cell) -> bool:
        """Whether the cell was sampled at random: from the present solution, or when it was marked before."""
        if standing is not None and standing.met == "random" and (standing.seed, standing.number) == (seed, number):
            return True
        return self._solved.draw(seed, number) == cell

    def correct(self, movie: int, tracklet: str, animal: str, colony: str, is_it: bool, who: str) -> dict[str, Any]:
        """Write a correction, and solve the affected part again. Raises `AntraxError`.

        Parameters
        ----------
        movie : int
            Of the tracklet.
        tracklet : str
            What is corrected.
        animal, colony : str
            The animal.
        is_it : bool
            False: the tracklet is not that animal.
        who : str
            The person.
        """
        self._solved.refresh()
        if movie not in self._solved.movies:
            raise OptionError(f"movie {movie} is not solved")
        if self._labels().category(animal) is not Category.ANT:
            raise OptionError(f"{animal} is no ID of this session")
        done = self._resolver.apply(tracklet, movie, animal, colony, is_it=is_it, who=check_who(who))
        said = f"{tracklet} is {'' if is_it else 'not '}{animal}"
        changes = [
            {
                "tracklet": one.tracklet,
                "movie": one.movie,
                "first": one.first,
                "last": one.last,
                "before": list(one.before),
                "after": list(one.after),
            }
            for one in done.changes
        ]
        return {
            "message": f"{said}: {_counted(len(changes), 'tracklet')} and {_counted(done.cells, 'cell')} changed",
            "changes": changes,
            "cells": done.cells,
            "cut": done.cut,
            "tracklets": done.tracklets,
            "seconds": round(done.seconds, 3),
            "can_undo": self._resolver.can_undo,
            "versions": self._versions(),
        }

    def undo(self) -> dict[str, Any]:
        """Undo the last correction. Raises `AntraxError`."""
        started = datetime.now(UTC)
        what = self._resolver.undo()
        return {
            "message": f"taken back: {what}",
            "changes": [],
            "cells": 0,
            "cut": False,
            "tracklets": 0,
            "seconds": round((datetime.now(UTC) - started).total_seconds(), 3),
            "can_undo": self._resolver.can_undo,
            "versions": self._versions(),
        }


def _counted(number: int, one: str) -> str:
    return f"{number:,} {one}" + ("" if number == 1 else "s")


def _finite(value: float) -> float | None:
    return round(float(value), 1) if np.isfinite(value) else None


def _told_rate(rate: PositionRate) -> dict[str, Any]:
    return {
        "errors": rate.errors,
        "checked": rate.checked,
        "cannot_say": rate.cannot_say,
        "rate": rate.errors / rate.checked if rate.checked else None,
        "low": rate.interval.low,
        "high": rate.interval.high,
        "rescored": rate.rescored,
        "moved": rate.moved,
        "chosen": rate.chosen,
    }


def _told_mark(mark: PositionMark, run: str) -> dict[str, Any]:
    return {
        "verdict": mark.verdict,
        "tracklet": mark.tracklet,
        "true_id": mark.true_id,
        "who": mark.who,
        "time": mark.time,
        "current": mark.run == run,
    }


def _told_shot(shot: Shot) -> dict[str, Any]:
    return {
        "tracklet": shot.tracklet,
        "relation": shot.relation,
        "placed": list(shot.placed),
        "first": shot.first,
        "last": shot.last,
        "images": list(shot.images),
        "frames": list(shot.frames),
    }
