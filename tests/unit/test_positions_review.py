"""Validation of positions: drawing of cells, marks and their rate, corrections and what follows from them."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import antrax
from antrax.errors import ConflictError, ExperimentError, NothingToUndoError, OptionError
from antrax.io.films import Film, find_film, outline_blob, why_no_film
from antrax.io.positions import place, placements_of
from antrax.io.positions_table import positions_file, read_table
from antrax.io.session import Session, open_session
from antrax.io.trdata import read_box, read_measurements
from antrax.review.positions.corrections import correct, take_back
from antrax.review.positions.marks import PositionMark, PositionMarks, PositionVerdict, position_rate
from antrax.review.positions.resolving import Resolver, disagreements
from antrax.review.positions.shots import shots_of
from antrax.review.positions.solved import Cell, Placement, Solved
from antrax.review.tracklets.catalog import Catalog
from antrax.review.validation.rates import clopper_pearson
from tests.fixtures.classified import true_labels
from tests.fixtures.solved import wrong_label


@pytest.fixture
def session(shared_colony: Path, tmp_path: Path) -> Session:
    """A copy for one test."""
    shutil.copytree(shared_colony, tmp_path / "colony")
    return open_session(tmp_path / "colony")


@pytest.fixture
def solved(session: Session) -> Solved:
    return Solved(session)


# ---- cells


def test_cells_are_drawn_uniformly_among_the_placed_ones_and_again_with_the_same_seed(solved: Solved):
    drawn = [solved.draw(7, number) for number in range(200)]
    assert drawn == [solved.draw(7, number) for number in range(200)]
    assert drawn[:20] != [solved.draw(8, number) for number in range(20)]
    assert all(solved.placement(cell) is not None for cell in drawn)
    # movies get draws by their number of placed cells: within four standard deviations
    counts = {movie: solved.count(movie) for movie in solved.movies}
    share = counts[1] / sum(counts.values())
    found = Counter(cell.movie for cell in drawn)[1]
    assert abs(found - 200 * share) < 4 * np.sqrt(200 * share * (1 - share))
    frames = np.array([cell.frame for cell in drawn if cell.movie == 1])
    assert frames.min() < 15
    assert frames.max() > 135


def test_the_number_of_placed_cells_is_that_of_the_table(solved: Solved, session: Session):
    for movie in solved.movies:
        assert solved.count(movie) == int(read_table(positions_file(session, movie)).placed.sum())


def test_a_placement_is_where_the_table_has_the_animal(solved: Solved, session: Session):
    table = antrax.read_positions(session)
    for number in range(10):
        cell = solved.draw(1, number)
        found = solved.placement(cell)
        row = table[(table.id == cell.id) & (table.frame == cell.frame)].iloc[0]
        assert (found.x, found.y, found.tracklet, found.kind) == (row.x, row.y, row.tracklet, row.kind)
        assert found.confidence == pytest.approx(row.confidence)


def test_without_positions_there_is_nothing_to_draw(session: Session):
    shutil.rmtree(session.path / "positions")
    shutil.rmtree(session.path / "antdata")
    empty = Solved(session)
    assert empty.movies == ()
    assert empty.digest == ""
    with pytest.raises(ExperimentError, match="no animal is placed"):
        empty.draw(1, 0)


def test_positions_of_matlab_alone_serve_too(session: Session):
    own = Solved(session)
    cells = [own.draw(3, number) for number in range(5)]
    places, digest = [own.placement(cell).tracklet for cell in cells], own.digest
    shutil.rmtree(session.path / "positions")
    matlab = Solved(session)
    assert matlab.movies == own.movies
    assert [matlab.placement(cell).tracklet for cell in cells] == places
    assert matlab.digest != digest


def test_the_digest_is_of_the_content(solved: Solved, session: Session):
    before = solved.digest
    path = positions_file(session, 1)
    path.touch()
    solved.refresh()
    assert solved.digest == before
    shutil.copy(positions_file(session, 2), path)
    solved.refresh()
    assert solved.digest != before


def test_images_around_a_moment_show_the_moment_itself(solved: Solved, session: Session, tmp_path: Path):
    catalog = Catalog(session, tmp_path / "memory")
    number = next(n for n in range(50) if solved.placement(solved.draw(2, n)).kind == "classified")
    cell = solved.draw(2, number)
    tracklet = solved.placement(cell).tracklet
    shots = shots_of(solved, catalog, cell, tracklet)
    (here,) = [shot for shot in shots if shot.relation == "here"]
    assert here.tracklet == tracklet
    assert here.placed == (cell.id,)
    assert cell.frame in here.frames
    assert list(here.frames) == sorted(here.frames)
    for shot in shots:
        assert cell.id in shot.placed
        assert (shot.last < cell.frame) == (shot.relation == "before")
        assert (shot.first > cell.frame) == (shot.relation == "after")


# ---- marks


def a_mark(cell: Cell, verdict: PositionVerdict | None, run: str = "r1", **changes) -> PositionMark:
    return replace(
        PositionMark("2026-11-26T12:00:00+00:00", "Ada", cell, f"trj_id1_ti{cell.movie}_1_tf{cell.movie}_9", "single",
                     0.9, verdict, "", 5, 1, "s1", run, "random"),
        **changes,
    )  # fmt: skip


CELLS = [Cell(1, frame, "BG", "") for frame in range(1, 9)]


def where(cell: Cell, tracklet: str = "trj_id1_ti1_1_tf1_9") -> Placement:
    return Placement(cell, cell.frame, 1.0, 1.0, "single", 0.9, tracklet, "")


def test_marks_come_back_from_the_file_as_they_were_given(tmp_path: Path):
    (tmp_path / "session").mkdir()
    path = tmp_path / "session" / "validation" / "position_marks.csv"
    marks = PositionMarks(path)
    given = [
        a_mark(CELLS[0], PositionVerdict.WRONG, true_id="OG", who="Ada"),
        a_mark(Cell(2, 7, "=1+1", "C1"), PositionVerdict.CANNOT_SAY, confidence=None, tracklet=""),
        a_mark(CELLS[0], None),
        a_mark(CELLS[1], PositionVerdict.CORRECT, met="chosen", seed=-1, number=-1),
    ]
    for mark in given:
        marks.add(mark)
    fresh = PositionMarks(path)
    fresh.refresh()
    assert fresh.all() == tuple(given)
    assert fresh.current(CELLS[0], "r1") is None
    assert fresh.current(CELLS[1], "r1") == given[3]
    assert fresh.current(CELLS[1], "r2") is None
    with path.open(newline="", encoding="utf-8") as file:
        assert [row["verdict"] for row in csv.DictReader(file)] == ["wrong", "cannot_say", "taken_back", "correct"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"who": " "}, "needs a name"),
        ({"tracklet": "x"}, "no name of a tracklet"),
        ({"tracklet": "trj_id1_ti2_1_tf2_9"}, "movie 2, not 1"),
        ({"kind": "odd"}, "no kind of placement"),
        ({"met": "odd"}, "neither of"),
        ({"true_id": "a\nb"}, "cannot be kept"),
    ],
)
def test_marks_that_make_no_sense_are_refused(tmp_path: Path, changes: dict[str, str], message: str):
    marks = PositionMarks(tmp_path / "validation" / "position_marks.csv")
    with pytest.raises(OptionError, match=message):
        marks.add(a_mark(CELLS[0], PositionVerdict.CORRECT, **changes))
    assert not marks.path.exists()


def test_the_rate_counts_random_cells_once_by_their_last_mark():
    correct, wrong, unsure = PositionVerdict.CORRECT, PositionVerdict.WRONG, PositionVerdict.CANNOT_SAY
    marks = [
        a_mark(CELLS[0], correct),
        a_mark(CELLS[1], correct),
        a_mark(CELLS[1], wrong),
        a_mark(CELLS[2], unsure),
        a_mark(CELLS[3], wrong, met="chosen"),
        a_mark(CELLS[4], wrong),
        a_mark(CELLS[4], None),
    ]
    rate = position_rate(marks, "r1", where)
    assert (rate.errors, rate.checked, rate.cannot_say, rate.chosen) == (1, 2, 1, 1)
    assert rate.interval == clopper_pearson(1, 2)
    assert (rate.rescored, rate.moved) == (0, 0)


def test_what_was_found_wrong_stays_an_error_of_its_run_when_it_is_corrected():
    marks = [a_mark(CELLS[0], PositionVerdict.WRONG), a_mark(CELLS[1], PositionVerdict.CORRECT)]
    rate = position_rate(marks, "r1", lambda cell: where(cell, "trj_id2_ti1_1_tf1_9"))
    assert (rate.errors, rate.checked, rate.moved) == (1, 2, 1)


def test_marks_of_an_earlier_run_count_by_what_they_tell_of_the_new_one():
    correct, wrong = PositionVerdict.CORRECT, PositionVerdict.WRONG
    elsewhere = "trj_id2_ti1_1_tf1_9"
    now = {
        CELLS[0]: where(CELLS[0]),
        CELLS[1]: where(CELLS[1], elsewhere),
        CELLS[2]: where(CELLS[2], elsewhere),
        CELLS[3]: None,
        CELLS[4]: where(CELLS[4]),
    }
    marks = [
        a_mark(CELLS[0], correct),  # still there: right
        a_mark(CELLS[1], correct),  # it was rightly there, so here it is wrong
        a_mark(CELLS[2], wrong),  # wrong there tells nothing of here
        a_mark(CELLS[3], correct),  # not placed any more
        a_mark(CELLS[4], wrong),  # still there: wrong
    ]
    rate = position_rate(marks, "r2", now.__getitem__)
    assert (rate.errors, rate.checked, rate.rescored) == (2, 3, 3)


# ---- corrections in files


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def test_corrections_are_written_as_manual_ids_and_rules_and_taken_back(session: Session):
    name, other = "trj_id1_ti1_3_tf1_9", "trj_id2_ti1_3_tf1_9"
    manual, rules = session.layout.manual_ids_file, session.layout.manual_propagation_file
    rules.write_text(f"# mine\nassign {other} OG\neliminate {name} BG\n")
    manual.write_text(f"tracklet,label,colony\n{name},OG,\n")
    edits = correct(session, name, "BG", is_it=True, single=True)
    assert lines(manual) == ["tracklet,label,colony", f"{name},BG,"]
    assert lines(rules) == ["# mine", f"assign {other} OG"]
    take_back(session, edits)
    assert lines(manual) == ["tracklet,label,colony", f"{name},OG,"]
    assert sorted(lines(rules)) == ["# mine", f"assign {other} OG", f"eliminate {name} BG"]

    edits = correct(session, other, "OG", is_it=False, single=False)
    assert f"eliminate {other} OG" in lines(rules)
    assert f"assign {other} OG" not in lines(rules)
    with rules.open("a") as file:
        file.write("single trj_id9_ti1_1_tf1_2 1\n")
    take_back(session, edits)
    assert f"assign {other} OG" in lines(rules)
    assert "single trj_id9_ti1_1_tf1_2 1" in lines(rules)
    assert f"eliminate {other} OG" not in lines(rules)


def test_the_first_manual_id_makes_a_file_that_matlab_reads(session: Session):
    correct(session, "trj_id1_ti1_3_tf1_9", "BG", is_it=True, single=True, colony="C1")
    assert lines(session.layout.manual_ids_file) == [
        "tracklet,label,flip,framenum,m,len,colony",
        "trj_id1_ti1_3_tf1_9,BG,0,0,1,7,C1",
    ]


def test_a_correction_that_stands_there_already_changes_nothing(session: Session):
    first = correct(session, "trj_id1_ti1_3_tf1_9", "BG", is_it=False, single=True)
    assert first
    assert correct(session, "trj_id1_ti1_3_tf1_9", "BG", is_it=False, single=True) == []


# ---- what follows from them


def test_positions_made_of_their_own_pairs_are_the_same(session: Session):
    for movie in (1, 2):
        positions = read_table(positions_file(session, movie))
        singles = set(true_labels(session))
        again = place(session, movie, placements_of(positions, singles.__contains__), read_measurements(session, movie))
        for column in ("x", "y", "orientation", "kind", "confidence"):
            np.testing.assert_array_equal(getattr(again, column), getattr(positions, column))
        placed = positions.placed
        assert (again.tracklets[again.tracklet[placed]] == positions.tracklets[positions.tracklet[placed]]).all()


def placed_everywhere(session: Session) -> dict[tuple[str, int], str]:
    table = antrax.read_positions(session)
    table = table[table.kind != "undecided"]
    return dict(zip(zip(table.id, table.frame, strict=True), table.tracklet, strict=True))


def test_a_correction_is_solved_around_it_and_undo_brings_everything_back(session: Session):
    solved = Solved(session)
    resolver = Resolver(solved)
    name, label = wrong_label(session)
    before, run, digest = placed_everywhere(session), solved.run, solved.digest
    truth = true_labels(session)[name]
    assert truth in solved.placed_in(1, name)

    done = resolver.apply(name, 1, label, "", is_it=True, who="Ada")
    after = placed_everywhere(session)
    assert solved.placed_in(1, name) == (label,)
    changed = {change.tracklet: change for change in done.changes}
    assert changed[name].before == (truth,)
    assert changed[name].after == (label,)
    # what is told as changed is what changed in the files, no more and no less
    different = {key for key in {*before, *after} if before.get(key) != after.get(key)}
    touched = {before.get(key) for key in different} | {after.get(key) for key in different}
    assert touched - {None} == set(changed)
    assert done.cells == len(set(before.items()) ^ set(after.items()))
    # nobody is in two places
    assert len({(animal, frame) for animal, frame in after}) == len(after)
    assert solved.run == run
    assert solved.digest != digest
    record = json.loads(session.layout.solving_record.read_text())
    assert [one["what"] for one in record["corrections"]["made"]] == [f"{name} is {label}"]
    assert f"{name},{label}" in session.layout.manual_ids_file.read_text()
    # the files for MATLAB say the same
    table = (session.path / "antdata" / "tracklets_table_1_1.csv").read_text()
    assert any(row.startswith(f"{label},") and f",{name}," in row for row in table.splitlines())

    resolver.undo()
    assert placed_everywhere(session) == before
    assert solved.run == run
    assert f"{name},{label}" not in session.layout.manual_ids_file.read_text()
    assert json.loads(session.layout.solving_record.read_text())["corrections"]["made"] == []
    with pytest.raises(NothingToUndoError):
        resolver.undo()


def test_contradictions_that_a_correction_does_not_touch_stay_in_the_record(session: Session):
    name, label = wrong_label(session)
    record = json.loads(session.layout.solving_record.read_text())
    entry = {"tracklet": "trj_id1_ti9_1_tf9_5", "label": label, "probability": 0.01, "placed": ""}
    session.layout.solving_record.write_text(json.dumps(record | {"contradictions": [entry]}))
    resolver = Resolver(Solved(session))
    resolver.apply(name, 1, label, "", is_it=True, who="Ada")
    assert entry in json.loads(session.layout.solving_record.read_text())["contradictions"]
    resolver.undo()
    assert json.loads(session.layout.solving_record.read_text())["contradictions"] == [entry]


def test_an_excluded_animal_is_not_placed_there_any_more(session: Session):
    solved = Solved(session)
    name, truth = wrong_label(session)[0], true_labels(session)[wrong_label(session)[0]]
    Resolver(solved).apply(name, 1, truth, "", is_it=False, who="Ada")
    assert truth not in solved.placed_in(1, name)
    assert f"eliminate {name} {truth}" in session.layout.manual_propagation_file.read_text()


def test_a_second_correction_mends_what_the_first_one_spoiled(session: Session):
    solved = Solved(session)
    resolver = Resolver(solved)
    name, label = wrong_label(session)
    truth = true_labels(session)[name]

    before = placed_everywhere(session)
    resolver.apply(name, 1, label, "", is_it=True, who="Ada")
    resolver.apply(name, 1, truth, "", is_it=True, who="Ada")
    after = placed_everywhere(session)
    assert solved.placed_in(1, name) == (truth,)
    both = before.keys() & after.keys()
    assert len(both) > 0.9 * len(before)
    assert sum(before[key] != after[key] for key in both) <= 0.02 * len(both)


def test_by_the_original_rules_the_whole_group_is_solved_again(session: Session):
    antrax.solve(session.experiment, antrax.SolveOptions(method="antrax", workers=1))
    solved = Solved(session)
    assert solved.method == "antrax"
    name, label = wrong_label(session)
    other = next(ant for ant in session.labels.ants if ant not in (label, true_labels(session)[name]))
    Resolver(solved).apply(name, 1, other, "", is_it=True, who="Ada")
    assert solved.placed_in(1, name) == (other,)
    corrected = placed_everywhere(session)
    antrax.solve(session.experiment, antrax.SolveOptions(method="antrax", workers=1))
    assert placed_everywhere(session) == corrected


def test_a_correction_that_cannot_be_carried_out_leaves_everything_as_it_was(session: Session, monkeypatch):
    solved = Solved(session)
    before = placed_everywhere(session)
    name, label = wrong_label(session)
    resolver = Resolver(solved)
    with pytest.raises(OptionError, match="no ID"):
        resolver.apply(name, 1, "XX", "", is_it=True, who="Ada")
    with pytest.raises(ExperimentError, match="no graph"):
        resolver.apply("trj_id77_ti1_1_tf1_2", 1, label, "", is_it=True, who="Ada")
    (session.path / "tracklets" / "trdata_1.mat").write_bytes(b"damaged")
    with pytest.raises(antrax.AntraxError, match="trdata_1"):
        resolver.apply(name, 1, label, "", is_it=True, who="Ada")
    assert not session.layout.manual_ids_file.exists() or name not in session.layout.manual_ids_file.read_text()
    assert placed_everywhere(session) == before


def test_undo_refuses_where_the_session_was_solved_anew(session: Session):
    solved = Solved(session)
    resolver = Resolver(solved)
    name, label = wrong_label(session)
    resolver.apply(name, 1, label, "", is_it=True, who="Ada")
    antrax.solve(session.experiment, antrax.SolveOptions(workers=1, max_error=0.2))
    with pytest.raises(ConflictError, match="solved anew"):
        resolver.undo()
    assert f"{name},{label}" in session.layout.manual_ids_file.read_text()


def test_labels_that_contradict_the_solution_are_found_without_a_record(session: Session):
    name, label = wrong_label(session)
    given = true_labels(session) | {name: label}
    ants = session.labels.ants

    def labels_of(movie: int) -> dict[str, str]:
        return {key: value for key, value in given.items() if f"_ti{movie}_" in key and value in ants}

    found = disagreements(Solved(session), labels_of, [1, 2])
    assert [(one["tracklet"], one["label"], one["placed"]) for one in found] == [
        (name, label, true_labels(session)[name])
    ]


# ---- films


def test_a_film_is_found_by_the_name_of_its_movie_and_read_frame_by_frame(session: Session):
    path = find_film(session, 1)
    assert path is not None
    assert why_no_film(session, 1) is None
    assert "put " in why_no_film(session, 2)
    assert "colony_2.mp4" in why_no_film(session, 2)
    film = Film(path)
    blobs = read_measurements(session, 1)
    for frame in (120, 3, 77):
        image = film.read(frame)
        row = int(np.flatnonzero(blobs.frame == frame)[0])
        assert image[round(float(blobs.y[row])), round(float(blobs.x[row]))].max() < 90
    with pytest.raises(ExperimentError, match="no frame 999"):
        film.read(999)
    film.close()


def test_a_file_that_is_no_film_is_told(tmp_path: Path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"no film" * 100)
    with pytest.raises(ExperimentError, match="convert it"):
        Film(path)


def test_blobs_are_outlined_where_they_differ_from_the_background():
    background = np.full((80, 100, 3), 200, np.uint8)
    image = background.copy()
    image[30:40, 20:50] = 20
    (outline,) = outline_blob(image, background, (19, 29, 33, 13), 0.14)
    assert outline.min(0).tolist() == [20, 30]
    assert outline.max(0).tolist() == [49, 39]
    (box,) = outline_blob(image, None, (19, 29, 33, 13), 0.14)
    assert len(box) == 4
    assert (
        outline_blob(255 - image, 255 - background, (19, 29, 33, 13), 0.14, light=True)[0].tolist() == outline.tolist()
    )


def test_the_box_of_a_blob_lies_around_its_centroid(session: Session):
    blobs = read_measurements(session, 1)
    name = str(blobs.names[0])
    row = blobs.rows(name).start
    left, top, width, height = read_box(session, 1, name, int(blobs.frame[row]))
    assert left <= blobs.x[row] <= left + width
    assert top <= blobs.y[row] <= top + height
    assert read_box(session, 1, name, 10**6) is None
