"""Results of classification in a session's `labels/`: the records, and the only reader of the files.

A movie has three files, which are one result:

- `autoids_<m>.csv`, in the form that anTraX reads;
- `confidence_<m>.csv`: how sure each label is, and what else it might be;
- `frameprobs_<m>.h5`: the probabilities of every image.

The first one is decisive: a result exists if this file exists, and is replaced at the moment when this file is. The
other two carry the digest of the `autoids_<m>.csv` that they belong to, and are not used with any other. They are
written before it under the name of `pending_file` and renamed after it; a reader takes them from wherever they are. So
whoever reads, at whatever moment, sees the old result or the new one, all of it; also where a run was killed in
between. See `antrax.io.results_writer`.
"""

from __future__ import annotations

import csv
import io
import math
import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from antrax.errors import ExperimentError
from antrax.io.layout import MovieFile, movie_file
from antrax.io.regular_files import read_regular
from antrax.io.session import Session
from antrax.labels import UNKNOWN, clean_label

if TYPE_CHECKING:
    pass

AUTOIDS = ("tracklet", "label", "score", "best_frame")
CONFIDENCE = (
    "tracklet",
    "label",
    "confidence",
    "best_label",
    "runner_up",
    "runner_up_confidence",
    "images",
    "passed_images",
    "votes",
    "first_frame",
    "last_frame",
    "classification",
)
_CONFIDENCE_READ = CONFIDENCE[:9]
_KINDS: tuple[MovieFile, ...] = ("autoids", "confidence", "frameprobs")
_LARGEST_TABLE = 2**30
# How often a movie's files are looked at again where they changed while being read.
_TRIES = 5


@dataclass(frozen=True)
class Decision:
    """Decision on one tracklet.

    Parameters
    ----------
    label : str
    confidence : float
        Calibrated probability of `best_label`, 0 to 1.
    best_label, runner_up : str
        The two most probable labels, whether or not they were assigned; an empty `runner_up` where there is none.
    runner_up_confidence : float
    score : float
        Sum of the images' probabilities of the assigned ID; 0 where none is assigned. Where not all images were looked
        at, it is scaled to all; the votes too.
    best_frame : int
        1-based index of the image that shows the ID best; 0 where none is assigned.
    votes : int
        Number of images whose most probable label is `best_label`.
    """

    label: str
    confidence: float
    best_label: str
    runner_up: str
    runner_up_confidence: float
    score: float
    best_frame: int
    votes: int


@dataclass(frozen=True)
class Classified:
    """One classified tracklet, to be written.

    Parameters
    ----------
    tracklet : str
    decision : Decision
    probabilities : NDArray[np.float32]
        Shape (images, labels).
    passed : int
        Number of its images whose blob is of plausible size and shape; -1 where that is not known.
    passed_unusable : bool
        Whether something tells which these are, but is damaged, or not of as many images.
    """

    tracklet: str
    decision: Decision
    probabilities: NDArray[np.float32]
    passed: int
    passed_unusable: bool = False


@dataclass(frozen=True, slots=True)
class Assignment:
    """Result of classification of one tracklet, as read from files.

    Parameters
    ----------
    label : str
    score : float
        Sum of the images' probabilities of the assigned ID; 0 without an ID.
    best_frame : int
        1-based index of the image that shows the ID best; 0 without an ID.
    confidence : float or None
        Probability of `best_label`. This and what follows is None in results of anTraX.
    best_label : str or None
        The most probable label, assigned or not.
    runner_up : str or None
        The second most probable one; None where there is none.
    runner_up_confidence : float or None
    images : int or None
        Number of blob images.
    passed_images : int or None
        Of these, with a blob of plausible size and shape; None where the tracker did not say.
    votes : int or None
        Number of images that, each by itself, look most like `best_label`.
    """

    label: str
    score: float
    best_frame: int
    confidence: float | None = None
    best_label: str | None = None
    runner_up: str | None = None
    runner_up_confidence: float | None = None
    images: int | None = None
    passed_images: int | None = None
    votes: int | None = None


@dataclass(frozen=True, slots=True)
class MovieResults:
    """The result of a movie.

    Parameters
    ----------
    movie : int
    digest : str
        16 hexadecimal digits of the content of `autoids_<m>.csv`, which tell this classification from any other.
    digests : frozenset of str
        What files that belong to it may carry: `digest`, and that of the same content as this package writes it, for
        a spreadsheet program may have saved the file since.
    assignments : mapping of str to Assignment
        By tracklet, in the order of the file.
    has_confidences : bool
        Whether `confidence_<m>.csv` belongs to it.
    problem : str or None
        Why there are no confidences although there is a file of them.
    """

    movie: int
    digest: str
    digests: frozenset[str]
    assignments: Mapping[str, Assignment] = field(repr=False)
    has_confidences: bool = False
    problem: str | None = None


def autoids_file(session: Session, movie: int) -> Path:
    """A movie's labels, for anTraX's later steps."""
    return session.layout.file("autoids", movie)


def confidence_file(session: Session, movie: int) -> Path:
    """A movie's confidences."""
    return session.layout.file("confidence", movie)


def frameprobs_file(session: Session, movie: int) -> Path:
    """A movie's probabilities by image."""
    return session.layout.file("frameprobs", movie)


def result_files(session: Session, movie: int) -> tuple[Path, ...]:
    """The files of a movie's result."""
    return autoids_file(session, movie), confidence_file(session, movie), frameprobs_file(session, movie)


def pending_file(path: Path, digest: str) -> Path:
    """Temporary name of a confidence or frameprobs file.

    Parameters
    ----------
    path : Path
        Its own name.
    digest : str
        Of the `autoids_<m>.csv` that it belongs to.
    """
    return path.with_name(f".{path.name}.{digest}.new")


def content_digest(content: bytes) -> str:
    """The digest of an `autoids_<m>.csv`: 16 hexadecimal digits."""
    return blake2b(content, digest_size=8).hexdigest()


def result_file(name: str) -> tuple[str, int] | None:
    """Kind (`autoids`, `confidence`, `frameprobs`) and movie of a file in `labels/`; None for any other file."""
    for kind in _KINDS:
        if place := movie_file(name, kind):
            return kind, place[0]
    return None


def classified_movies(session: Session) -> list[int]:
    """Movies that have a result, sorted."""
    return list(session.layout.files("autoids"))


def read_movie(session: Session, movie: int) -> MovieResults:
    """Read a movie's labels, and its confidences where there are any that belong to them.

    Parameters
    ----------
    session : Session
    movie : int

    Returns
    -------
    MovieResults

    Raises
    ------
    ExperimentError
        There is no result, or `autoids_<m>.csv` is damaged.
    """
    path = autoids_file(session, movie)
    for attempt in range(_TRIES):
        content = _read_bytes(path)
        results = _parse_movie(session, movie, content)
        # a new result may have come while its confidences were looked for
        if not results.problem or attempt == _TRIES - 1 or _read_bytes(path) == content:
            break
    return results


def _parse_movie(session: Session, movie: int, content: bytes) -> MovieResults:
    path, extra = autoids_file(session, movie), confidence_file(session, movie)
    labels = _parse_autoids(path, content)
    mark = f"_ti{movie}_"
    if foreign := next((name for name in labels if name.startswith("trj_id") and mark not in name), None):
        raise ExperimentError(
            f"{path}: {foreign} is of another movie, so this is that movie's result under another name; classify "
            f"movie {movie} again"
        )
    digests = frozenset((content_digest(content), content_digest(format_autoids(labels))))
    confidences, problem = None, None
    # once more at the first place, for a file may have been renamed while the second was looked at
    for place in (extra, *(pending_file(extra, digest) for digest in sorted(digests)), extra):
        try:
            confidences = _parse_confidences(place, _read_bytes(place), labels, digests)
            problem = None
            break
        except _MissingError:
            continue
        except _DamagedValueError:
            raise
        except ExperimentError as error:
            problem = str(error)
    assignments = labels if confidences is None else confidences
    return MovieResults(
        movie, content_digest(content), digests, MappingProxyType(assignments), confidences is not None, problem
    )


def format_autoids(assignments: Mapping[str, Assignment]) -> bytes:
    """The content of an `autoids_<m>.csv`.

    Parameters
    ----------
    assignments : mapping of str to Assignment
        By tracklet.
    """
    rows = ((name, it.label, f"{it.score:.6g}", it.best_frame) for name, it in assignments.items())
    return format_table(AUTOIDS, rows)


def format_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A CSV file of this package: UTF-8, lines that end in LF."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


class _MissingError(ExperimentError):
    """There is no such file."""


class _DamagedValueError(ExperimentError):
    """A file belongs to the result, and holds what cannot be."""


def _read_bytes(path: Path) -> bytes:
    try:
        return read_regular(path, _LARGEST_TABLE)
    except FileNotFoundError:
        raise _MissingError(f"{path} does not exist; classify this movie first") from None
    except OSError as error:
        raise ExperimentError(f"{path} cannot be read: {error.strerror or error}") from None


def _rows(path: Path, content: bytes, columns: Sequence[str], optional: str | None = None) -> Iterator[tuple[str, ...]]:
    """The values of `columns` of every row of a CSV file, as text; of an optional column "" where there is none."""
    try:
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        header = next(reader, [])
        if missing := [column for column in columns if column not in header]:
            raise ExperimentError(f"{path} has no column {', '.join(missing)}; classify this movie again")
        places = [header.index(column) for column in columns]
        if optional is None:
            yield from map(operator.itemgetter(*places), filter(None, reader))
            return
        more = header.index(optional) if optional in header else None
        for row in filter(None, reader):
            yield (*(row[place] for place in places), "" if more is None else row[more])
    except (UnicodeDecodeError, csv.Error, IndexError) as error:
        raise ExperimentError(f"{path} is damaged ({error}); classify this movie again") from None


def _parse_autoids(path: Path, content: bytes) -> dict[str, Assignment]:
    table: dict[str, Assignment] = {}
    labels: dict[str, str] = {}  # one string a label, whatever the number of tracklets
    tracklet = ""
    try:
        for tracklet, label, score, best_frame in _rows(path, content, AUTOIDS):
            number = float(score)
            if not math.isfinite(number):
                raise ValueError(f"{score!r} is no score")
            if tracklet in table:
                raise ValueError("it is listed twice")
            # an empty label means unknown
            table[tracklet] = Assignment(
                labels.setdefault(label, clean_label(label) or UNKNOWN), number, int(float(best_frame))
            )
    except (ValueError, OverflowError) as error:
        raise ExperimentError(f"{path}, {tracklet}: {error}; classify this movie again") from None
    return table


def _parse_confidences(
    path: Path, content: bytes, labels: Mapping[str, Assignment], digests: frozenset[str]
) -> dict[str, Assignment]:
    """The assignments of `labels` with their confidences.

    Raises
    ------
    ExperimentError
        These are not theirs, or no confidences at all; `_DamagedValueError` where they are, and one cannot be.
    """
    rows: dict[str, tuple[str, ...]] = {}
    carried = set()
    for row in _rows(path, content, _CONFIDENCE_READ, "classification"):
        rows[row[0]] = row
        carried.add(row[-1])
    # files of earlier versions carry no digest: these belong together where every label is the same
    same = carried <= {""} and {name: it.label for name, it in labels.items()} == {
        name: clean_label(row[1]) or UNKNOWN for name, row in rows.items()
    }
    if not same and (len(carried) != 1 or not carried <= digests or rows.keys() != labels.keys()):
        raise ExperimentError(
            f"{path} is of another classification than the labels beside it (autoids): confidences of this movie are "
            "not used; classify it again"
        )
    texts: dict[str, str] = {}
    table = {}
    name = ""
    try:
        for name, known in labels.items():
            _, _, confidence, best, second, second_confidence, images, passed, votes, _ = rows[name]
            table[name] = Assignment(
                known.label,
                known.score,
                known.best_frame,
                _probability(confidence),
                texts.setdefault(best, clean_label(best)),
                texts.setdefault(second, clean_label(second)) or None,
                _probability(second_confidence) if second else None,
                _count(images),
                _count(passed) if passed else None,
                _count(votes),
            )
    except ValueError as error:
        raise _DamagedValueError(f"{path}, {name}: {error}; classify this movie again") from None
    return table


def _probability(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError(f"{text!r} is no probability")
    return value


def _count(text: str) -> int:
    value = float(text)
    if not 0 <= value < 2**63 or not value.is_integer():
        raise ValueError(f"{text!r} is no number of images")
    return int(value)
