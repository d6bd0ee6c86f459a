"""`antrax plot`: figures of a session's positions, as PNG and SVG."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from antrax.errors import ExperimentError, OptionError
from antrax.io.atomic import make_folder, remove_dead_parts, replacing
from antrax.io.positions_table import iter_positions, positions_inputs, positions_span, solved_movies
from antrax.io.regular_files import open_regular
from antrax.io.session import Session, as_session
from antrax.io.stamps import InputStamps
from antrax.plots.figures import draw_activity, draw_contacts, draw_presence, draw_trails, style
from antrax.plots.measures import summarize
from antrax.progress import Reporter

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL import Image

    from antrax.io.positions import MoviePositions
    from antrax.plots.measures import Summary

FIGURES = ("trails", "presence", "activity", "contacts")
FORMATS = ("png", "svg")
_DPI = 160

_Got = TypeVar("_Got")


def plot_positions(
    session: Session | str | os.PathLike[str],
    movies: Iterable[int] | None = None,
    *,
    folder: str | os.PathLike[str] | None = None,
    figures: Sequence[str] = FIGURES,
    formats: Sequence[str] = FORMATS,
    reporter: Reporter | None = None,
) -> list[Path]:
    """Draw figures of the positions of animals.

    Parameters
    ----------
    session : Session or path
        A session that was solved; of an experiment's folder, the latest session.
    movies : iterable of int, optional
        All that have positions by default.
    folder : path, optional
        Where to write; by default `plots/` of the session.
    figures : sequence of str
        Some of `FIGURES`: trails over the background; who is placed when; distances and occupancy; contacts.
    formats : sequence of str
        Some of `FORMATS`.
    reporter : Reporter, optional
        Told of progress and warnings; silent by default.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    OptionError
        There is no such figure or format.
    ExperimentError
        No movie has positions, or no animal is placed in any.
    OutputError
        A file cannot be written.

    Examples
    --------
    >>> antrax.plot_positions("colony1", figures=["trails"], formats=["png"])  # doctest: +SKIP
    [PosixPath('/data/colony1/session/plots/trails.png')]
    """
    import matplotlib as mpl

    for kind, values, known in (("figure", figures, FIGURES), ("format", formats, FORMATS)):
        for value in values:
            if value not in known:
                raise OptionError(f"there is no {kind} {value!r}; choose from {', '.join(known)}")
    session = as_session(session)
    reporter = reporter or Reporter()
    for problem in session.parameter_problems:
        reporter.warn(problem)
    wanted = solved_movies(session) if movies is None else sorted(set(movies))
    background = read_background(session)
    size = None if background is None else (background.shape[1], background.shape[0])
    inputs = InputStamps()
    inputs.note(*positions_inputs(session, wanted))
    with reporter.bar("reading positions", len(wanted), "movies") as update:

        def counted() -> Iterator[MoviePositions]:
            for done, positions in enumerate(iter_positions(session, wanted), 1):
                yield positions
                update(done)

        summaries = summarize(counted(), positions_span(session, wanted), size)
    # from here on, nothing is read any more
    inputs.check("no figure was drawn; draw again")
    for empty in [summary for summary in summaries if not summary.placed.any()]:
        reporter.warn(f"no animal of colony {empty.colony} is placed in any frame; it gets no figures")
        summaries.remove(empty)
    scale = _scale(session)
    directory = make_folder(Path(folder or session.path / "plots"))
    remove_dead_parts(directory)
    written: list[Path] = []
    with reporter.bar("drawing", len(summaries) * len(figures), "figures") as update, mpl.rc_context(style()):
        for summary in summaries:
            for name in figures:
                figure = _draw(name, summary, background, scale)
                stem = f"{name}_{summary.colony}" if summary.colony else name
                # The layout is found once, not for every file.
                if engine := figure.get_layout_engine():
                    engine.execute(figure)
                    figure.set_layout_engine("none")
                for ending in formats:
                    path = directory / f"{stem}.{ending}"
                    with replacing(path) as temporary:
                        figure.savefig(temporary, format=ending, dpi=_DPI)
                    written.append(path)
                update(len(written) // max(1, len(formats)))
    return written


def _draw(name: str, summary: Summary, background: NDArray[np.uint8] | None, scale: float | None) -> Figure:
    if name == "trails":
        return draw_trails(summary, background, scale)
    if name == "presence":
        return draw_presence(summary)
    if name == "activity":
        return draw_activity(summary, background, scale)
    return draw_contacts(summary)


def _scale(session: Session) -> float | None:
    """Size of a pixel in metres; None, which gives figures in pixels, where the session does not tell it well."""
    try:
        return session.parameters.metres_per_pixel
    except ExperimentError:
        return None


def read_background(session: Session) -> NDArray[np.uint8] | None:
    """The background image, (rows, columns, 3); None where the session has no image of it."""
    return _from_background(session, lambda image: np.asarray(image.convert("RGB")))


def background_size(session: Session) -> tuple[int, int] | None:
    """Width and height of the background image, without reading its pixels; None where there is no image of it."""
    return _from_background(session, lambda image: image.size)


def _from_background(session: Session, get: Callable[[Image.Image], _Got]) -> _Got | None:
    """What a function gets from the first background image that can be read."""
    from PIL import Image

    folder = session.layout.backgrounds
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".png" and path.name[0] != ".")
    except OSError:
        return None
    for path in sorted(paths, key=lambda path: path != session.layout.background):
        try:
            with open_regular(path) as file, Image.open(file) as image:
                return get(image)
        except (OSError, ValueError, Image.DecompressionBombError):
            continue
    return None
