"""Positions in the formats of other programs (`antrax export`).

Our own writers: a CSV table, one Parquet table, one netCDF for `movement`, and TrackMate's XML. Formats of pose
estimation (SLEAP, DeepLabCut, Lightning Pose, NWB) are written by `movement`, which is an optional dependency. A new
format is one entry in `FORMATS`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

import numpy as np

from antrax.errors import OptionError, OutputError
from antrax.io.atomic import make_folder, remove_dead_parts, replacing, write_atomically
from antrax.io.positions import MoviePositions
from antrax.io.positions_dataset import netcdf_bytes
from antrax.io.positions_table import iter_positions, read_positions, to_table
from antrax.io.session import Session, as_session

if TYPE_CHECKING:
    import xarray as xr

_MOVEMENT = (0, 17)


@dataclass(frozen=True)
class Format:
    """A format to export to.

    Parameters
    ----------
    description : str
        Which programs read it.
    suffix : str
        Of the file; empty where it is a folder of files, one for each animal.
    write : callable
        Takes positions movie by movie, the session, and the path to write to.
    movement : bool
        Whether `movement` writes it.
    """

    description: str
    suffix: str
    write: Callable[[Session, list[int] | None, Path], None]
    movement: bool = False


def export_positions(
    session: Session | str | os.PathLike[str],
    to: str,
    movies: Iterable[int] | None = None,
    *,
    path: str | os.PathLike[str] | None = None,
) -> Path:
    """Write positions in the format of another program.

    Parameters
    ----------
    session : Session or path
        A session that was solved; of an experiment's folder, the latest session.
    to : str
        csv, parquet, netcdf or trackmate; with `movement` installed also sleap, deeplabcut or nwb.
    movies : iterable of int, optional
        All that have positions by default.
    path : path, optional
        File (folder for `nwb`) to write; by default `export/positions` with the format's ending, in the session. What
        is there is replaced.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    OptionError
        There is no such format, it is written by `movement` and that is not installed, or the path's ending is another.
    ExperimentError
        No movie has positions, or a file of them is damaged.
    OutputError
        The file cannot be written.

    Examples
    --------
    >>> antrax.export_positions("colony1", "csv")  # doctest: +SKIP
    PosixPath('/data/colony1/session/export/positions.csv')
    """
    if to not in FORMATS:
        raise OptionError(f"there is no format {to!r}; choose from {', '.join(FORMATS)}")
    chosen = FORMATS[to]
    session = as_session(session)
    path = Path(path or session.layout.export(f"positions{chosen.suffix or '_' + to}")).absolute()
    if chosen.suffix and path.suffix != chosen.suffix:
        raise OptionError(f"{path.name} does not end in {chosen.suffix}, which {to} files do")
    if chosen.movement:
        _check_movement(to)
    remove_dead_parts(make_folder(path.parent))
    chosen.write(session, None if movies is None else sorted(set(movies)), path)
    return path


def _check_movement(to: str) -> None:
    """Raise `OptionError` unless a version of `movement` that names dimensions as we do is installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        installed = version("movement")
        numbers = tuple(int(part) for part in installed.split(".")[:2])
    except PackageNotFoundError:
        installed, numbers = "", (0, 0)
    except ValueError:
        return  # a version that is built from source
    if numbers < _MOVEMENT:
        found = f"version {installed} is installed" if installed else "it is not installed"
        raise OptionError(
            f"{to} files are written by the package movement, 0.17 or newer (Python 3.12 or newer); {found}. "
            "Type: pip install 'antrax[export]'"
        )


def _write_csv(session: Session, movies: list[int] | None, path: Path) -> None:
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        for number, positions in enumerate(iter_positions(session, movies)):
            table = to_table(positions).to_pandas()
            # Frames of an animal stay together within a movie.
            table.to_csv(file, index=False, header=number == 0, float_format="%.7g", lineterminator="\n")


def _write_parquet(session: Session, movies: list[int] | None, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with replacing(path) as temporary, contextlib.ExitStack() as files:
        writer: Any = None
        for positions in iter_positions(session, movies):
            table = to_table(positions).replace_schema_metadata(None)
            # Plain texts: a dictionary of one movie's tracklets does not suit the next.
            for place, field in enumerate(table.schema):
                if pa.types.is_dictionary(field.type):
                    table = table.set_column(place, field.name, table.column(place).cast(pa.string()))
            if writer is None:
                writer = files.enter_context(pq.ParquetWriter(temporary, table.schema, compression="zstd"))
            writer.write_table(table)


def _write_netcdf(session: Session, movies: list[int] | None, path: Path) -> None:
    write_atomically(path, netcdf_bytes(read_positions(session, movies, form="xarray")))


def _write_trackmate(session: Session, movies: list[int] | None, path: Path) -> None:
    """TrackMate's XML: a spot for each animal and frame in which it is placed, and a track for each animal."""
    with tempfile.TemporaryDirectory() as temporary, contextlib.ExitStack() as files:
        parts = _TrackMateParts(Path(temporary), files)
        for positions in iter_positions(session, movies):
            parts.add(positions)
        with replacing(path) as target, target.open("w", encoding="utf-8", newline="") as file:
            file.write('<?xml version="1.0" encoding="UTF-8"?>\n<TrackMate version="7.11.1">\n')
            file.write(' <Model spatialunits="pixel" timeunits="frame">\n' + _FEATURES)
            parts.copy_into(file)
            file.write(" </Model>\n" + parts.settings() + "</TrackMate>\n")


_SPOT_FEATURES = (
    ("QUALITY", "Quality", "QUALITY"), ("POSITION_X", "X", "POSITION"), ("POSITION_Y", "Y", "POSITION"),
    ("POSITION_Z", "Z", "POSITION"), ("POSITION_T", "T", "TIME"), ("FRAME", "Frame", "NONE"),
    ("RADIUS", "Radius", "LENGTH"), ("VISIBILITY", "Visibility", "NONE"),
)  # fmt: skip
_FEATURES = (
    "  <FeatureDeclarations>\n   <SpotFeatures>\n"
    + "".join(
        f'    <Feature feature="{name}" name="{text}" shortname="{text}" dimension="{dimension}" '
        f'isint="{"true" if name in ("FRAME", "VISIBILITY") else "false"}" />\n'
        for name, text, dimension in _SPOT_FEATURES
    )
    + "   </SpotFeatures>\n   <EdgeFeatures />\n   <TrackFeatures />\n  </FeatureDeclarations>\n"
)
# TrackMate draws circles; where the length of a body is not known, of this radius in pixels.
_RADIUS = 15.0


class _TrackMateParts:
    """Spots, and each animal's edges, in files of their own until all movies are written."""

    def __init__(self, folder: Path, files: contextlib.ExitStack) -> None:
        self._folder, self._files = folder, files
        self._spots_file = self._new("spots")
        self._spots = 0
        self._size, self._frames = (0, 0), 0
        # for each animal its last spot, and its edges
        self._last: dict[str, int] = {}
        self._edges: dict[str, IO[str]] = {}

    def _new(self, name: str) -> IO[str]:
        return self._files.enter_context((self._folder / name).open("w+", encoding="utf-8", newline=""))

    def add(self, movie: MoviePositions) -> None:
        names = movie.individuals
        placed = movie.placed & np.isfinite(movie.x)
        radius = np.where(np.isfinite(movie.length), movie.length / 2, _RADIUS)
        quality = np.nan_to_num(movie.confidence, nan=1.0)
        reach = (int(np.nanmax(values, initial=0)) + 1 for values in (movie.x, movie.y))
        width, height = (max(pair) for pair in zip(self._size, reach, strict=True))
        self._size, self._frames = (width, height), movie.first_frame - 1 + movie.frames
        for row in np.flatnonzero(placed.any(axis=1)).tolist():
            frame = movie.first_frame - 1 + row  # TrackMate counts from 0
            lines = [f'   <SpotsInFrame frame="{frame}">\n']
            for animal in np.flatnonzero(placed[row]).tolist():
                self._spots += 1
                self._connect(names[animal])
                lines.append(
                    f'    <Spot ID="{self._spots}" name={quoteattr(names[animal])} '
                    f'QUALITY="{quality[row, animal]:.4f}" POSITION_X="{movie.x[row, animal]:.3f}" '
                    f'POSITION_Y="{movie.y[row, animal]:.3f}" POSITION_Z="0.0" POSITION_T="{frame}.0" '
                    f'FRAME="{frame}" RADIUS="{radius[row, animal]:.2f}" VISIBILITY="1" />\n'
                )
            self._spots_file.write("".join(lines) + "   </SpotsInFrame>\n")

    def _connect(self, name: str) -> None:
        """An edge to the animal's newest spot; it may lead over frames in which the animal is not placed."""
        if name not in self._last:
            self._edges[name] = self._new(f"edges {len(self._edges)}")
        else:
            self._edges[name].write(
                f'    <Edge SPOT_SOURCE_ID="{self._last[name]}" SPOT_TARGET_ID="{self._spots}" />\n'
            )
        self._last[name] = self._spots

    def copy_into(self, file: IO[str]) -> None:
        """Write what there is in TrackMate's order."""
        file.write(f'  <AllSpots nspots="{self._spots}">\n')
        self._spots_file.seek(0)
        shutil.copyfileobj(self._spots_file, file)
        file.write("  </AllSpots>\n  <AllTracks>\n")
        for number, (name, edges) in enumerate(self._edges.items()):
            file.write(f'   <Track name={quoteattr(name)} TRACK_ID="{number}" TRACK_INDEX="{number}">\n')
            edges.seek(0)
            shutil.copyfileobj(edges, file)
            file.write("   </Track>\n")
        file.write("  </AllTracks>\n  <FilteredTracks>\n")
        file.writelines(f'   <TrackID TRACK_ID="{number}" />\n' for number in range(len(self._edges)))
        file.write("  </FilteredTracks>\n")

    def settings(self) -> str:
        """The part of the file about the video, without which TrackMate does not open it."""
        width, height = self._size
        return (
            f' <Settings>\n  <ImageData filename="" folder="" width="{width}" height="{height}" nslices="1" '
            f'nframes="{self._frames}" pixelwidth="1.0" pixelheight="1.0" voxeldepth="1.0" timeinterval="1.0" />\n'
            '  <InitialSpotFilter feature="QUALITY" value="0.0" isabove="true" />\n'
            "  <SpotFilterCollection />\n  <TrackFilterCollection />\n </Settings>\n"
        )


def _by_movement(save: Callable[[xr.Dataset, Path], None]) -> Callable[[Session, list[int] | None, Path], None]:
    """A writer that lets `movement` save the dataset, and puts the result in place when it is whole."""

    def write(session: Session, movies: list[int] | None, path: Path) -> None:
        dataset = read_positions(session, movies, form="xarray")
        try:
            with tempfile.TemporaryDirectory(prefix=f".{path.name}.", suffix=".part", dir=path.parent) as temporary:
                draft = Path(temporary) / path.name
                save(dataset, draft)
                if draft.is_dir():
                    _replace_folder(draft, path)
                else:
                    draft.replace(path)
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error

    return write


def _replace_folder(draft: Path, path: Path) -> None:
    """Put the files of a folder in place, one by one; files of other names stay."""
    path.mkdir(exist_ok=True)
    for file in draft.iterdir():
        file.replace(path / file.name)


def _save_sleap(dataset: xr.Dataset, path: Path) -> None:
    from movement.io import save_poses

    save_poses.to_sleap_analysis_file(dataset, path)


def _save_deeplabcut(dataset: xr.Dataset, path: Path) -> None:
    from movement.io import save_poses

    save_poses.to_dlc_file(dataset, path, split_individuals=False)


def _save_nwb(dataset: xr.Dataset, path: Path) -> None:
    from movement.io import save_poses
    from pynwb import NWBHDF5IO

    path.mkdir()
    for name in dataset.individual.values.tolist():
        file = save_poses.to_nwb_file(dataset.sel(individual=[name]))
        with NWBHDF5IO(path / f"{name}.nwb", "w") as io:
            io.write(file)


#: Formats by name.
FORMATS: dict[str, Format] = {
    "csv": Format("a table for spreadsheets and R", ".csv", _write_csv),
    "parquet": Format("a table for pandas, polars, R and DuckDB", ".parquet", _write_parquet),
    "netcdf": Format("movement, napari, xarray", ".nc", _write_netcdf),
    "trackmate": Format("TrackMate (Fiji), Mastodon, napari plugins", ".xml", _write_trackmate),
    "sleap": Format("SLEAP analysis file", ".h5", _by_movement(_save_sleap), movement=True),
    "deeplabcut": Format("DeepLabCut", ".csv", _by_movement(_save_deeplabcut), movement=True),
    "nwb": Format("Neurodata Without Borders, a file for each animal", "", _by_movement(_save_nwb), movement=True),
}
