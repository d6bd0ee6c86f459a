"""What plots show, in numbers, and that the files are there."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from antrax.errors import ExperimentError, OptionError
from antrax.io.positions import Kind, MoviePositions
from antrax.io.positions_table import positions_span
from antrax.io.session import Session, open_session
from antrax.plots.figures import draw_contacts, draw_trails
from antrax.plots.measures import GROUPS, SQUARE, Summary, summarize
from antrax.plots.run import FIGURES, plot_positions

from .test_positions import SCALE, session, write_all  # noqa: F401  # a fixture

pytestmark = pytest.mark.slow


def movie_of_two(frames: int = 100, first_frame: int = 1) -> MoviePositions:
    """AB walks 1 pixel a frame alone, then sits with CD in one blob; CD is in that blob all the time."""
    found = MoviePositions.empty(1, first_frame, frames, 10.0, ("AB", "CD"), ("", ""))
    half = frames // 2
    found.x[:half, 0], found.y[:half, 0] = np.arange(half), 40.0
    found.orientation[:half, 0] = 0.0
    found.kind[:half, 0], found.confidence[:half, 0], found.tracklet[:half, 0] = Kind.CLASSIFIED, 0.8, 0
    found.x[half:, 0], found.y[half:, 0] = 80.0, 40.0
    found.x[:, 1], found.y[:, 1] = 80.0, 40.0
    found.kind[half:, 0] = found.kind[:, 1] = Kind.SEVERAL
    found.confidence[half:, 0] = found.confidence[:, 1] = 0.6
    found.tracklet[half:, 0] = found.tracklet[:, 1] = 1
    return dataclasses.replace(found, tracklets=np.array(["a", "b"]))


def summary_of(*movies: MoviePositions, span: tuple[int, int]) -> Summary:
    (found,) = summarize(movies, span, (200, 100))
    return found


def test_distance_is_measured_while_alone() -> None:
    found = summary_of(movie_of_two(), span=(1, 100))
    # at both ends of the walk the average over half a second is of fewer frames
    assert found.distance[:, 0].sum() == pytest.approx(49, abs=3)
    assert found.distance[:, 1].sum() == 0
    assert found.alone_frames.tolist() == [49, 0]


def test_time_is_shared_out_to_groups_and_partners() -> None:
    found = summary_of(movie_of_two(), span=(1, 100))
    assert GROUPS == (1, 2, 3, 6)
    assert found.group_frames[:, 0].tolist() == [50, 50, 0, 0]
    assert found.group_frames[:, 1].tolist() == [50, 50, 0, 0]
    assert found.together.tolist() == [[100, 50], [50, 100]]


def test_timelines_add_up_and_confidence_is_the_mean() -> None:
    found = summary_of(movie_of_two(), span=(1, 100))
    assert found.bin_frames == 1
    np.testing.assert_array_equal(found.placed.sum(axis=0), [100, 100])
    assert found.by_kind[Kind.CLASSIFIED].sum() == 50
    np.testing.assert_allclose(found.confidence[[0, 99], 0], [0.8, 0.6], rtol=1e-6)


def test_movies_come_one_by_one_and_those_left_out_stay_empty() -> None:
    one, other = movie_of_two(), movie_of_two(first_frame=2301)
    found = summary_of(one, other, span=(1, 2400))
    assert found.bin_frames == 2
    assert found.filmed == 200
    assert not found.placed[100:1100].any()
    assert found.placed.sum() == 400
    assert found.occupancy.sum() == 400
    assert found.occupancy[40 // SQUARE, 80 // SQUARE] == 2 * 150
    assert found.trails[0][:, 0].min() == 1
    assert found.trails[0][:, 0].max() == 2400


def test_nothing_placed_is_nothing_to_plot() -> None:
    with pytest.raises(ExperimentError, match="no animal is placed"):
        summarize([MoviePositions.empty(1, 1, 10, 10.0, ("AB",), ("",))], (1, 10), (10, 10))


def bars_of(figure: Figure, animal: int) -> list[float]:
    """Lengths of the bars of an animal, from the left."""
    return [float(bars[animal].get_width()) for bars in figure.axes[0].containers]


def test_bars_are_shares_of_the_filmed_time() -> None:
    figure = draw_contacts(summary_of(movie_of_two(frames=40), span=(1, 200)))
    # both are as often alone as in a group of two, and never anywhere else
    assert bars_of(figure, 0) == bars_of(figure, 1) == [50, 50, 0, 0, 0]


def test_where_groups_are_not_known_the_time_is_that_of_being_placed() -> None:
    movie = movie_of_two(frames=40)
    movie.tracklet[:] = -1
    movie.kind[:10, 1] = Kind.UNDECIDED
    found = summary_of(movie, span=(1, 200))
    figure = draw_contacts(found)
    assert sorted(sum(bars_of(figure, animal)) for animal in (0, 1)) == [100, 100]
    assert sorted(bars_of(figure, animal)[-1] for animal in (0, 1)) == [0, 25]


def test_trails_show_where_animals_were_and_nothing_beyond_the_frame() -> None:
    found = summary_of(movie_of_two(), span=(1, 100))
    alone = draw_trails(found, None, None).axes[0]
    assert alone.get_xlim() == (0, 80 // SQUARE * SQUARE + SQUARE + 40)
    small = np.full((60, 90, 3), 200, np.uint8)
    framed = draw_trails(found, small, None).axes[0]
    assert framed.get_xlim() == (0, 90)
    assert framed.get_ylim() == (60, 0)


def test_the_scale_bar_is_as_long_as_it_says() -> None:
    axes = draw_trails(summary_of(movie_of_two(), span=(1, 100)), None, 1e-4).axes[0]
    (text,) = [text for text in axes.texts if text.get_text().endswith("m")]
    drawn = [np.asarray(line.get_data()) for line in axes.lines]
    x, y = next(points for points in drawn if points.shape == (2, 2) and np.ptp(points[1]) == 0)
    number, unit = text.get_text().split()
    assert (x[1] - x[0]) * 1e-4 == pytest.approx(float(number) * {"cm": 1e-2, "mm": 1e-3}[unit])
    # in the part that is shown, and the text above it
    left, right = axes.get_xlim()
    assert left < x[0] < text.get_position()[0] < x[1] < right
    assert text.get_position()[1] < y[0] < axes.get_ylim()[0]


def test_every_figure_is_written_as_png_and_svg(session: Session) -> None:  # noqa: F811
    write_all(session)
    background = session.path / "parameters" / "backgrounds"
    background.mkdir()
    Image.new("RGB", (400, 120), (240, 230, 220)).save(background / "background.png")
    written = plot_positions(session)
    assert sorted(path.name for path in (session.path / "plots").iterdir()) == sorted(
        f"{name}.{ending}" for name in FIGURES for ending in ("png", "svg")
    )
    for path in written:
        if path.suffix == ".png":
            with Image.open(path) as image:
                assert image.width > 600
                assert len(image.convert("RGB").getcolors(2**24) or ()) > 20
        else:
            text = path.read_text(encoding="utf-8")
            ElementTree.fromstring(text)
            assert "AB" in text  # as text, so that it can be edited


def test_colonies_have_figures_of_their_own(session: Session, tmp_path: Path) -> None:  # noqa: F811
    parameters = {"geometry_rscale": SCALE, "geometry_multi_colony": True, "geometry_colony_labels": ["C1", "C2"]}
    (session.path / "parameters" / "prmtrs.json").write_text(json.dumps(parameters))
    session = open_session(session.experiment)
    from .test_positions import SOLVED

    write_all(session, dataclasses.replace(SOLVED, ids=("AB", "AB"), colonies=("C1", "C2")))
    written = plot_positions(session, folder=tmp_path / "figures", figures=["presence"], formats=["svg"])
    assert [path.name for path in written] == ["presence_C1.svg", "presence_C2.svg"]


def test_sessions_that_matlab_solved_are_plotted_without_confidence(session: Session) -> None:  # noqa: F811
    write_all(session)
    shutil.rmtree(session.path / "positions")
    written = plot_positions(session, [1], figures=["presence"], formats=["svg"])
    text = written[0].read_text(encoding="utf-8")
    for word in ("classified", "soft", "several", "not placed"):
        assert word in text
    assert positions_span(session, [1]) == (1, 20)


def test_unknown_figures_and_formats_are_refused(session: Session) -> None:  # noqa: F811
    write_all(session)
    with pytest.raises(OptionError, match="no figure 'pie'; choose from trails"):
        plot_positions(session, figures=["pie"])
    with pytest.raises(OptionError, match="no format 'gif'"):
        plot_positions(session, formats=["gif"])
    assert not (session.path / "plots").exists()


def test_time_reads_in_the_unit_that_suits(session: Session) -> None:  # noqa: F811
    from antrax.plots.figures import _time_unit

    found = summary_of(movie_of_two(), span=(1, 100))
    for frames, expected in ((100, "seconds"), (6000, "minutes"), (200_000, "hours"), (5_000_000, "days")):
        unit, part = _time_unit(dataclasses.replace(found, frames=frames))
        assert unit == expected
        assert part * 10 in (1.0, 1 / 60, 1 / 3600, pytest.approx(1 / 86_400))
    assert _time_unit(dataclasses.replace(found, fps=math.nan)) == ("frames", 1.0)


def test_a_colony_of_which_no_animal_is_placed_costs_only_its_figures(session: Session, caplog) -> None:  # noqa: F811
    parameters = {"geometry_rscale": SCALE, "geometry_multi_colony": True, "geometry_colony_labels": ["C1", "C2"]}
    (session.path / "parameters" / "prmtrs.json").write_text(json.dumps(parameters))
    session = open_session(session.experiment)
    from .test_positions import SOLVED

    kinds = np.where(SOLVED.animal == 1, Kind.UNDECIDED, SOLVED.kind)
    solved = dataclasses.replace(SOLVED, ids=("AB", "AB"), colonies=("C1", "C2"), kind=kinds)
    write_all(session, solved)
    shutil.rmtree(session.path / "positions")
    written = plot_positions(session, formats=["svg"])
    assert [path.name for path in written] == [f"{name}_C1.svg" for name in FIGURES]
    assert "no animal of colony C2 is placed in any frame" in caplog.text
