"""`antdata/`: positions as anTraX's MATLAB writes them, for its later steps and everybody's scripts.

For each movie, in a folder for each colony where there are several:

`xy_<m>_<m>.mat` (HDF5, MATLAB v7.3)
    A variable of doubles for each ID, frames × 4: x and y in metres, orientation in radians (NaN in tracklets of
    several animals), and the kind of placement 1 to 5 (`antrax.io.positions.Kind`). NaN where the animal is not placed.
`xy_<m>_<m>.csv`
    The same, as columns ``<ID>_X,<ID>_Y,<ID>_OR,<ID>_ass_type``.
`tracklets_table_<m>_<m>.csv`
    A row for each pair of an animal and a tracklet, with absolute frames.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from antrax.errors import ExperimentError
from antrax.io.atomic import reserved
from antrax.io.layout import antrax_file
from antrax.io.names import parse_tracklet_name
from antrax.io.positions import Kind, MoviePositions, Placements, movie_frames
from antrax.io.regular_files import read_regular
from antrax.io.untrusted_hdf5 import ContentError, dataset, names, open_untrusted

if TYPE_CHECKING:
    from antrax.io.session import Session

TABLE = ("ant", "from", "to", "m", "tracklet", "assigned", "single", "source")
_USER_BLOCK = 512
_LARGEST_TABLE = 2**30


def xy_file(session: Session, movie: int, colony: str = "") -> Path:
    """A movie's positions, for MATLAB.

    Parameters
    ----------
    session : Session
        The session.
    movie : int
        Index of the movie.
    colony : str, optional
        Name of the colony where there are several.
    """
    return session.layout.antrax_file("xy", movie, colony)


def tracklets_table_file(session: Session, movie: int, colony: str = "") -> Path:
    """Which animal is in which tracklet of a movie.

    Parameters
    ----------
    session : Session
        The session.
    movie : int
        Index of the movie.
    colony : str, optional
        Name of the colony where there are several.
    """
    return session.layout.antrax_file("tracklets_table", movie, colony)


def antdata_targets(session: Session, movie: int, colonies: Iterable[str]) -> list[Path]:
    """The files that `write_antdata` writes.

    Parameters
    ----------
    session : Session
    movie : int
    colonies : iterable of str
        Colony of each animal.
    """
    found = []
    for colony in dict.fromkeys(colonies):
        mat = xy_file(session, movie, colony)
        found += [mat, mat.with_suffix(".csv"), tracklets_table_file(session, movie, colony)]
    return found


def write_antdata(
    session: Session, placements: Placements, positions: MoviePositions, temporary: Mapping[Path, Path]
) -> None:
    """Write a movie's files.

    Parameters
    ----------
    session : Session
    placements : Placements
        Those of other movies are passed over.
    positions : MoviePositions
        The movie's, from `place`.
    temporary : mapping of Path to Path
        From each of `antdata_targets` to the path that is written in its place.

    Raises
    ------
    OutputError
        A file cannot be written.
    """
    scale = metres_per_pixel(session)
    for colony in dict.fromkeys(positions.colonies):
        animals = [animal for animal, other in enumerate(positions.colonies) if other == colony]
        columns = [_columns(positions, animal, scale) for animal in animals]
        ids = [positions.ids[animal] for animal in animals]
        mat, text, table = antdata_targets(session, positions.movie, [colony])
        with reserved(mat, temporary) as path:
            _write_mat(path, ids, columns)
        with reserved(text, temporary) as path:
            _write_csv(path, ids, columns)
        with reserved(table, temporary) as path, path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(TABLE)
            writer.writerows(_table(placements, positions, animals))


def read_placements(
    session: Session, positions: MoviePositions, renamed: Mapping[str, str] = MappingProxyType({})
) -> Placements:
    """Pairs of an animal and a tracklet as `write_antdata` put them into the tables of tracklets.

    Writing them again gives the same tables; of their kind only what the tables tell is known.

    Parameters
    ----------
    session : Session
    positions : MoviePositions
        The movie's.
    renamed : mapping of str to str, optional
        Animals that the tables may name in either way.

    Raises
    ------
    ExperimentError
        A table is damaged.
    """
    names = [renamed.get(name, name) for name in positions.ids]
    animals = {key: number for number, key in enumerate(zip(positions.colonies, names, strict=True))}
    found: list[tuple[str, int, Kind, bool]] = []
    for colony in dict.fromkeys(positions.colonies):
        path = tracklets_table_file(session, positions.movie, colony)
        try:
            for row in csv.DictReader(read_regular(path, _LARGEST_TABLE).decode("utf-8").splitlines()):
                animal_ = animals[colony, renamed.get(row["ant"], row["ant"])]
                assigned, single, source = (bool(int(row[name])) for name in ("assigned", "single", "source"))
                kind = Kind.CLASSIFIED if source else Kind.SINGLE if single else Kind.SEVERAL
                found.append((row["tracklet"], animal_, kind if assigned else Kind.SOFT, single))
        except FileNotFoundError:
            continue
        except (OSError, KeyError, ValueError, TypeError, csv.Error) as error:
            raise ExperimentError(f"{path} is damaged ({error}); solve the experiment again") from None
    tracklet, animal, kinds, single_ = zip(*found, strict=True) if found else ((), (), (), ())
    return Placements(
        positions.ids,
        positions.colonies,
        np.array(tracklet, np.str_),
        np.array(animal, np.int64),
        np.array(kinds, np.int8),
        np.array(single_, np.bool_),
        np.full(len(found), np.nan, np.float32),
        np.full(len(found), "", np.str_),
    )


def metres_per_pixel(session: Session) -> float:
    """Size of a pixel (`geometry_rscale`). Raises `ExperimentError` where the session does not tell."""
    value = session.parameters.metres_per_pixel
    if value is None:
        raise ExperimentError(
            f"{session.layout.parameters_file} does not tell the size of a pixel in metres (geometry_rscale is None)"
        )
    return value


def _columns(positions: MoviePositions, animal: int, scale: float) -> NDArray[np.float64]:
    """x, y, orientation and kind of an animal, (4, frames), in the precision that MATLAB keeps."""
    kind = positions.kind[:, animal].astype(np.float64)
    kind[kind == Kind.UNDECIDED] = np.nan
    # MATLAB multiplies single by double and gets single.
    x, y = ((column[:, animal].astype(np.float64) * scale).astype(np.float32) for column in (positions.x, positions.y))
    return np.stack([np.asarray(column, np.float64) for column in (x, y, positions.orientation[:, animal], kind)])


def _write_mat(path: Path, ids: list[str], columns: list[NDArray[np.float64]]) -> None:
    import h5py

    with h5py.File(path.name, "w", driver="core", backing_store=False, userblock_size=_USER_BLOCK) as file:
        for name, values in zip(ids, columns, strict=True):
            dataset = file.create_dataset(
                name, data=values, chunks=(4, min(1500, values.shape[1])), compression="gzip", compression_opts=3
            )
            dataset.attrs["MATLAB_class"] = np.bytes_("double")
        file.flush()
        content = file.id.get_file_image()
    created = time.strftime("%a %b %d %H:%M:%S %Y")
    text = f"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: {created} HDF5 schema 1.00 ."
    header = text.ljust(116).encode("ascii") + bytes(8) + b"\x00\x02IM"
    # HDF5 leaves the user block out of the image.
    path.write_bytes(header.ljust(_USER_BLOCK, b"\x00") + content)


def _write_csv(path: Path, ids: list[str], columns: list[NDArray[np.float64]]) -> None:
    header = [f"{name}_{what}" for name in ids for what in ("X", "Y", "OR", "ass_type")]
    # MATLAB's writetable: 15 digits, NaN
    row_format = ",".join(["%.15g"] * len(header)) + "\n"
    rows = np.concatenate(columns).T
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write(",".join(header) + "\n")
        for start in range(0, len(rows), 1000):
            lines = [row_format % tuple(row) for row in rows[start : start + 1000].tolist()]
            file.write("".join(lines).replace("nan", "NaN"))


def _table(placements: Placements, positions: MoviePositions, animals: list[int]) -> Iterator[tuple[object, ...]]:
    """Rows of the table of tracklets: animal by animal, in order of time."""
    offset = positions.first_frame - 1
    here = placements.of_movie(positions.movie)
    decided = here[placements.kind[here] != Kind.UNDECIDED]
    decided = decided[np.isin(placements.animal[decided], animals)]
    kind = placements.kind[decided]
    columns = (
        placements.animal[decided], placements.tracklet[decided], kind != Kind.SOFT, placements.single[decided],
        kind == Kind.CLASSIFIED,
    )  # fmt: skip
    spans: dict[str, tuple[int, int]] = {}
    for text in np.unique(placements.tracklet[decided]).tolist():
        if name := parse_tracklet_name(text):
            spans[text] = (name.first + offset, name.last + offset)
    rows = [
        (animal, *spans[text], text, int(assigned), int(single), int(source))
        for animal, text, assigned, single, source in zip(*(column.tolist() for column in columns), strict=True)
    ]
    for animal, first, last, text, *flags in sorted(rows):
        yield (positions.ids[animal], first, last, positions.movie, text, *flags)


def antdata_movies(session: Session) -> list[int]:
    """Movies that have positions in `antdata/`, sorted. Files of several movies (`xy_1_3.mat`) are not among them."""
    found: set[int] = set()
    for colony in ("", *antdata_colonies(session)):
        found.update(movies[0] for movies in _movies_in(session.layout.antdata(colony)) if len(movies) == 1)
    return sorted(found)


def antdata_colonies(session: Session) -> tuple[str, ...]:
    """Names of the colonies that have positions in `antdata/`; one empty name where there is one colony.

    They are those of `prmtrs.json`; where what it says has no sense, those of the folders that hold positions.
    """
    try:
        return session.parameters.colony_labels or ("",)
    except ExperimentError:
        folders = _folders(session.layout.antdata())
        return tuple(folder.name for folder in folders if any(_movies_in(folder))) or ("",)


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _movies_in(folder: Path) -> Iterator[range]:
    """Movies that each file of positions in a folder covers."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        yield from (movies for path in folder.iterdir() if (movies := antrax_file(path.name, "xy")))


def antdata_files(session: Session, movie: int) -> list[Path]:
    """The files of a movie that `read_antdata` reads, whether they are there or not."""
    kinds = (xy_file, tracklets_table_file)
    return [file(session, movie, colony) for colony in antdata_colonies(session) for file in kinds]


def read_antdata(session: Session, movie: int) -> MoviePositions:
    """Read a movie's positions from `antdata/`, as MATLAB or this package wrote them.

    Raises
    ------
    ExperimentError
        There is no such file, or it is damaged.
    """
    scale = metres_per_pixel(session)
    ids: list[str] = []
    colonies: list[str] = []
    columns: list[NDArray[np.float64]] = []
    for colony in antdata_colonies(session):
        path = xy_file(session, movie, colony)
        if colony and not path.exists():
            continue  # a colony that is not solved yet
        for name, values in _read_mat(path).items():
            ids.append(name)
            colonies.append(colony)
            columns.append(values)
    if not columns:
        raise ExperimentError(f"{session.layout.antdata()} has no positions of movie {movie}")
    if len({values.shape for values in columns}) > 1:
        raise ExperimentError(
            f"{session.layout.antdata()}: the animals of movie {movie} have different numbers of frames"
        )
    frames = columns[0].shape[1]
    span = movie_frames(session, movie)
    entry = session.movies.get(movie)
    fps = entry.fps if entry else float("nan")
    first = span[0] if span else 1
    found = MoviePositions.empty(movie, first, frames, fps, tuple(ids), tuple(colonies))
    x, y, orientation, kind = np.stack(columns, axis=2)
    for target, values in ((found.x, x / scale), (found.y, y / scale), (found.orientation, orientation)):
        target[:] = values
    kind = np.nan_to_num(kind, nan=0)
    if not np.isin(kind, list(Kind)).all():
        raise ExperimentError(f"{session.layout.antdata()}: the positions of movie {movie} have kinds that are none")
    found.kind[:] = kind
    names = _read_tracklets(session, movie, found)
    return dataclasses.replace(found, tracklets=names)


def _read_mat(path: Path) -> dict[str, NDArray[np.float64]]:
    """The variables of `xy_….mat`, each (4, frames)."""
    found = {}
    with open_untrusted(
        path, "a table of positions", ExperimentError, most=None, advice="solve the experiment"
    ) as file:
        for name in names(file):
            place = dataset(file, name, dtype=np.floating, compressed=True)
            if place.ndim != 2 or place.shape[0] != 4:
                raise ContentError(f"{name} is not of frames × 4 numbers")
            found[name] = np.asarray(place[()], np.float64)
    return found


def _read_tracklets(session: Session, movie: int, found: MoviePositions) -> NDArray[np.str_]:
    """Fill in the tracklets from the tables, where they are there; returns their names."""
    names: dict[str, int] = {}
    for colony in dict.fromkeys(found.colonies):
        path = tracklets_table_file(session, movie, colony)
        animals = {(c, name): number for number, (c, name) in enumerate(zip(found.colonies, found.ids, strict=True))}
        try:
            text = read_regular(path, _LARGEST_TABLE).decode("utf-8")
            for row in csv.DictReader(text.splitlines()):
                animal = animals.get((colony, row["ant"]))
                first, last = int(row["from"]) - found.first_frame, int(row["to"]) - found.first_frame
                if animal is not None and 0 <= first <= last:
                    found.tracklet[first : last + 1, animal] = names.setdefault(row["tracklet"], len(names))
        except FileNotFoundError:
            continue
        except (OSError, KeyError, ValueError, TypeError, csv.Error) as error:
            raise ExperimentError(f"{path} is damaged ({error}); solve the experiment again") from None
    return np.array(list(names), np.str_)
