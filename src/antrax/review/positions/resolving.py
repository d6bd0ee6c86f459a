"""Corrections: storing them, solving the affected part again, and updating the files of positions.

The graph, labels and placements of a movie and its neighbours are kept in memory, for reading them takes longer than
solving. Only the movies in which something changed are written.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antrax.errors import ConflictError, ExperimentError, NothingToUndoError, OptionError
from antrax.io.atomic import make_folder, write_atomically
from antrax.io.graphs import read_graph
from antrax.io.locks import claim
from antrax.io.positions import Kind, Placements, place, placements_of
from antrax.io.session import Session
from antrax.io.solution_writer import writing_solution
from antrax.io.tracklet_graph import TrackletGraph
from antrax.io.trdata import BlobMeasurements, read_measurements
from antrax.review.positions.corrections import Edit, correct, take_back
from antrax.review.positions.solved import Solved
from antrax.solving.evidence import Evidence, read_evidence
from antrax.solving.groups import Group, movie_groups, split_groups
from antrax.solving.local import Correction, LocalSolution, Placed, solve_around
from antrax.solving.methods import Settings
from antrax.solving.singles import find_singles

# Movies on either side of the one that a correction is in.
_AROUND = 1


@dataclass(frozen=True)
class PlacementChange:
    """A tracklet in which other animals are placed after a correction.

    Parameters
    ----------
    tracklet : str
    movie, first, last : int
        Frames are absolute.
    before, after : tuple of str
        IDs placed there; none where nobody is.
    """

    tracklet: str
    movie: int
    first: int
    last: int
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True)
class Resolved:
    """Result of a correction.

    Parameters
    ----------
    changes : tuple of PlacementChange
    cells : int
        ID × frame cells that are filled otherwise now.
    cut : bool
        The exchange may go on beyond what was solved.
    tracklets : int
        Number of tracklets that were solved.
    seconds : float
        From the first byte read to the last one written.
    """

    changes: tuple[PlacementChange, ...]
    cells: int
    cut: bool
    tracklets: int
    seconds: float


@dataclass(frozen=True, eq=False)
class _Part:
    """Some movies of a session, ready to be solved."""

    movies: tuple[int, ...]
    graph: TrackletGraph
    evidence: Evidence
    groups: list[Group]
    single: NDArray[np.bool_]
    borders: dict[int, tuple[int, int]]


@dataclass(frozen=True, eq=False)
class _Done:
    """A correction that can be taken back."""

    edits: list[Edit]
    placements: dict[int, Placements]
    solution: str
    contradictions: list[Any]


class Resolver:
    """Carries corrections out. Thread-safe.

    Parameters
    ----------
    solved : Solved
    """

    def __init__(self, solved: Solved) -> None:
        self._solved = solved
        self._session: Session = solved.session
        self._lock = threading.RLock()
        self._part: tuple[object, _Part] | None = None
        self._measured: dict[int, tuple[object, BlobMeasurements]] = {}
        self._done: list[_Done] = []

    # ---- tracklets

    def prepare(self, movie: int) -> None:
        """Read the data that corrections in a movie need, in advance. Raises `AntraxError`."""
        with self._lock:
            part = self._of(movie)
            for each in part.movies:
                self._solved.movie(each)

    def neighbours(self, tracklet: str, movie: int) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
        """Tracklets that lead into one and out of it by the graph, and whether it is of a single animal.

        Raises
        ------
        AntraxError
            The graph cannot be read, or does not have the tracklet.
        """
        with self._lock:
            part = self._of(movie)
            row = self._row(part, tracklet)
            names = part.graph.names
            return (
                tuple(str(names[other]) for other in part.graph.parents[row]),
                tuple(str(names[other]) for other in part.graph.children[row]),
                bool(part.single[row]),
            )

    def _row(self, part: _Part, tracklet: str) -> int:
        row = part.graph.row.get(tracklet)
        if row is None:
            raise ExperimentError(f"{tracklet} is in no graph of {self._session.layout.graphs}")
        return row

    def _of(self, movie: int) -> _Part:
        group = next((group for group in movie_groups(self._session, self._solved.movies) if movie in group), (movie,))
        if self._solved.method == "antrax":
            movies = group
        else:
            at = group.index(movie)
            movies = group[max(0, at - _AROUND) : at + _AROUND + 1]
        stamps = tuple(
            _stamp(path)
            for kind in ("autoids", "confidence")
            for each in movies
            for path in self._session.layout.files(kind).get(each, ())
        )
        key = (movies, stamps, self._solved.method)
        if self._part is None or self._part[0] != key:
            reading = read_graph(self._session, movies, workers=1)
            if reading.failed:
                raise ExperimentError(next(iter(reading.failed.values())))
            graph = reading.graph
            evidence, _ = read_evidence(self._session, graph)
            groups, _ = split_groups(self._session, graph)
            settings = Settings.of_session(self._session)
            single, _ = find_singles(graph, evidence, settings.rules.min_area, settings.rules.max_area)
            table = self._session.movies
            whole = (
                min((table[each].fi for each in group if each in table), default=graph.span[0]),
                max((table[each].ff for each in group if each in table), default=graph.span[1]),
            )
            part = _Part(tuple(movies), graph, evidence, groups, single, dict.fromkeys(movies, whole))
            self._part = (key, part)
        return self._part[1]

    # ---- corrections

    @property
    def can_undo(self) -> bool:
        """Whether there is a correction to take back."""
        return bool(self._done)

    def apply(self, tracklet: str, movie: int, animal: str, colony: str, *, is_it: bool, who: str) -> Resolved:
        """Store a correction, and solve the affected part again.

        Parameters
        ----------
        tracklet : str
        movie : int
            Of the tracklet.
        animal, colony : str
        is_it : bool
            False: the tracklet is not that animal.
        who : str
            The person's name.

        Raises
        ------
        OptionError
            The session has no such ID.
        AntraxError
            Something cannot be read, solved or written; then nothing is changed.
        """
        started = datetime.now(UTC)
        with self._lock, claim(make_folder(self._session.layout.logs, within=self._session.path), "solve", None):
            part = self._of(movie)
            row = self._row(part, tracklet)
            if animal not in part.evidence.ids:
                raise OptionError(f"{animal} is no ID of {self._session.layout.labels_file}")
            group = next((group for group in part.groups if row in group.rows), None)
            if group is None:
                raise ExperimentError(f"{tracklet} is in no colony, or in several, and cannot be placed")
            placements = {each: self._placements(part, each) for each in part.movies if each in self._solved.movies}
            run = self._solved.run
            edits = correct(
                self._session, tracklet, animal, is_it=is_it, single=bool(part.single[row]), colony=group.colony
            )
            try:
                local = self._solve(part, group, placements, row, part.evidence.ids.index(animal))
                changes = _changes(part, local, placements)
                after = self._merged(part, local, placements)
                record = self._record(run, local, f"{tracklet} is {'' if is_it else 'not '}{animal}", who)
                kept = list(self._solved.record.get("contradictions") or ())
                digest = self._write(after, record, run)
            except BaseException:
                take_back(self._session, edits)
                self._part = None  # what was read had the correction in it
                raise
            before = {each: placements[each] for each in after}
            self._done.append(_Done(edits, before, digest, kept))
        cells = sum(
            (change.last - change.first + 1) * len(set(change.before) ^ set(change.after)) for change in changes
        )
        seconds = (datetime.now(UTC) - started).total_seconds()
        return Resolved(tuple(changes), cells, local.cut, local.tracklets, seconds)

    def undo(self) -> str:
        """Undo the last correction and its consequences; returns the tracklet that it was about.

        Raises
        ------
        NothingToUndoError
            There is none of this run of the app.
        ConflictError
            The session was solved anew since.
        """
        with self._lock, claim(make_folder(self._session.layout.logs, within=self._session.path), "solve", None):
            if not self._done:
                raise NothingToUndoError("there is no correction to take back")
            last = self._done[-1]
            self._solved.refresh()
            if self._solved.digest != last.solution:
                self._done.clear()
                raise ConflictError("the session was solved anew since, so the correction cannot be taken back here")
            run = self._solved.run
            take_back(self._session, last.edits)
            record = dict(self._solved.record)
            corrections = dict(record.get("corrections") or {})
            made = list(corrections.get("made") or ())
            told = made.pop() if made else {}
            record["corrections"] = {**corrections, "made": made}
            record["contradictions"] = last.contradictions
            self._write(last.placements, record, run)
            self._done.pop()
            if self._done:
                self._done[-1] = replace(self._done[-1], solution=self._solved.digest)
            self._refresh_evidence()
            return str(told.get("what", ""))

    def _solve(
        self, part: _Part, group: Group, placements: dict[int, Placements], row: int, animal: int
    ) -> LocalSolution:
        self._refresh_evidence()
        assert self._part is not None
        part = self._part[1]
        placed = _placed(part, placements, group.colony)
        were = np.flatnonzero(placed.kind[row] != Kind.UNDECIDED)
        animals, borders = np.union1d(were, [animal]), part.borders[int(part.graph.movie[row])]
        return solve_around(
            Correction(part.graph, part.evidence, group, placed, row, animals, borders),
            Settings.of_session(self._session, self._max_error()),
            "joint" if self._solved.method == "joint" else "antrax",
        )

    def _refresh_evidence(self) -> None:
        """Evidence on the tracklets, including the correction that was just written."""
        if self._part is None:
            return
        key, part = self._part
        evidence, _ = read_evidence(self._session, part.graph)
        self._part = (key, replace(part, evidence=evidence))

    def _max_error(self) -> float:
        value = self._solved.record.get("max_error")
        return float(value) if isinstance(value, int | float) and 0 < value < 1 else 0.01

    def _placements(self, part: _Part, movie: int) -> Placements:
        singles = part.single

        def is_single(name: str) -> bool:
            row = part.graph.row.get(name)
            return row is not None and bool(singles[row])

        return placements_of(self._solved.movie(movie), is_single)

    def _merged(self, part: _Part, local: LocalSolution, placements: dict[int, Placements]) -> dict[int, Placements]:
        """Placements of the movies in which something changed."""
        new = local.solution.placements()
        changed = part.graph.names[local.rows]
        merged = {}
        for movie in sorted(set(part.graph.movie[local.rows].tolist()) & set(placements)):
            old = placements[movie]
            keep = ~(np.isin(old.tracklet, changed) & _of_colony(old, local.solution.colony))
            here = new.of_movie(movie)
            animals = {key: number for number, key in enumerate(zip(old.colonies, old.ids, strict=True))}
            number = np.array(
                [animals.get((local.solution.colony, name), -1) for name in new.ids], np.int64
            )[new.animal[here]]  # fmt: skip
            known = number >= 0
            here, number = here[known], number[known]

            def join(old_values: NDArray[Any], new_values: NDArray[Any]) -> NDArray[Any]:
                return np.concatenate([old_values[keep], new_values])  # noqa: B023

            merged[movie] = Placements(
                old.ids,
                old.colonies,
                join(old.tracklet, new.tracklet[here]),
                join(old.animal, number),
                join(old.kind, new.kind[here]),
                join(old.single, new.single[here]),
                join(old.confidence, new.confidence[here]),
                join(old.alternative, new.alternative[here]),
            )
        return merged

    def _record(self, run: str, local: LocalSolution, what: str, who: str) -> dict[str, Any]:
        """`logs/solve.json` with the correction in it."""
        record = dict(self._solved.record) or {"method": self._solved.method}
        changed = set(local.solution.graph.names.tolist())
        kept = [one for one in record.get("contradictions") or () if one.get("tracklet") not in changed]
        new = [
            {
                "tracklet": one.tracklet,
                "label": one.label,
                "probability": None if np.isnan(one.probability) else round(one.probability, 6),
                "placed": one.placed,
            }
            for one in local.solution.contradictions
        ]
        corrections = dict(record.get("corrections") or {})
        time = datetime.now(UTC).isoformat(timespec="seconds")
        made = [*(corrections.get("made") or ()), {"time": time, "who": who, "what": what}]
        return {**record, "contradictions": [*kept, *new], "corrections": {"run": run, "made": made}}

    def _write(self, placements: dict[int, Placements], record: dict[str, Any], run: str) -> str:
        """Put movies into the files of positions; the digest of all of them then."""
        with writing_solution(self._session) as writer:
            for movie, pairs in placements.items():
                writer.add(pairs, place(self._session, movie, pairs, self._measurements(movie)))
        self._solved.refresh()
        digest = self._solved.digest
        record["corrections"] = {**record["corrections"], "run": run, "solution": digest}
        write_atomically(self._session.layout.solving_record, json.dumps(record, indent=1) + "\n")
        return digest

    def _measurements(self, movie: int) -> BlobMeasurements:
        stamps = tuple(_stamp(path) for path in self._session.layout.files("trdata").get(movie, ()))
        known = self._measured.get(movie)
        if known is None or known[0] != stamps:
            if len(self._measured) > 2 * _AROUND:
                self._measured.pop(next(iter(self._measured)))
            known = self._measured[movie] = stamps, read_measurements(self._session, movie)
        return known[1]


def _stamp(path: Any) -> tuple[str, int, int, int]:
    try:
        status = path.stat()
    except OSError:
        return str(path), 0, 0, 0
    return str(path), status.st_mtime_ns, status.st_size, status.st_ino


def _of_colony(placements: Placements, colony: str) -> NDArray[np.bool_]:
    of = np.array([name == colony for name in placements.colonies], bool)
    found: NDArray[np.bool_] = of[placements.animal]
    return found


def _placed(part: _Part, placements: dict[int, Placements], colony: str) -> Placed:
    """Placements of all tracklets of a part, for one colony's animals."""
    ids = part.evidence.ids
    kind = np.zeros((len(part.graph), len(ids)), np.int8)
    probability = np.full((len(part.graph), len(ids)), np.nan, np.float32)
    for pairs in placements.values():
        animals = zip(pairs.ids, pairs.colonies, strict=True)
        number = np.array([ids.index(name) if of == colony and name in ids else -1 for name, of in animals], np.int64)
        row = np.array([part.graph.row.get(name, -1) for name in pairs.tracklet.tolist()], np.int64)
        animal = number[pairs.animal] if len(pairs.animal) else pairs.animal
        known = (row >= 0) & (animal >= 0)
        kind[row[known], animal[known]] = pairs.kind[known]
        probability[row[known], animal[known]] = pairs.confidence[known]
    return Placed(kind, probability)


def _changes(part: _Part, local: LocalSolution, placements: dict[int, Placements]) -> list[PlacementChange]:
    placed = _placed(part, placements, local.solution.colony).kind != Kind.UNDECIDED
    ids = part.evidence.ids
    changes = []
    for now, row in zip(local.solution.placed, local.rows.tolist(), strict=True):
        before, after = _names(ids, placed[row]), _names(ids, now)
        if before != after:
            graph = part.graph
            span = int(graph.first[row]), int(graph.last[row])
            changes.append(PlacementChange(str(graph.names[row]), int(graph.movie[row]), *span, before, after))
    return changes


def _names(ids: tuple[str, ...], placed: NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(ids[animal] for animal in np.flatnonzero(placed))


def disagreements(solved: Solved, labels_of: Any, movies: Iterable[int]) -> list[dict[str, Any]]:
    """Tracklets whose own label is an ID that the solution does not place there, movie by movie.

    For solutions of MATLAB, which keep no list of them.

    Parameters
    ----------
    solved : Solved
    labels_of : callable
        ID labels of a movie's tracklets, by name.
    movies : iterable of int
    """
    found = []
    for movie in movies:
        positions = solved.movie(movie)
        for name, label in labels_of(movie).items():
            placed = solved.placed_in(movie, name)
            if placed and label not in placed and label in positions.ids:
                found.append({"tracklet": name, "label": label, "probability": None, "placed": placed[0]})
    return found
