"""LabelRenaming a label of a session everywhere: labels, examples, results, marks, corrections, positions, classifiers.

What is to be done is written down first (`antrax.io.renaming`). Each step replaces files by renamed ones and leaves
alone what is renamed already, so a renaming that is broken off at whatever moment goes on with the same steps.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from antrax.errors import ClassifierError, ExperimentError, LabelsError, LockedError, OutputError
from antrax.io.atomic import fsync_folder, write_atomically
from antrax.io.examples import is_example_name
from antrax.io.labels_file import rename_listed_label
from antrax.io.layout import CLASSIFIER_SUFFIX, classifier_claim
from antrax.io.locks import claim, claims, only_writer
from antrax.io.positions_table import broken_off, positions_file, read_table
from antrax.io.regular_files import is_regular, read_regular
from antrax.io.renaming import LabelRenaming, begin_renaming, unfinished_renaming
from antrax.io.results import autoids_file, classified_movies, content_digest, read_movie, result_files
from antrax.io.results_renaming import rename_in_result, renamed_labels
from antrax.io.runs import follow_renaming, size_and_time
from antrax.io.session import Session, as_session
from antrax.io.solution_writer import rename_in_solution
from antrax.io.solving_record import read_solving_record, solution_turn
from antrax.io.stamps import stamp_of
from antrax.labels import UNKNOWN, check_new_label, clean_label
from antrax.review.positions.corrections import rename_label as rename_in_corrections
from antrax.review.positions.marks import PositionMark, PositionMarks
from antrax.review.positions.solved import Solved
from antrax.review.training_set.changes import other_name
from antrax.review.validation.marks import Marks
from antrax.review.validation.verdicts import Mark
from antrax.training.relabelling import rename_in_classifier, with_other_name

_TASK = "renaming a label"


@dataclass(frozen=True)
class Renamed:
    """Result of renaming a label.

    Parameters
    ----------
    label, new : str
        Old and new name.
    examples : int
        Images of the training set.
    results, positions : int
        Movies with tracklets of that label, and movies with positions of it.
    marks : int
        Marks on labels and positions that name it.
    corrections : int
        Lines of manual corrections.
    classifiers : int
        Those that know it.
    """

    label: str
    new: str
    examples: int
    results: int
    positions: int
    marks: int
    corrections: int
    classifiers: int

    @property
    def message(self) -> str:
        """What was done, in one sentence."""
        counts = [
            (self.examples, "example{s}"),
            (self.results, "result{s} of movies"),
            (self.marks, "mark{s}"),
            (self.corrections, "correction{s}"),
            (self.positions, "movie{s} with positions"),
            (self.classifiers, "classifier{s}"),
        ]
        said = [f"{count:,} {noun.format(s='s' * (count != 1))}" for count, noun in counts if count]
        return f"{self.label} is called {self.new} now" + (f", in {', '.join(said)} too" if said else "")


def rename_label(session: Session | str | os.PathLike[str], label: str, new: str) -> Renamed:
    """Rename a label of a session; examples, results, marks, corrections, positions and classifiers follow.

    Where that was broken off before, it is ended by asking for the same again.

    Parameters
    ----------
    session : Session or path
        A session; of an experiment's folder, the latest session.
    label : str
        One of the session's labels.
    new : str
        Its new name; no label may have it yet.

    Returns
    -------
    Renamed
        How much was renamed.

    Raises
    ------
    LabelsError
        There is no such label, or it cannot get this name. Nothing is changed.
    LockedError
        Another program works on the session. Nothing is changed.
    ExperimentError
        A file is damaged, or another renaming was broken off. Nothing is changed.
    OutputError
        A file cannot be written; the same call goes on.

    Examples
    --------
    >>> antrax.rename_label("colony1", "GP", "Queen").examples  # doctest: +SKIP
    120
    """
    session = as_session(session)
    found = unfinished_renaming(session)
    if found is not None and (found.label, found.new) != (label, clean_label(new)):
        raise LabelsError(
            f"{session.path}: {found.label} is being renamed to {found.new}, which was broken off: end that first"
        )
    with _nobody_at_work(session):
        if found is None:
            found = _plan(session, label, clean_label(new))
            begin_renaming(session, found)
        return _carry_out(session, found)


def finish_renaming(session: Session) -> Renamed | None:
    """End a renaming that was broken off; None where there is none. Raises as `rename_label`."""
    found = unfinished_renaming(session)
    if found is None:
        return None
    with _nobody_at_work(session):
        return _carry_out(session, found)


def _classifiers(session: Session) -> list[Path]:
    folder = session.classifier_dir
    found = folder.glob(f"*{CLASSIFIER_SUFFIX}") if folder.is_dir() else ()
    return sorted(path for path in found if is_regular(path) and not path.name.startswith("."))


@contextlib.contextmanager
def _nobody_at_work(session: Session) -> Iterator[None]:
    """Context manager in which nobody else trains, classifies or solves here, nor renames."""
    layout = session.layout
    with contextlib.ExitStack() as held:
        if layout.logs.is_dir():
            held.enter_context(claim(layout.logs, "rename", None, task=_TASK))
            held.enter_context(claim(layout.logs, "solve", None, task=_TASK))
        if layout.labels.is_dir():
            held.enter_context(claim(layout.labels, "classify", None, task=_TASK))
        if layout.classifier.path.is_dir():
            held.enter_context(only_writer(layout.classifier.job_lock, patience=0, task=_TASK))
            for path in {*_classifiers(session), layout.classifier.classifier()}:
                held.enter_context(claim(path.parent, classifier_claim(path, "train"), None, task=_TASK))
                if readers := claims(path.parent, classifier_claim(path, "classify")):
                    raise LockedError(f"{readers[0]} classifies with {path}; wait until it is done, or stop it")
        yield


def _plan(session: Session, label: str, new: str) -> LabelRenaming:
    """Check that a label can be renamed, and find out what changes; reads everything, and writes nothing."""
    _check_name(session, label, new)
    classifications: dict[str, str] = {}
    movies: list[int] = []
    for movie in classified_movies(session):
        read_movie(session, movie)  # raises where it is damaged
        before = read_regular(autoids_file(session, movie))
        after = content_digest(renamed_labels(before, label, new))
        if after != content_digest(before):
            classifications |= dict.fromkeys(read_movie(session, movie).digests, after)
    if problem := broken_off(session):
        raise ExperimentError(problem)
    for movie in session.layout.files("positions"):
        there = read_table(positions_file(session, movie))
        if label in there.ids:
            movies.append(movie)
    classifiers = {}
    for path in _classifiers(session):
        with contextlib.suppress(ClassifierError):  # of another program, or damaged, and told where it is used
            if found := with_other_name(path, label, new, session.labels.all):
                classifiers[found[0].digest()] = found[1].digest()
    solved = Solved(session) if movies else None
    return LabelRenaming(
        label,
        new,
        classifications,
        classifiers,
        {
            str(path.relative_to(session.path)): size_and_time(stamp)
            for path in _stamped(session)
            if (stamp := stamp_of(path))
        },
        tuple(movies),
        solved.digest if solved else "",
        solved.run if solved else "",
    )


def _check_name(session: Session, label: str, new: str) -> None:
    """Raise `LabelsError` where a label cannot get this name."""
    labels, place = session.labels, session.layout.labels_file
    category = labels.category(label)
    if category is None:
        raise LabelsError(f"{place} lists no label {label}; it has {', '.join(labels.all)}")
    if label == UNKNOWN:
        raise LabelsError(f"{UNKNOWN} is the label of what nobody can tell, and keeps its name")
    if new == label:
        raise LabelsError(f"{label} has this name already")
    check_new_label(new, category)
    for other in labels.all:
        if other != label and other.casefold() == new.casefold():
            raise LabelsError(f"there is a label {other} already, and labels are not joined; choose another name")
    if new in labels.tagcolors:
        raise LabelsError(f"{new} is one of the tag colours in {place}; choose another name")
    for folder in _folders(session, new):
        is_own = any(folder.samefile(other) for other in _folders(session, label))
        if not is_own and any(folder.iterdir()) and _folders(session, label):
            raise LabelsError(f"{folder} holds examples already, and labels are not joined; choose another name")


def _folders(session: Session, label: str) -> list[Path]:
    """Folders of a label's examples, however their names are spelt."""
    examples = session.layout.classifier.examples
    try:
        return sorted(path for path in examples.iterdir() if clean_label(path.name) == label and path.is_dir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise OutputError(f"{examples} cannot be read: {error.strerror or error}") from None


def _stamped(session: Session) -> Iterable[Path]:
    """Files of which records of runs tell size and time."""
    for movie in classified_movies(session):
        yield from result_files(session, movie)
    for movie in session.layout.files("positions"):
        yield positions_file(session, movie)


def _carry_out(session: Session, renaming: LabelRenaming) -> Renamed:
    """All steps; each does what is not done yet."""
    label, new = renaming.label, renaming.new
    listed = session.labels.all
    for path in _classifiers(session):
        with contextlib.suppress(ClassifierError):
            rename_in_classifier(path, label, new, listed)
    for movie in classified_movies(session):
        rename_in_result(session, movie, label, new, renaming.classifiers)
    marks = _rename_in_marks(session, renaming)
    corrections = rename_in_corrections(session, label, new)
    if renaming.movies:
        _rename_in_solution(session, renaming)
    _follow_in_records(session, renaming)
    with _training_set(session):
        examples = _rename_examples(session, label, new)
        rename_listed_label(session.layout, label, new)
    session.layout.renaming.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        fsync_folder(session.layout.logs)
    results = len(set(renaming.classifications.values()))
    return Renamed(label, new, examples, results, len(renaming.movies), marks, corrections, len(renaming.classifiers))


def _rename_in_marks(session: Session, renaming: LabelRenaming) -> int:
    label, new, classifications = renaming.label, renaming.new, renaming.classifications
    named: set[tuple[str, str]] = set()  # time and subject: one mark may name the label twice

    def other(text: str, mark: Mark | PositionMark, subject: str) -> str:
        if text != label:
            return text
        named.add((mark.time, subject))
        return new

    def renamed(mark: Mark) -> Mark:
        return replace(
            mark,
            label=other(mark.label, mark, mark.tracklet),
            true_label=other(mark.true_label, mark, mark.tracklet),
            classification=classifications.get(mark.classification, mark.classification),
        )

    def renamed_position(mark: PositionMark) -> PositionMark:
        subject = f"{mark.cell.frame} {mark.cell.id}"
        cell = replace(mark.cell, id=other(mark.cell.id, mark, subject))
        return replace(mark, cell=cell, true_id=other(mark.true_id, mark, subject))

    Marks(session.layout.marks_file).rewrite(renamed)
    PositionMarks(session.layout.position_marks_file).rewrite(renamed_position)
    return len(named)


def _rename_in_solution(session: Session, renaming: LabelRenaming) -> None:
    """Positions, and what the record of solving tells of them."""
    label, new = renaming.label, renaming.new
    rename_in_solution(session, renaming.movies, label, new)
    digest = Solved(session).digest
    with solution_turn(session):
        record = read_solving_record(session)
        corrections = dict(record.get("corrections") or {})
        for entry in _entries(record.get("contradictions")):
            entry.update({name: new for name in ("label", "placed") if entry.get(name) == label})
        for entry in _entries(corrections.get("made")):
            words = str(entry.get("what", "")).rpartition(" ")
            if words[2] == label:
                entry["what"] = f"{words[0]} {new}"
        # marks on positions belong to this run, whatever the files are called now
        record["corrections"] = {"made": [], **corrections, "run": renaming.run, "solution": digest}
        write_atomically(session.layout.solving_record, json.dumps(record, indent=1) + "\n")


def _entries(values: Any) -> list[dict[str, Any]]:
    return [entry for entry in values if isinstance(entry, dict)] if isinstance(values, list) else []


def _follow_in_records(session: Session, renaming: LabelRenaming) -> None:
    """Have the records of runs tell of the files as they are now."""
    files = {}
    for name, before in renaming.stamps.items():
        now = stamp_of(session.path / name)
        if now and size_and_time(now) != before:
            files[Path(name).name] = before, size_and_time(now)
    follow_renaming(session, renaming.classifiers, files)


def _training_set(session: Session) -> contextlib.AbstractContextManager[None]:
    if not session.classifier_dir.is_dir():
        return contextlib.nullcontext()
    return only_writer(session.layout.classifier.trainset_lock, task=_TASK)


def _rename_examples(session: Session, label: str, new: str) -> int:
    """Rename the folders of a label's examples; where the new one is there, move them into it. How many there are."""
    target = session.layout.classifier.examples / new
    try:
        for folder in _folders(session, label):
            if not target.exists() or folder.samefile(target):
                folder.rename(target)
                continue
            for path in sorted(folder.iterdir()):
                path.rename(_free(target, path.name))
            folder.rmdir()
        trash = session.layout.classifier.trash
        if (trash / label).is_dir() and not (trash / new).exists():
            (trash / label).rename(trash / new)
        if not target.is_dir():
            return 0
        fsync_folder(target.parent)
        return sum(is_example_name(path.name) for path in target.iterdir())
    except OSError as error:
        raise OutputError(f"{error.filename or target} cannot be renamed: {error.strerror or error}") from error


def _free(folder: Path, name: str) -> Path:
    original, number = name, 0
    while (folder / name).exists():
        number += 1
        name = other_name(original, number)
    return folder / name
