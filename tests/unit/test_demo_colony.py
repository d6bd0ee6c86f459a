"""A made-up colony: its truth, what the tracker makes of it, and the files of both."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from antrax.demo import (
    Colony,
    ColonyOptions,
    generate_colony,
    read_truth,
    score_positions,
    simulate_colony,
    truth_of,
)
from antrax.demo.tracker_view import MAX_LENGTH
from antrax.errors import OptionError, OutputError
from antrax.io.graphs import read_graph
from antrax.io.names import parse_tracklet_name
from antrax.io.session import open_session

BUSY = ColonyOptions(animals=12, colonies=2, movies=3, frames=700, density=2.0, nest=0.4, open_arena=True, deaths=2,
                     losses=2.0, seed=4)  # fmt: skip


@pytest.fixture(scope="module")
def colony() -> Colony:
    return simulate_colony(BUSY)


@pytest.fixture(scope="module")
def undisturbed() -> Colony:
    """Nobody comes, goes, dies or is lost."""
    return simulate_colony(ColonyOptions(animals=12, movies=2, frames=800, density=2.0, nest=0.4, things=0, seed=1))


def test_the_same_options_give_the_same_colony_and_another_seed_another() -> None:
    options = ColonyOptions(animals=5, movies=2, frames=60)
    one, same = simulate_colony(options), simulate_colony(options)
    np.testing.assert_array_equal(one.x, same.x)
    np.testing.assert_array_equal(one.tracks.data, same.tracks.data)
    assert one.tracks.names.tolist() == same.tracks.names.tolist()
    other = simulate_colony(ColonyOptions(animals=5, movies=2, frames=60, seed=1))
    assert not np.array_equal(one.x, other.x)


def test_animals_are_conserved_where_blobs_merge_and_split(undisturbed: Colony) -> None:
    tracks, members = undisturbed.tracks, undisturbed.members
    inside = (tracks.last < len(undisturbed.x)) & np.isin(np.arange(len(tracks.names)), tracks.parent)
    assert inside.sum() > 100
    for row in np.flatnonzero(inside):
        after = np.concatenate([members[child] for child in tracks.child[tracks.parent == row]])
        assert set(members[row]) <= set(after.tolist())
    # in every frame, tracklets together hold everybody once
    held = np.zeros(len(undisturbed.x) + 1, int)
    np.add.at(held, tracks.first - 1, undisturbed.member_counts)
    np.add.at(held, tracks.last, -undisturbed.member_counts)
    assert set(np.cumsum(held)[:-1].tolist()) == {12}


def test_every_animal_is_in_one_tracklet_that_lasts_exactly_as_long_as_it_says(colony: Colony) -> None:
    tracks = colony.tracks
    frame, animal = np.nonzero(colony.cell >= 0)
    row = colony.cell[frame, animal]
    assert (tracks.first[row] <= frame + 1).all()
    assert (frame + 1 <= tracks.last[row]).all()
    # members stay the same for all of a tracklet's frames
    lengths = tracks.last - tracks.first + 1
    assert Counter(row.tolist()) == Counter(dict(enumerate((lengths * colony.member_counts).tolist())))
    np.testing.assert_array_equal(np.diff(tracks.offset), lengths)
    assert lengths.max() <= MAX_LENGTH


def test_an_edge_leads_from_a_tracklet_to_one_of_the_next_frame_with_an_animal_or_thing_in_common(
    colony: Colony,
) -> None:
    tracks = colony.tracks
    np.testing.assert_array_equal(tracks.first[tracks.child], tracks.last[tracks.parent] + 1)
    edges = set(zip(tracks.parent.tolist(), tracks.child.tolist(), strict=True))
    before, after = tracks.of_body[:-1], tracks.of_body[1:]
    goes_on = (before >= 0) & (after >= 0) & (before != after)
    assert edges == set(zip(before[goes_on].tolist(), after[goes_on].tolist(), strict=True))
    # links across movies among them
    assert (tracks.movie[tracks.child] != tracks.movie[tracks.parent]).any()


def test_a_share_of_the_links_leads_to_a_neighbour_or_nowhere() -> None:
    options = ColonyOptions(animals=12, movies=2, frames=400, density=2.0, nest=0.4, seed=1)
    right = simulate_colony(options).tracks
    wrong = simulate_colony(dataclasses.replace(options, wrong_links=0.2)).tracks
    for name in ("names", "first", "last", "data", "of_body"):
        np.testing.assert_array_equal(getattr(right, name), getattr(wrong, name))
    edges, drawn = (set(zip(one.parent.tolist(), one.child.tolist(), strict=True)) for one in (right, wrong))
    assert 0.15 < len(edges - drawn) / len(edges) < 0.25
    invented = drawn - edges
    assert 0 < len(invented) < len(edges - drawn)
    end, begin = right.data[right.offset[1:] - 1, 1:3], right.data[right.offset[:-1], 1:3]
    for parent, child in invented:
        assert right.first[child] == right.last[parent] + 1
        assert np.hypot(*(end[parent] - begin[child])) < 100


def test_colonies_do_not_mix(colony: Colony) -> None:
    tracks = colony.tracks
    np.testing.assert_array_equal(tracks.group[tracks.parent], tracks.group[tracks.child])
    for animals, group in zip(colony.members, tracks.group.tolist(), strict=True):
        assert set(colony.colony[animals].tolist()) <= {group}


def test_the_dead_are_gone_and_those_outside_are_nowhere(colony: Colony) -> None:
    assert (colony.gone_from > 0).sum() == 2 * BUSY.colonies
    for animal in np.flatnonzero(colony.gone_from):
        assert np.isnan(colony.x[colony.gone_from[animal] - 1 :, animal]).all()
        assert (colony.cell[colony.gone_from[animal] - 1 :, animal] == -1).all()
    alive = colony.gone_from == 0
    assert 0.02 < np.isnan(colony.x[:, alive]).mean() < 0.6
    assert (colony.cell[np.isnan(colony.x)] == -1).all()


def test_blobs_are_where_their_animals_are(colony: Colony) -> None:
    tracks = colony.tracks
    for row in np.flatnonzero(colony.member_counts > 0)[::17]:
        frames = np.arange(tracks.first[row] - 1, tracks.last[row])
        x = colony.x[np.ix_(frames, colony.members[row])]
        data = tracks.data[tracks.rows(row)]
        assert (np.abs(data[:, 1] - x.mean(axis=1)) < 20).all()
        # the box is around all of them
        assert (data[:, 7] <= x.min(axis=1)).all()
        assert (x.max(axis=1) <= data[:, 7] + data[:, 9] + 1).all()


def test_areas_tell_one_animal_from_several_nearly_always(undisturbed: Colony) -> None:
    single = undisturbed.member_counts == 1
    assert (undisturbed.looks_single[single]).mean() > 0.95
    assert (undisturbed.looks_single[~single]).mean() < 0.05


def test_names_are_unique_and_say_movie_and_frames(colony: Colony) -> None:
    tracks = colony.tracks
    assert len(set(tracks.names.tolist())) == len(tracks.names)
    for name, movie, first, last in zip(tracks.names.tolist(), tracks.movie, tracks.first, tracks.last, strict=True):
        parsed = parse_tracklet_name(name)
        assert parsed
        offset = (movie - 1) * BUSY.frames
        assert (parsed.movie, parsed.first + offset, parsed.last + offset) == (movie, first, last)


@pytest.mark.slow
def test_a_colony_like_the_real_one_has_a_graph_like_the_real_one() -> None:
    """JS16: 16 ants, 18,000 frames, 1,462 tracklets, 42 % of a single ant, 1.3 edges each, 21 % of the cells single."""
    options = ColonyOptions(movies=6, frames=3000)
    colonies = [simulate_colony(ColonyOptions(movies=6, frames=3000, seed=seed)) for seed in range(2)]
    tracklets = np.mean([len(colony.tracks.names) for colony in colonies])
    single = np.mean([colony.looks_single.mean() for colony in colonies])
    edges = np.mean([len(colony.tracks.parent) / len(colony.tracks.names) for colony in colonies])
    alone = np.mean([(colony.member_counts[colony.cell] == 1).mean() for colony in colonies])
    assert options.density == 0.5
    assert 1000 < tracklets < 2400
    assert 0.3 < single < 0.5
    assert 1.2 < edges < 1.4
    assert 0.15 < alone < 0.45


@pytest.mark.parametrize(
    ("options", "message"),
    [({"animals": 0}, "animals is 0"), ({"animals": 101}, "between 1 and 100"), ({"nest": 1.0}, "nest is 1.0"),
     ({"deaths": 17}, "deaths is 17; it must be between 0 and 16"), ({"density": 0}, "density is 0")],
)  # fmt: skip
def test_options_out_of_range_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        ColonyOptions(**options)


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("colony") / "made up"
    generate_colony(directory, BUSY, images=False)
    return directory


def test_files_hold_what_was_simulated(experiment: Path, colony: Colony) -> None:
    session = open_session(experiment)
    assert [movie.fi for movie in session.movies.values()] == [1, 701, 1401]
    reading = read_graph(session)
    assert not reading.failed
    assert not reading.problems
    np.testing.assert_array_equal(reading.graph.names, colony.tracks.names)
    np.testing.assert_array_equal(reading.graph.parent, colony.tracks.parent)
    np.testing.assert_array_equal(reading.graph.child, colony.tracks.child)
    assert set(reading.graph.colony.tolist()) == {"C1", "C2"}
    assert reading.graph.at_boundary.any()
    with h5py.File(session.path / "tracklets" / "trdata_2.mat") as file:
        assert list(file) == sorted(colony.tracks.names[colony.tracks.movie == 2].tolist())
        row = reading.graph.row[next(iter(file))]
        np.testing.assert_array_equal(file[colony.tracks.names[row]][()].T, colony.tracks.data[colony.tracks.rows(row)])
    removed = [line.split() for line in (session.path / "parameters" / "ids.cfg").read_text().splitlines()]
    assert len(removed) == 4
    assert {line[1] for line in removed} == {"C1", "C2"}


def test_the_truth_comes_back_as_it_was(experiment: Path, colony: Colony) -> None:
    truth, expected = read_truth(experiment), truth_of(colony)
    for name in ("ids", "colony", "x", "y", "heading", "tracklet", "tracklets"):
        np.testing.assert_array_equal(getattr(truth, name), getattr(expected, name))


def test_positions_are_scored_cell_by_cell(colony: Colony) -> None:
    truth = truth_of(colony)
    frame, animal = np.nonzero(truth.tracklet >= 0)
    right = pd.DataFrame(
        {"frame": frame + 1, "id": truth.ids[animal], "colony": truth.colony[animal],
         "tracklet": truth.tracklets[truth.tracklet[frame, animal]]}
    )  # fmt: skip
    accuracy = score_positions(truth, right)
    assert (accuracy.cells, accuracy.placed, accuracy.wrong) == (len(right), len(right), 0)
    some = right.iloc[:100].copy()
    some.loc[:9, "tracklet"] = "trj_id99_ti1_1_tf1_1"
    accuracy = score_positions(truth, some)
    assert (accuracy.placed, accuracy.wrong) == (100, 10)


def test_images_examples_and_labels_agree(tmp_path: Path) -> None:
    options = ColonyOptions(animals=3, movies=2, frames=40, density=0.2, nest=0.1)
    made = generate_colony(tmp_path / "small", options, examples=20)
    colony, session = simulate_colony(options), open_session(made.directory)
    truth = pd.read_csv(made.directory / "truth.csv", keep_default_na=False)
    painted = colony.looks_single
    assert sorted(truth["tracklet"]) == sorted(colony.tracks.names[painted].tolist())
    assert dict(zip(truth["tracklet"], truth["label"], strict=True)) == {
        str(colony.tracks.names[row]): colony.labels[row] for row in np.flatnonzero(painted)
    }
    lengths = (colony.tracks.last - colony.tracks.first + 1)[painted]
    assert made.images == lengths.sum()
    assert len(session.stacks) == 2
    examples = session.classifier_dir / "examples"
    files = list(examples.glob("*/*.png"))
    assert len(files) == made.examples
    # each animal has some, also one that was never alone in the first movies
    assert {"BB", "BG", "BO", "Multi", "Unknown"} <= {folder.name for folder in examples.iterdir()}


def test_a_folder_that_is_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("here")
    with pytest.raises(OutputError, match="is not empty"):
        generate_colony(tmp_path, ColonyOptions(animals=2, movies=1, frames=5), images=False)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
