"""The figures: trails, presence, distances and occupancy, time budget of contacts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from antrax.io.positions import KIND_NAMES, Kind
from antrax.plots.measures import GROUPS, SQUARE, Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TIME = "viridis"
_ABSENT = "#e4e2df"
_PIECE = 8  # points
_KIND_COLOURS = {
    Kind.CLASSIFIED: "#1b6e8c",
    Kind.SINGLE: "#4ba3a8",
    Kind.SEVERAL: "#a5cfa0",
    Kind.SOFT: "#e9c46a",
    Kind.INTERPOLATED: "#d98a5b",
}
_GROUP_COLOURS = ("#1b6e8c", "#7fb7be", "#e9c46a", "#d9734e")
_TEXT = {"font.size": 11, "axes.spines.top": False, "axes.spines.right": False, "svg.fonttype": "none"}


def style() -> Any:
    """Settings that all figures are drawn with (`matplotlib.rc_context`)."""
    return dict(_TEXT)


def draw_trails(summary: Summary, background: NDArray[np.uint8] | None, scale: float | None) -> Figure:
    """A panel for each animal: its trajectory over the background, coloured by time.

    Parameters
    ----------
    summary : Summary
    background : (rows, columns, 3) array of uint8, optional
        The background image.
    scale : float, optional
        Metres a pixel, for the bar.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    count = len(summary.names)
    left, right, top, bottom = _window(summary, background)
    aspect = (bottom - top) / (right - left)
    columns = _best_columns(count, aspect)
    rows = -(-count // columns)
    panel = min(3.2, 13.3 / columns)
    figure = _figure(columns * panel + 1.3, rows * (panel * aspect + 0.32) + 0.6)
    axes = figure.subplots(rows, columns, squeeze=False)
    unit, per_frame = _time_unit(summary)
    norm = Normalize(0, summary.frames * per_frame)
    size = max(6.0, min(12.0, 4.6 * panel))
    # All panels show the same picture; the frame is larger than a panel.
    floor = (
        None
        if background is None
        else _shrunk(_faded(background), round(panel * 320 * background.shape[1] / (right - left)))
    )
    for place, one in enumerate(axes.flat):
        one.set_axis_off()
        if place >= count:
            continue
        if background is not None and floor is not None:
            one.imshow(floor, interpolation="nearest", extent=(0, background.shape[1], background.shape[0], 0))
        _draw_trail(one, summary.trails[place], summary.first_frame, per_frame, norm, 0.5 + 0.25 * panel)
        one.set_xlim(left, right)
        one.set_ylim(bottom, top)
        one.set_aspect("equal")
        share = summary.placed[:, place].sum() / max(1, summary.filmed)
        one.set_title(f"{summary.names[place]}  {share:.0%}", fontsize=size, fontweight="bold", pad=2)
    if scale:
        _scale_bar(axes[0, 0], (left, right, top, bottom), scale, size)
    bar = figure.colorbar(ScalarMappable(norm, _TIME), ax=axes, shrink=0.6, aspect=30, pad=0.01)
    bar.set_label(f"time ({unit})")
    figure.suptitle(_title("Trails", summary, "with the share of the time that each animal is placed"), fontsize=13)
    return figure


def draw_presence(summary: Summary) -> Figure:
    """Draw the presence of animals over time: a row each, coloured by confidence, or by kind without confidences."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize, to_rgb
    from matplotlib.patches import Patch

    count = len(summary.names)
    unit, per_frame = _time_unit(summary)
    height = max(3.2, min(11.5, 1.9 + 0.3 * count))
    figure = _figure(13.3, height)
    main, side = figure.subplots(1, 2, width_ratios=(12, 1.6), sharey=True)
    share = summary.placed / np.maximum(summary.in_bin, 1)[:, None]
    absent = np.array(to_rgb(_ABSENT))
    if np.isfinite(summary.confidence).any():
        norm = Normalize(0.5, 1.0, clip=True)
        mappable = ScalarMappable(norm, "YlGnBu")
        colours = mappable.to_rgba(np.nan_to_num(summary.confidence, nan=1.0))[..., :3]
        bar = figure.colorbar(mappable, ax=[main, side], shrink=0.7, aspect=25, pad=0.01, extend="min")
        bar.set_label("confidence of the placement")
    else:
        kinds = [kind for kind in _KIND_COLOURS if summary.by_kind[kind].any()]
        which = np.argmax(summary.by_kind[kinds], axis=0)
        colours = np.array([to_rgb(_KIND_COLOURS[kind]) for kind in kinds])[which]
        patches = [Patch(color=_KIND_COLOURS[kind], label=KIND_NAMES[kind]) for kind in kinds]
        figure.legend(handles=[*patches, Patch(color=_ABSENT, label="not placed")], loc="outside lower center", ncols=6)
    mixed = absent + share[..., None] * (colours - absent)
    unfilmed = summary.in_bin == 0
    mixed[unfilmed] = 1.0
    extent = (0.0, summary.frames * per_frame, count - 0.5, -0.5)
    main.imshow(mixed.transpose(1, 0, 2), aspect="auto", interpolation="none", extent=extent)
    main.set_yticks(range(count), summary.names, fontsize=_label_size(height - 1.2, count))
    main.set_xlabel(f"time ({unit})")
    main.hlines(np.arange(count - 1) + 0.5, 0, extent[1], color="white", linewidth=min(2.0, 30 / count))
    total = summary.placed.sum(axis=0) / max(1, summary.filmed)
    side.barh(range(count), 100 * total, color="#7a7f85", height=0.7)
    side.set_xlim(0, 100)
    side.set_xlabel("placed (%)")
    side.tick_params(labelleft=False, left=False)
    figure.suptitle(_title("Who is placed when", summary, f"{total.mean():.1%} of all animals × frames"), fontsize=13)
    return figure


def draw_activity(summary: Summary, background: NDArray[np.uint8] | None, scale: float | None) -> Figure:
    """Draw the distances that animals walk, and the occupancy of the arena.

    Parameters
    ----------
    summary : Summary
        Of one colony.
    background : NDArray[np.uint8] or None
        Image of the arena, (rows, columns, 3), where there is one.
    scale : float or None
        Metres a pixel, where it is known.
    """
    from matplotlib.colors import LogNorm

    count = len(summary.names)
    height = max(5.5, min(11.5, 1.2 + 0.26 * count))
    figure = _figure(13.3, height)
    walked, map_axes = figure.subplots(1, 2, width_ratios=(1, 1.25))
    # Distances are known for the time alone only: a rate compares animals that were alone for different times.
    hours = summary.alone_frames / summary.fps / 3600 if np.isfinite(summary.fps) else None
    total = summary.distance.sum(axis=0)
    unit = "m" if scale else "pixels"
    if hours is not None:
        rate = np.where(summary.alone_frames > 0, total * (scale or 1) / np.maximum(hours, 1e-12), 0.0)
        what = f"distance walked while alone ({unit} per hour)"
    else:
        rate = np.where(summary.alone_frames > 0, total * (scale or 1) / np.maximum(summary.alone_frames, 1), 0.0)
        what = f"distance walked while alone ({unit} per frame)"
    order = np.argsort(-rate)
    enough = summary.alone_frames >= 0.01 * max(1, summary.filmed)
    colours = np.where(enough, "#1b6e8c", "#b9cdd4")
    walked.barh(range(count), rate[order], color=colours[order], height=0.75)
    walked.set_yticks(range(count), [summary.names[n] for n in order], fontsize=_label_size(height - 1.2, count))
    walked.set_ylim(count - 0.4, -0.6)
    walked.set_xlabel(what)
    if not enough.all():
        walked.text(0.98, 0.02, "pale: alone for under 1 % of the time", transform=walked.transAxes, ha="right",
                    fontsize=9, color="#666666")  # fmt: skip
    left, right, top, bottom = _window(summary, background)
    if background is not None:
        map_axes.imshow(_faded(background), interpolation="bilinear")
    per = summary.occupancy / max(1.0, summary.filmed * count)
    shown = np.ma.masked_less_equal(100 * per, 0)
    rows, columns = per.shape
    if shown.count():
        top_value = float(shown.max())
        image = map_axes.imshow(
            shown, norm=LogNorm(top_value / 1e4, top_value), cmap="inferno_r", alpha=0.85, interpolation="nearest",
            extent=(0, columns * SQUARE, rows * SQUARE, 0),
        )  # fmt: skip
        side = f"{SQUARE * scale * 1000:.2g} mm" if scale else f"{SQUARE} pixels"
        figure.colorbar(
            image, ax=map_axes, shrink=0.7, aspect=25, label=f"time spent (% of all, in a square of {side})"
        )
    map_axes.set_xlim(left, right)
    map_axes.set_ylim(bottom, top)
    map_axes.set_aspect("equal")
    map_axes.set_axis_off()
    if scale:
        _scale_bar(map_axes, (left, right, top, bottom), scale, 10)
    figure.suptitle(_title("Distances and occupancy", summary), fontsize=13)
    return figure


def draw_contacts(summary: Summary) -> Figure:
    """Draw the time that each animal is alone or in groups, and the matrix of pairs."""
    count = len(summary.names)
    height = max(5.5, min(11.5, 1.6 + 0.26 * count))
    figure = _figure(13.3, height)
    budget, matrix = figure.subplots(1, 2, width_ratios=(1, 1.1))
    filmed = max(1, summary.filmed)
    share = 100 * summary.group_frames / filmed
    order = np.lexsort((np.arange(count), -share[0]))
    labels = ["alone", *(_group_name(least, most) for least, most in zip(GROUPS[1:], (*GROUPS[2:], None), strict=True))]
    start = np.zeros(count)
    for row, label, colour in zip(share, labels, _GROUP_COLOURS, strict=True):
        budget.barh(range(count), row[order], left=start, color=colour, label=label, height=0.8)
        start = start + row[order]
    rest = np.maximum(0, 100 * summary.placed.sum(axis=0)[order] / filmed - start)
    if (rest > 0.05).any():
        budget.barh(range(count), rest, left=start, color="#c9b8d6", label="placed, group not known", height=0.8)
        start = start + rest
    budget.barh(range(count), 100 - start, left=start, color=_ABSENT, label="not placed", height=0.8)
    size = _label_size(height - 1.6, count)
    names = [summary.names[n] for n in order]
    budget.set_yticks(range(count), names, fontsize=size)
    budget.set_xlim(0, 100)
    budget.set_ylim(count - 0.4, -0.6)
    budget.set_xlabel("time (%)")
    budget.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False, fontsize=10)
    # In proportion to the time in which both could be together: that of the one who is placed less.
    own = summary.together.diagonal()
    shared = 100 * summary.together / np.maximum(np.minimum(own[:, None], own), 1)
    shared = shared[np.ix_(order, order)].astype(np.float64)
    np.fill_diagonal(shared, np.nan)
    image = matrix.imshow(np.ma.masked_invalid(shared), cmap="YlOrBr", vmin=0, interpolation="nearest")
    # Rows are those of the bars beside; where there are many, the matrix is smaller and its labels would overlap.
    step = -(-count // 50)
    size = min(size, 0.8 * 72 * 5.6 / count * step)
    matrix.set_xticks(range(0, count, step), names[::step], rotation=90, fontsize=size)
    matrix.set_yticks(range(0, count, step), names[::step], fontsize=size)
    matrix.spines[:].set_visible(False)
    matrix.tick_params(length=0)
    figure.colorbar(image, ax=matrix, shrink=0.7, aspect=25, label="time in the same blob (%)")
    figure.suptitle(_title("Time budget of contacts", summary), fontsize=13)
    return figure


def _best_columns(count: int, aspect: float) -> int:
    """Columns of a grid of panels that is about as wide as a slide and leaves few places empty."""

    def fault(columns: int) -> float:
        rows = -(-count // columns)
        shape = columns / (rows * (aspect + 0.1)) / (16 / 9)
        return abs(math.log(shape)) + 2.0 * (rows * columns - count) / count

    return min(range(1, count + 1), key=fault)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _draw_trail(axes: Axes, trail: NDArray[np.float64], first: int, per_frame: float, norm: Any, width: float) -> None:
    from matplotlib.collections import LineCollection

    if len(trail) < 2:
        return
    # Pieces of a few points have one colour each, and the last point of one is the first of the next.
    starts = np.arange(0, len(trail) - 1, _PIECE)
    rows = np.minimum(starts[:, None] + np.arange(_PIECE + 1), len(trail) - 1)
    pieces = trail[rows]
    known = np.isfinite(pieces[..., 1]).sum(axis=1) > 1
    lines = LineCollection(
        list(pieces[known][..., 1:]),
        cmap=_TIME,
        norm=norm,
        linewidths=width,
        alpha=0.8,
        rasterized=True,
        capstyle="round",
    )
    lines.set_array((pieces[known][:, 0, 0] - first) * per_frame)
    axes.add_collection(lines)


def _window(summary: Summary, background: NDArray[np.uint8] | None) -> tuple[float, float, float, float]:
    """Left, right, top and bottom of what is worth showing: where animals were, with a margin, inside the frame."""
    rows, columns = (np.flatnonzero(summary.occupancy.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return 0.0, float(summary.occupancy.shape[1] * SQUARE), 0.0, float(summary.occupancy.shape[0] * SQUARE)
    margin = 40.0
    height, width = (n * SQUARE for n in summary.occupancy.shape) if background is None else background.shape[:2]
    return (
        max(0.0, columns[0] * SQUARE - margin),
        min(float(width), (columns[-1] + 1) * SQUARE + margin),
        max(0.0, rows[0] * SQUARE - margin),
        min(float(height), (rows[-1] + 1) * SQUARE + margin),
    )


def _faded(background: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The background in pale grey, so that trails stand out."""
    grey = background.astype(np.float32).mean(axis=-1, keepdims=True)
    return np.repeat(255 - 0.45 * (255 - grey), 3, axis=-1).astype(np.uint8)


def _shrunk(picture: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """A picture brought to a width in pixels, if it is wider."""
    from PIL import Image

    if picture.shape[1] <= width:
        return picture
    height = max(1, round(picture.shape[0] * width / picture.shape[1]))
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BOX))


def _label_size(height: float, count: int) -> float:
    """Size of text, in points, that lets `count` lines be read in a height in inches."""
    return max(4.0, min(11.0, 0.8 * 72 * height / count))


def _scale_bar(axes: Axes, window: tuple[float, float, float, float], scale: float, size: float) -> None:
    left, right, _, bottom = window
    lengths = [1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0]
    metres = max((length for length in lengths if length / scale < 0.3 * (right - left)), default=lengths[0])
    x, y = left + 0.03 * (right - left), bottom - 0.03 * (right - left)
    axes.plot([x, x + metres / scale], [y, y], color="black", linewidth=2.5, solid_capstyle="butt")
    text = f"{metres * 100:g} cm" if metres >= 0.01 else f"{metres * 1000:g} mm"
    axes.text(x + metres / scale / 2, y - 0.012 * (right - left), text, ha="center", va="bottom", fontsize=0.8 * size)


def _time_unit(summary: Summary) -> tuple[str, float]:
    """Unit of time that suits the whole, and its part in a frame."""
    if not np.isfinite(summary.fps) or summary.fps <= 0:
        return "frames", 1.0
    seconds = summary.frames / summary.fps
    for unit, length in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return unit, 1 / summary.fps / length
    return "seconds", 1 / summary.fps


def _title(what: str, summary: Summary, more: str = "") -> str:
    colony = f"colony {summary.colony}" if summary.colony else ""
    return " · ".join(part for part in (what, colony, more) if part)


def _group_name(least: int, most: int | None) -> str:
    if most is None:
        return f"in a group of {least} or more"
    return "with one other" if (least, most) == (2, 3) else f"in a group of {least} to {most - 1}"
