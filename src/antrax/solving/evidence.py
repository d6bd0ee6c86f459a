"""Evidence on each tracklet: labels, manual labels and configuration files.

Read are `labels/autoids_<m>.csv` with the probabilities of `labels/confidence_<m>.csv` where there are any,
`labels/manualids.csv`, `parameters/prop.cfg` and `parameters/ids.cfg`. Manual labels take precedence over the
classifier's.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antrax.errors import ExperimentError
from antrax.io.results import Assignment, classified_movies, read_movie
from antrax.io.session import Movie, Session
from antrax.io.text import read_text
from antrax.io.tracklet_graph import TrackletGraph
from antrax.labels import Category, Labels, match_labels

_TIME = re.compile(r"start|end|m([0-9]{1,12})(?:f([0-9]{1,12}))?|f([0-9]{1,12})")


@dataclass(frozen=True, eq=False)
class Evidence:
    """Evidence on n tracklets and k IDs.

    Parameters
    ----------
    ids : tuple of str
        The IDs of the group, k of them.
    label : (n,) array of int64
        ID that the tracklet is labelled with, -1 for none.
    score : (n,) array of float64
        Score of the label in `autoids_<m>.csv`; infinite for manual labels.
    probability : (n, k) array of float32
        Probability of each ID by the classifier; rows without information hold 1 / k.
    manual : (n,) array of bool
        Labelled by a person.
    multi, non_ant : (n,) array of bool
        Labelled as several animals, and as something that is no animal.
    single : (n,) array of int8
        1 or 0 where `prop.cfg` says whether a tracklet is of a single animal; -1 elsewhere.
    impossible : (n, k) array of bool
        IDs that people excluded.
    fixed : (n, k) array of bool
        IDs that people assigned in `prop.cfg`.
    """

    ids: tuple[str, ...]
    label: NDArray[np.int64]
    score: NDArray[np.float64]
    probability: NDArray[np.float32]
    manual: NDArray[np.bool_]
    multi: NDArray[np.bool_]
    non_ant: NDArray[np.bool_]
    single: NDArray[np.int8]
    impossible: NDArray[np.bool_]
    fixed: NDArray[np.bool_]

    def select(self, keep: NDArray[np.bool_] | NDArray[np.int64]) -> Evidence:
        """The same for some of the tracklets."""
        return Evidence(self.ids, **{name: getattr(self, name)[keep] for name in _COLUMNS})


_COLUMNS = ("label", "score", "probability", "manual", "multi", "non_ant", "single", "impossible", "fixed")


def no_evidence(count: int, ids: tuple[str, ...]) -> Evidence:
    """Evidence without information on `count` tracklets."""
    size = len(ids)
    return Evidence(
        ids,
        np.full(count, -1, np.int64),
        np.zeros(count),
        np.full((count, size), 1 / max(size, 1), np.float32),
        np.zeros(count, bool),
        np.zeros(count, bool),
        np.zeros(count, bool),
        np.full(count, -1, np.int8),
        np.zeros((count, size), bool),
        np.zeros((count, size), bool),
    )


def evidence_from_labels(graph: TrackletGraph, ids: tuple[str, ...], labels: dict[str, str]) -> Evidence:
    """Evidence from IDs alone, for experiments of one's own.

    Parameters
    ----------
    graph : TrackletGraph
    ids : tuple of str
    labels : dict of str to str
        ID by tracklet.

    Examples
    --------
    >>> from antrax.io.graphs import build_graph
    >>> graph = build_graph(["a", "b"], [1, 1], [9, 9], [])
    >>> evidence_from_labels(graph, ("X", "Y"), {"b": "Y"}).label.tolist()
    [-1, 1]
    """
    found = no_evidence(len(graph), ids)
    for name, label in labels.items():
        row = graph.row[name]
        found.label[row] = ids.index(label)
        found.score[row] = 1.0
        found.probability[row] = np.arange(len(ids)) == found.label[row]
    return found


def read_evidence(session: Session, graph: TrackletGraph) -> tuple[Evidence, tuple[str, ...]]:
    """What is known of the tracklets of a graph, and what of the files could not be used.

    Parameters
    ----------
    session : Session
    graph : TrackletGraph

    Returns
    -------
    Evidence
    tuple of str
        A line for each thing that was left out: damaged files, labels that the session does not have, tracklets that
        are in no graph.

    Raises
    ------
    LabelsError
        `labels.csv` is missing or contradicts itself.
    ExperimentError
        The session has no ID.
    """
    labels = session.labels
    ids = tuple(label for label in labels.all if labels.category(label) is Category.ANT)
    if not ids:
        raise ExperimentError(f"{session.layout.labels_file} has no ant label, so no animal can be placed")
    found = no_evidence(len(graph), ids)
    problems = [
        *_add_autoids(session, graph, labels, found),
        *_add_manualids(session, graph, labels, found),
        *_add_prop_cfg(session, graph, found),
        *_add_ids_cfg(session, graph, found),
    ]
    if not (found.label >= 0).any() and not found.fixed.any():
        problems.append(
            f"{session.labels_dir} gives no tracklet an ID, so animals cannot be told apart and none is placed; "
            "classify the experiment first"
        )
    return found, tuple(problems)


def _few(names: Iterable[str], most: int = 3) -> str:
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _add_autoids(session: Session, graph: TrackletGraph, labels: Labels, found: Evidence) -> list[str]:
    problems = []
    have = set(classified_movies(session))
    missing = [str(movie) for movie in graph.movies.tolist() if movie not in have]
    if missing:
        problems.append(f"{session.labels_dir} has no labels of movies {_few(missing, 10)}; classify them first")
    strange: Counter[str] = Counter()
    nowhere: list[str] = []
    number = {label: place for place, label in enumerate(found.ids)}
    for movie in graph.movies.tolist():
        if movie not in have:
            continue
        try:
            results = read_movie(session, movie)
        except ExperimentError as error:
            problems.append(f"{error}; movie {movie} is solved without its labels")
            continue
        if results.problem:
            problems.append(f"{results.problem}; the labels of movie {movie} are used without their probabilities")
        for name, given in results.assignments.items():
            row = graph.row.get(name)
            if row is None:
                nowhere.append(name)
                continue
            category = labels.category(given.label)
            if category is None:
                strange[given.label] += 1
            found.multi[row] = category is Category.MULTI
            found.non_ant[row] = category is Category.NONANT
            if category is Category.ANT:
                found.label[row] = number[given.label]
                found.score[row] = given.score
            found.probability[row] = _probabilities(given, number)
    if strange:
        problems.append(
            f"{session.labels_dir}: {sum(strange.values())} tracklets have labels that the session does not have "
            f"({_few(strange)}) and count as not labelled; classify again, or correct parameters/labels.csv"
        )
    if nowhere:
        problems.append(f"{session.labels_dir}: {len(nowhere)} labelled tracklets are in no graph ({_few(nowhere)})")
    return problems


def _probabilities(given: Assignment, number: dict[str, int]) -> NDArray[np.float32]:
    """Probability of each ID from the two that are kept; what remains is shared by all alike."""
    size = len(number)
    found = np.zeros(size, np.float32)
    if given.confidence is None:  # results of anTraX
        if given.label in number:
            found[number[given.label]] = 1
            return found
        return np.full(size, 1 / size, np.float32)
    for name, value in ((given.best_label, given.confidence), (given.runner_up, given.runner_up_confidence)):
        if name in number and value is not None:
            found[number[name]] += value
    found += max(0.0, 1 - float(found.sum())) / size
    result: NDArray[np.float32] = found / found.sum()
    return result


def _add_manualids(session: Session, graph: TrackletGraph, labels: Labels, found: Evidence) -> list[str]:
    path = session.layout.manual_ids_file
    try:
        rows = list(csv.DictReader(read_text(path).split("\n")))
    except FileNotFoundError:
        return []
    except (OSError, csv.Error) as error:
        return [f"{path} cannot be read ({error}); the IDs in it are not used"]
    if rows and not {"tracklet", "label"} <= set(rows[0]):
        return [f"{path} has no columns tracklet and label; the IDs in it are not used"]
    problems, nowhere, strange = [], [], []
    spelt = match_labels({entry["label"] or "" for entry in rows}, labels.all)
    for entry in rows:
        name, label = (entry["tracklet"] or "").strip(), spelt[entry["label"] or ""]
        row, category = graph.row.get(name), labels.category(label)
        if row is None:
            nowhere.append(name)
        elif category is None:
            strange.append(label)
        else:
            found.multi[row], found.non_ant[row] = category is Category.MULTI, category is Category.NONANT
            found.manual[row] = True
            found.label[row] = found.ids.index(label) if category is Category.ANT else -1
            found.score[row] = np.inf if category is Category.ANT else 0
            found.probability[row] = (
                np.arange(len(found.ids)) == found.label[row] if category is Category.ANT else 1 / len(found.ids)
            )
    if nowhere:
        problems.append(f"{path}: {len(nowhere)} tracklets are in no graph ({_few(nowhere)})")
    if strange:
        problems.append(
            f"{path}: labels that the session does not have are passed over ({_few(dict.fromkeys(strange))})"
        )
    return problems + _twice(path, graph, found)


def _twice(path: Path, graph: TrackletGraph, found: Evidence) -> list[str]:
    """Manual IDs that place an animal in two tracklets at a time."""
    problems = []
    for animal, name in enumerate(found.ids):
        rows = np.flatnonzero(found.manual & (found.label == animal))
        rows = rows[np.lexsort((graph.first[rows], graph.colony[rows]))]
        for one, other in zip(rows[:-1].tolist(), rows[1:].tolist(), strict=True):
            if graph.colony[one] == graph.colony[other] and graph.first[other] <= graph.last[one]:
                problems.append(
                    f"{path} puts {name} into two places at frame {graph.first[other]}: {graph.names[one]} and "
                    f"{graph.names[other]}; correct one of them"
                )
    return problems


def _config_lines(path: Path, problems: list[str]) -> list[tuple[str, list[str]]]:
    """Where each line of a configuration file is, and its words; comments and blank lines left out.

    There is none where there is no such file, or it cannot be read, which is added to `problems`.
    """
    try:
        lines = read_text(path).split("\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        problems.append(f"{path} cannot be read ({error.strerror}); it is not used")
        return []
    split = [re.split(r"[\s,]+", line.split("#")[0].split("%")[0].strip()) for line in lines]
    return [(f"{path}, line {number}", words) for number, words in enumerate(split, 1) if words != [""]]


def _add_prop_cfg(session: Session, graph: TrackletGraph, found: Evidence) -> list[str]:
    problems: list[str] = []
    for where, words in _config_lines(session.layout.manual_propagation_file, problems):
        if len(words) != 3 or words[0] not in ("single", "assign", "eliminate"):
            problems.append(f"{where}: expected single, assign or eliminate, a tracklet, and a value; passed over")
            continue
        command, name, value = words
        label = match_labels([value], found.ids)[value]
        row = graph.row.get(name)
        if row is None:
            problems.append(f"{where}: there is no tracklet {name}; passed over")
        elif command == "single":
            if value.lower() not in ("0", "1", "true", "false"):
                problems.append(f"{where}: single takes 0 or 1, not {value}; passed over")
            else:
                found.single[row] = value.lower() in ("1", "true")
        elif label not in found.ids:
            problems.append(f"{where}: {value} is no ant label of the session; passed over")
        else:
            (found.fixed if command == "assign" else found.impossible)[row, found.ids.index(label)] = True
    return problems


def _add_ids_cfg(session: Session, graph: TrackletGraph, found: Evidence) -> list[str]:
    problems: list[str] = []
    movies = session.movies
    for where, words in _config_lines(session.layout.id_changes_file, problems):
        if words[0] != "remove" or len(words) not in (4, 5):
            problems.append(f"{where}: expected remove, a colony or all, an ID, and two times; passed over")
            continue
        colony, name, begin, end = words[1:] if len(words) == 5 else ["all", *words[1:]]
        first, last = _frame(movies, begin, False), _frame(movies, end, True)
        label = match_labels([name], found.ids)[name]
        if label not in found.ids:
            problems.append(f"{where}: {name} is no ant label of the session; passed over")
        elif colony != "all" and colony not in graph.colony:
            problems.append(f"{where}: no tracklet is of the colony {colony}; passed over")
        elif first is None or last is None:
            wrong = begin if first is None else end
            problems.append(
                f"{where}: {wrong[:40]} is no time (start, end, m<movie>, f<frame> or m<movie>f<frame>); passed over"
            )
        else:
            rows = (graph.first <= last) & (graph.last >= first)
            if colony != "all":
                rows &= graph.colony == colony
            found.impossible[rows, found.ids.index(label)] = True
    return problems


def _frame(movies: Mapping[int, Movie], text: str, is_end: bool) -> int | None:
    """Absolute frame of a time in `ids.cfg`; None where it is none."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    if text in ("start", "end"):
        return 0 if text == "start" else int(np.iinfo(np.int64).max)
    if match[3]:
        return int(match[3])
    movie = movies.get(int(match[1]))
    if movie is None or not movie.fi:
        return None
    if match[2]:
        return movie.fi + int(match[2]) - 1
    return movie.ff if is_end else movie.fi
