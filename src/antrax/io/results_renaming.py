"""Another name for a label in a movie's result, of which nothing else changes."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from antrax.errors import ExperimentError, OutputError
from antrax.io.atomic import replacing
from antrax.io.frame_probabilities import DAMAGED, made_with, open_frame_probabilities
from antrax.io.regular_files import read_regular
from antrax.io.results import (
    MovieResults,
    confidence_file,
    content_digest,
    format_table,
    pending_file,
    read_movie,
    result_files,
)
from antrax.io.results_writer import FrameWriter, finish_pending
from antrax.io.session import Session
from antrax.labels import clean_label

_LARGEST = 2**30


def rename_in_result(session: Session, movie: int, label: str, new: str, classifiers: Mapping[str, str]) -> None:
    """Give a label another name in a movie's result, whose files change at one moment as they do in `commit`.

    They keep their times, for they are no newer than they were.

    Parameters
    ----------
    session : Session
    movie : int
    label, new : str
        Old and new name.
    classifiers : mapping of str to str
        Digests of classifiers whose labels are renamed too: before and after.

    Raises
    ------
    ExperimentError
        The result is damaged.
    OutputError
        A file cannot be written. The result is then as it was, or renamed but for the probabilities of its images.
    """
    finish_pending(session, movie)
    autoids, *others = result_files(session, movie)
    results = read_movie(session, movie)
    before = read_regular(autoids, _LARGEST)
    content = renamed_labels(before, label, new)
    digest = content_digest(content)
    changed = digest != content_digest(before)
    written: list[Path] = []
    try:
        for path, made in zip(
            others,
            (
                _renamed_confidences(session, results, label, new, digest if changed else None),
                _renamed_frames(session, results, label, new, digest if changed else results.digest, classifiers),
            ),
            strict=True,
        ):
            if made is not None:
                target = pending_file(path, digest) if changed else path
                _write_with_times(target, made, path)
                written += [target] if changed else []
        if changed:
            _write_with_times(autoids, content, autoids)
    except BaseException:
        if changed and content_digest(read_regular(autoids, _LARGEST)) != digest:
            for path in written:
                path.unlink(missing_ok=True)
        raise
    if problem := finish_pending(session, movie):
        raise OutputError(problem)


def renamed_labels(content: bytes, label: str, new: str) -> bytes:
    """The content of an `autoids_<m>.csv` with another name of a label; the same where it has no such label.

    Parameters
    ----------
    content : bytes
        As it is.
    label, new : str
        Old and new name.
    """
    return _renamed_table(content, ("label",), label, new, None, frozenset())


def _renamed_confidences(
    session: Session, results: MovieResults, label: str, new: str, digest: str | None
) -> bytes | None:
    """The content of the file of confidences with another name of a label; None where it stays, or is of no use."""
    path = confidence_file(session, results.movie)
    if not results.has_confidences:
        return None
    before = read_regular(path, _LARGEST)
    columns = ("label", "best_label", "runner_up")
    found = _renamed_table(before, columns, label, new, digest, results.digests)
    return found if found != before else None


def _renamed_table(
    content: bytes, columns: Sequence[str], label: str, new: str, digest: str | None, digests: Collection[str]
) -> bytes:
    reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    header = next(reader)
    places = [header.index(column) for column in columns if column in header]
    of = header.index("classification") if digest is not None and "classification" in header else None
    rows, changed = [], False
    for row in filter(None, reader):
        for place in places:
            if clean_label(row[place]) == label:
                row[place], changed = new, True
        if of is not None and row[of] in digests:
            row[of], changed = str(digest), True
        rows.append(row)
    return format_table(header, rows) if changed else content


def _renamed_frames(
    session: Session, results: MovieResults, label: str, new: str, digest: str, classifiers: Mapping[str, str]
) -> bytes | None:
    """The content of the file of probabilities with another name of a label; None where it stays, or is of no use."""
    attributes = made_with(session, results.movie)
    made_by = str(attributes.get("classifier_digest"))
    try:
        with open_frame_probabilities(session, results) as frames:
            labels = frames.labels()
            is_same = frames.classification == digest and made_by not in classifiers
            if label not in labels and is_same:
                return None
            if made_by in classifiers:
                attributes |= {"classifier_digest": classifiers[made_by]}
            writer = FrameWriter(tuple(new if each == label else each for each in labels), attributes)
            try:
                writer.copy(frames)
                return writer.finish(digest)
            finally:
                writer.close()
    except (ExperimentError, *DAMAGED):  # it is told where probabilities are asked for
        return None


def _write_with_times(path: Path, content: bytes, like: Path) -> None:
    """Write a file that is as old as another one."""
    times = like.stat()
    with replacing(path) as temporary:
        temporary.write_bytes(content)
        os.utime(temporary, ns=(times.st_atime_ns, times.st_mtime_ns))
