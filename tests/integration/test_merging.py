"""Adding training sets to one another loses nothing, and can be repeated."""

from __future__ import annotations

import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

import antrax.training.merging
from antrax.cli import main as cli
from antrax.demo import DemoExperiment
from antrax.errors import ExperimentError, LockedError, OutputError, TrainsetError
from antrax.images import read_example
from antrax.io.examples import list_examples
from antrax.io.locks import claim
from antrax.io.names import parse_example_name
from antrax.training.merging import merge_trainsets


def example(label: str, frame: int = 1, tracklet: int = 1, experiment: str = "exp") -> str:
    return f"{label}/{experiment}.trj_id{tracklet}_ti1_1_tf1_99.{frame}.png"


def contents(classdir: Path) -> dict[str, bytes]:
    """Every file below a folder and what is in it, but for the lock by which several writers wait for one another."""
    files = [path for path in classdir.rglob("*") if path.is_file() and path.name != ".trainset.lock"]
    return {path.relative_to(classdir).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "source"


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    return tmp_path / "dest"


# --- adding -----------------------------------------------------------------------------------------------------


def test_all_examples_are_added_as_they_are(make_examples, source: Path, dest: Path) -> None:
    make_examples(source, {example("AB", 1): 1, example("AB", 2): 2, example("CD"): 3})
    make_examples(dest, {example("AB", 1, experiment="mine"): 9})
    before = contents(dest)
    result = merge_trainsets([source], dest)
    assert contents(dest) == before | contents(source)
    assert result.destination == dest / "examples"
    assert result.added == {"AB": 2, "CD": 1}
    assert (result.present, result.renamed, result.corrupt) == (0, 0, ())


def test_several_sources_go_into_a_destination_that_is_made(make_examples, tmp_path: Path) -> None:
    one = make_examples(tmp_path / "one", {example("AB", experiment="a"): 1})
    two = make_examples(tmp_path / "two", {example("AB", experiment="b"): 2})
    result = merge_trainsets([one, str(two)], tmp_path / "new" / "set")
    assert contents(tmp_path / "new" / "set") == contents(one) | contents(two)
    assert result.added == {"AB": 2}
    assert (result.only_source, result.only_destination) == ((), ())


def test_sources_are_left_as_they_are(make_examples, source: Path, dest: Path) -> None:
    before = contents(make_examples(source, {example("AB"): 1}))
    merge_trainsets([source], make_examples(dest, {example("AB"): 2}))
    assert contents(source) == before


def test_an_image_that_is_there_under_its_name_is_skipped(make_examples, source: Path, dest: Path) -> None:
    make_examples(source, {example("AB", 1): 1, example("AB", 2): 2})
    make_examples(dest, {example("AB", 1): 1})
    result = merge_trainsets([source], dest)
    assert (result.added, result.present, result.renamed) == ({"AB": 1}, 1, 0)


def test_an_image_is_told_by_its_pixels_not_by_how_it_was_saved(
    make_examples, blob_image, source: Path, dest: Path
) -> None:
    make_examples(source, {example("AB"): 1})
    make_examples(dest, {example("AB"): 1})
    Image.fromarray(blob_image(1)).save(dest / "examples" / example("AB"), compress_level=0)
    before = contents(dest)
    assert merge_trainsets([source], dest).present == 1
    assert contents(dest) == before


def test_a_tracklets_images_are_not_doubled_where_frames_were_numbered_in_another_way(
    make_examples, source: Path, dest: Path
) -> None:
    make_examples(source, {example("AB", frame): frame for frame in range(1, 4)})
    make_examples(dest, {example("AB", 1000 + frame): frame for frame in range(1, 3)})
    result = merge_trainsets([source], dest)
    assert (result.added, result.present) == ({"AB": 1}, 2)
    assert {path.path.name for path in list_examples(dest / "examples")} == {
        Path(example("AB", frame)).name for frame in (1001, 1002, 3)
    }


def test_the_same_image_under_another_label_is_kept_for_people_to_decide(
    make_examples, source: Path, dest: Path
) -> None:
    make_examples(source, {example("AB"): 1})
    make_examples(dest, {example("CD"): 1})
    assert merge_trainsets([source], dest).added == {"AB": 1}


@pytest.mark.parametrize(
    "rename",
    [
        lambda path: f"{path.stem} - Copy.png",
        lambda path: f"{path.stem} (1).png",
        lambda path: f"Copy of {path.name}",
        lambda path: f"{path.stem}-LAB-PC.png",
        lambda path: path.name[path.name.index("trj_") :],
        lambda path: f"img_{hash(path.name)}.png",
    ],
    ids=["- Copy", "(1)", "Copy of", "LAB-PC", "no experiment", "foreign"],
)
def test_a_copy_under_other_names_adds_nothing_to_its_original(
    small_demo: DemoExperiment, source: Path, dest: Path, rename
) -> None:
    original = small_demo.session / "classifier" / "examples"
    shutil.copytree(original, dest / "examples")
    for file in list_examples(original):
        copy = source / "examples" / file.label / rename(file.path)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file.path, copy)
    result = merge_trainsets([source], dest)
    assert (result.added, result.present) == ({}, small_demo.examples)
    assert contents(dest / "examples") == contents(original)


def test_a_copy_whose_names_lost_the_dot_before_the_frame_adds_nothing(make_examples, tmp_path: Path) -> None:
    tracklet = "trj_id1_ti1_7_tf1_9"
    dest = make_examples(tmp_path / "dest", {f"BB/exp.{tracklet}.{frame}.png": frame for frame in range(3)})
    copy = make_examples(tmp_path / "copy", {f"BB/exp.{tracklet}{frame}.png": frame for frame in range(4)})
    assert merge_trainsets([copy], dest).added == {"BB": 1}


def test_originals_add_nothing_to_a_copy_without_names(make_examples, source: Path, dest: Path) -> None:
    make_examples(source, {example("AB", 1): 1, example("AB", 2): 2})
    make_examples(dest, {"AB/img_1.png": 1})
    assert merge_trainsets([source], dest).added == {"AB": 1}


def test_the_copy_whose_name_tells_most_is_taken_over(make_examples, source: Path, dest: Path) -> None:
    make_examples(source, {"AB/a.png": 1, example("AB"): 1, f"{example('AB')[:-4]} - Copy.png": 1})
    assert merge_trainsets([source], dest).present == 2
    assert set(contents(dest)) == {f"examples/{example('AB')}"}


def test_the_copy_of_a_labels_folder_adds_what_the_label_lacks_and_nothing_else(
    make_examples, source: Path, dest: Path
) -> None:
    make_examples(dest, {example("AB", 1): 1, example("AB", 2): 2})
    make_examples(source, {f"AB - Copy/{Path(example('AB', frame)).name}": frame for frame in (1, 2, 3)})
    result = merge_trainsets([source], dest)
    assert (result.added, result.present) == ({"AB - Copy": 1}, 2)


@pytest.mark.parametrize("theirs", ["bb", "BB "])
def test_a_label_of_another_case_or_with_blanks_goes_into_the_folder_that_is_there(
    make_examples, source: Path, dest: Path, theirs: str
) -> None:
    make_examples(source, {example(theirs, 1): 1})
    make_examples(dest, {example("BB", 2): 2})
    result = merge_trainsets([source], dest)
    assert result.added == {"BB": 1}
    assert [folder.name for folder in (dest / "examples").iterdir()] == ["BB"]


def test_in_a_new_destination_a_label_is_spelt_as_the_session_of_a_source_spells_it(
    make_examples, make_session, source: Path, dest: Path
) -> None:
    session: Path = make_session(labels="BB\tant_labels\n")
    make_examples(session / "classifier", {example("BB", 1): 1})
    make_examples(source, {example("bb", 2): 2})
    result = merge_trainsets([source, session.parent], dest)
    assert result.added == {"BB": 2}
    assert [folder.name for folder in (dest / "examples").iterdir()] == ["BB"]
    assert any("'bb' as 'BB'" in note for note in result.notes)


def test_in_a_new_destination_a_label_is_spelt_as_the_first_source_spells_it_where_no_session_tells(
    make_examples, source: Path, dest: Path, tmp_path: Path
) -> None:
    make_examples(source, {example("BB", 1): 1})
    other = make_examples(tmp_path / "other", {example("bb", 2): 2, example("BB ", 3): 3})
    result = merge_trainsets([source, other], dest)
    assert result.added == {"BB": 3}


def test_the_destinations_spelling_counts_more_than_that_of_a_sources_session(
    make_examples, make_session, dest: Path
) -> None:
    session: Path = make_session(labels="BB\tant_labels\n")
    make_examples(session / "classifier", {example("BB", 1): 1})
    make_examples(dest, {example("bb", 2): 2})
    assert merge_trainsets([session.parent], dest).added == {"bb": 1}


def test_a_folder_of_another_case_than_the_sessions_label_is_filled_and_not_doubled(
    make_examples, make_session, source: Path
) -> None:
    session: Path = make_session(labels="BB\tant_labels\n")
    make_examples(source, {example("BB", 1): 1})
    make_examples(session / "classifier", {example("bb", 2): 2})
    merge_trainsets([source], session.parent)
    (folder,) = (session / "classifier" / "examples").iterdir()
    assert len(list(folder.iterdir())) == 2


def test_a_folder_written_with_other_code_points_is_the_same_label(make_examples, source: Path, dest: Path) -> None:
    composed, decomposed = unicodedata.normalize("NFC", "Müll"), unicodedata.normalize("NFD", "Müll")
    make_examples(dest, {f"{decomposed}/a.png": 1})
    make_examples(source, {f"{composed}/b.png": 1, f"{composed}/c.png": 2})
    assert merge_trainsets([source], dest).added == {composed: 1}
    assert len(list((dest / "examples").iterdir())) == 1


@pytest.mark.parametrize("start", ["", "exp.trj_id1_ti1_1_tf1_99."])
def test_a_name_as_long_as_can_be_is_cut_and_still_tells_the_tracklet(
    make_examples, source: Path, dest: Path, start: str
) -> None:
    name = f"{start}{'1' if start else ''}".ljust(251, "x") + ".png"
    make_examples(source, {f"AB/{name}": 1, example("CD"): 2})
    assert merge_trainsets([source], dest).added == {"AB": 1, "CD": 1}
    (file,) = [file for file in list_examples(dest / "examples") if file.label == "AB"]
    assert file.named == bool(start)
    assert merge_trainsets([source], dest).added == {}


def test_what_is_no_example_and_grounds_that_differ_are_told(make_examples, source: Path, dest: Path) -> None:
    make_examples(source, {example("AB", 1): 1})
    make_examples(dest, {example("AB", 2): 2}, background=0)
    (source / "examples" / "loose.png").touch()
    result = merge_trainsets([source], dest)
    loose, grounds = result.notes
    assert loose == f"{source / 'examples'}: 1 file in no label's folder (loose.png); left out"
    assert grounds.startswith(f"images on white background ({source / 'examples' / example('AB', 1)}) and on black (")


# --- names that are taken ---------------------------------------------------------------------------------------


def test_another_image_of_the_same_name_is_kept_under_a_new_name_that_still_tells_tracklet_and_frame(
    make_examples, blob_image, source: Path, dest: Path
) -> None:
    name = example("AB", 7, 3, "my.exp")
    make_examples(source, {name: 1})
    make_examples(dest, {name: 2})
    result = merge_trainsets([source], dest)
    assert (result.added, result.present, result.renamed) == ({"AB": 1}, 0, 1)
    assert (read_example(dest / "examples" / name) == blob_image(2)).all()
    (new,) = set(contents(dest)) - {f"examples/{name}"}
    assert (read_example(dest / new) == blob_image(1)).all()
    assert new.startswith("examples/AB/")
    parsed = parse_example_name(Path(new).stem)
    assert parsed is not None
    assert parsed[0].startswith("my.exp")
    assert parsed[1:] == ("trj_id3_ti1_1_tf1_99", "7")


def test_three_images_of_one_name_are_all_kept(make_examples, tmp_path: Path) -> None:
    sources = [make_examples(tmp_path / f"s{seed}", {example("AB"): seed}) for seed in range(3)]
    result = merge_trainsets(sources, tmp_path / "dest")
    assert (result.added, result.renamed) == ({"AB": 3}, 2)
    images = [read_example(file.path).tobytes() for file in list_examples(tmp_path / "dest" / "examples")]
    assert len(set(images)) == 3


def test_names_that_tell_no_tracklet_get_a_new_one_too(make_examples, source: Path, dest: Path) -> None:
    make_examples(source, {"AB/left.png": 1})
    make_examples(dest, {"AB/left.png": 2})
    assert merge_trainsets([source], dest).renamed == 1
    assert len(contents(dest)) == 2
    assert merge_trainsets([source], dest).present == 1
    assert len(contents(dest)) == 2


def test_names_that_differ_in_case_only_do_not_meet_on_any_file_system(make_examples, source: Path, dest: Path) -> None:
    make_examples(source, {example("AB", experiment="EXP"): 1})
    make_examples(dest, {example("AB", experiment="exp"): 2})
    assert merge_trainsets([source], dest).renamed == 1
    names = [path.casefold() for path in contents(dest)]
    assert len(names) == len(set(names)) == 2


def test_a_damaged_file_at_the_destination_is_not_overwritten(make_examples, source: Path, dest: Path) -> None:
    make_examples(source, {example("AB"): 1})
    damaged = dest / "examples" / example("AB")
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"damaged")
    assert merge_trainsets([source], dest).renamed == 1
    assert damaged.read_bytes() == b"damaged"


def test_a_file_that_was_not_an_example_is_not_overwritten_either(make_examples, source: Path, dest: Path) -> None:
    make_examples(source, {"AB/left.png": 1})
    (dest / "examples" / "AB" / "left.png").mkdir(parents=True)
    assert merge_trainsets([source], dest).renamed == 1


# --- again, and after an interruption --------------------------------------------------------------------------


def test_a_merge_done_twice_changes_nothing_the_second_time(make_examples, source: Path, dest: Path) -> None:
    files = {example("AB", 1): 1, example("AB", 2): 2, example("CD"): 3, "CD/odd name.png": 4}
    make_examples(source, files)
    make_examples(dest, {example("AB", 1): 8, "CD/odd name.png": 9})
    assert merge_trainsets([source], dest).renamed == 2
    before = contents(dest)
    result = merge_trainsets([source], dest)
    assert (result.added, result.present, result.renamed) == ({}, 4, 0)
    assert contents(dest) == before


def test_a_merge_that_was_killed_can_be_repeated(make_examples, source: Path, dest: Path, tmp_path: Path) -> None:
    make_examples(source, {example("AB", frame): frame for frame in range(6)})
    merge_trainsets([source], tmp_path / "whole")
    # some files are there, and one was being written
    make_examples(dest, {example("AB", frame): frame for frame in range(2)})
    half = dest / "examples" / "AB" / f".{Path(example('AB', 2)).name}.12345678.part"
    half.write_bytes(b"\x89PNG half")
    result = merge_trainsets([source], dest)
    assert (result.added, result.present) == ({"AB": 4}, 2)
    half.unlink()
    assert contents(dest) == contents(tmp_path / "whole")


@pytest.mark.parametrize("fresh", [True, False], ids=["new destination", "existing destination"])
def test_a_dry_run_changes_nothing_and_tells_the_same(make_examples, tmp_path: Path, dest: Path, fresh: bool) -> None:
    one = make_examples(tmp_path / "one", {example("AB"): 1, example("CD"): 2, "CD/x.png": 3})
    two = make_examples(tmp_path / "two", {example("AB"): 5, example("CD"): 2, "CD/x.png": 6})
    (two / "examples" / "CD" / "bad.png").touch()
    if not fresh:
        make_examples(dest, {example("AB"): 7, example("EF"): 8, "CD/x.png": 3})
    before = contents(dest)
    foretold = merge_trainsets([one, two], dest, dry_run=True)
    assert contents(dest) == before
    assert dest.exists() is not fresh
    assert merge_trainsets([one, two], dest) == foretold
    assert contents(dest) != before


# --- what is reported -------------------------------------------------------------------------------------------


def test_labels_that_only_one_side_has_are_told(make_examples, source: Path, dest: Path) -> None:
    make_examples(source, [example("AB"), example("XY"), example("QR")])
    make_examples(dest, {example("AB", experiment="d"): 11, example("CD"): 12})
    result = merge_trainsets([source], dest)
    assert (result.only_source, result.only_destination) == (("QR", "XY"), ("CD",))


def test_damaged_files_are_left_out_and_named(make_examples, source: Path, dest: Path) -> None:
    make_examples(source, {example("AB"): 1})
    bad = source / "examples" / example("AB", 9)
    bad.write_bytes(b"text")
    result = merge_trainsets([source], dest)
    assert result.corrupt == (f"{bad}: no image of the formats that are read (PNG, JPEG, TIFF, BMP)",)
    assert set(contents(dest)) == {f"examples/{example('AB')}"}


def test_stray_files_of_a_source_stay_there(make_examples, source: Path, dest: Path) -> None:
    make_examples(source, {example("AB"): 1, ".trash/" + example("AB"): 2})
    for name in ("stray.png", "AB/.DS_Store", "AB/notes.txt", "AB/._x.png"):
        (source / "examples" / name).touch()
    (source / "classifier.h5").touch()
    merge_trainsets([source], dest)
    assert set(contents(dest)) == {f"examples/{example('AB')}"}


# --- sources and destinations ----------------------------------------------------------------------------------


def test_experiments_may_be_source_and_destination(
    make_session, make_examples, small_demo: DemoExperiment, tmp_path: Path
) -> None:
    session = make_session("exp/s")
    shutil.rmtree(session / "classifier")
    result = merge_trainsets([small_demo.directory], tmp_path / "exp")
    assert result.destination == session / "classifier" / "examples"
    assert sum(result.added.values()) == small_demo.examples
    assert contents(result.destination) == contents(small_demo.session / "classifier" / "examples")
    assert sum(merge_trainsets([tmp_path / "exp"], tmp_path / "all").added.values()) == small_demo.examples


def test_a_source_that_is_the_destination_is_refused_however_it_is_named(
    make_session, make_examples, tmp_path: Path
) -> None:
    session = make_session("exp/s")
    make_examples(session / "classifier", {example("AB"): 1})
    (tmp_path / "link").symlink_to(session / "classifier")
    for source in (tmp_path / "exp", session / "classifier", tmp_path / "link", session / ".." / "s" / "classifier"):
        with pytest.raises(TrainsetError, match="both a source and the destination"):
            merge_trainsets([source], session / "classifier")


def test_a_missing_source_is_told_before_anything_is_written(make_examples, source: Path, dest: Path) -> None:
    make_examples(source, {example("AB"): 1})
    with pytest.raises(TrainsetError, match="gone does not exist"):
        merge_trainsets([source, source.with_name("gone")], dest)
    assert not dest.exists()


def test_a_source_without_examples_is_told(source: Path, dest: Path, make_session, tmp_path: Path) -> None:
    (source / "examples" / "AB").mkdir(parents=True)
    with pytest.raises(TrainsetError, match="no examples to add"):
        merge_trainsets([source], dest)
    make_session("exp/s")
    with pytest.raises(TrainsetError, match="label some tracklets first"):
        merge_trainsets([tmp_path / "exp"], dest)


def test_a_file_is_no_destination(make_examples, source: Path, dest: Path) -> None:
    dest.touch()
    with pytest.raises(TrainsetError, match="dest is no folder"):
        merge_trainsets([make_examples(source, {example("AB"): 1})], dest)


def test_naming_the_folder_examples_itself_is_told_and_makes_no_folder_in_it(
    make_examples, source: Path, dest: Path
) -> None:
    make_examples(source, {example("AB"): 1})
    make_examples(dest, {example("AB"): 2})
    with pytest.raises(TrainsetError, match="name the folder that holds `examples`"):
        merge_trainsets([source], dest / "examples")
    assert not (dest / "examples" / "examples").exists()


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="needs a file system that lets nobody write: Linux's /sys")
def test_a_destination_that_cannot_be_written_is_told(make_examples, source: Path) -> None:
    with pytest.raises(OutputError, match="/sys/kernel/set cannot be created"):
        merge_trainsets([make_examples(source, {example("AB"): 1})], "/sys/kernel/set")


def test_an_experiment_of_which_nothing_was_tracked_is_no_source(tmp_path: Path, dest: Path) -> None:
    (tmp_path / "exp" / "videos").mkdir(parents=True)
    with pytest.raises((TrainsetError, ExperimentError), match="no tracked experiment"):
        merge_trainsets([tmp_path / "exp"], dest)


# --- the command ------------------------------------------------------------------------------------------------


def run(*arguments: object, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return ended.value.code, captured.out, captured.err  # type: ignore[return-value]


def test_the_command_tells_what_it_added_and_what_to_look_at(
    make_examples, source: Path, dest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_examples(source, {example("AB", 1): 1, example("AB", 2): 2, example("X[bold]"): 3})
    bad = source / "examples" / example("AB", 9)
    bad.touch()
    make_examples(dest, {example("AB", 1): 1, example("AB", 2): 7, example("CD"): 8})
    code, out, err = run("merge-trainset", source, dest, capsys=capsys)
    assert code == 0
    assert f"2imagesaddedto{dest / 'examples'}" in "".join(out.split())  # wherever the lines break
    rows = [line.replace("│", " ").split() for line in out.splitlines()]
    assert ["AB", "1"] in rows
    assert ["X[bold]", "1"] in rows
    assert "1 were there already" in out
    assert "1 of the added ones got another name" in out
    assert f"warning: {bad}: empty; left out" in err
    assert "warning: labels that only the sources had: X[bold]" in err
    assert "warning: labels that only the destination has: CD" in err


def test_the_command_with_dry_run_says_what_would_be_added(
    make_examples, source: Path, dest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_examples(source, {example("AB"): 1})
    code, out, _ = run("merge-trainset", "--dry-run", source, dest, capsys=capsys)
    assert code == 0
    assert "1 image would be added" in out
    assert not dest.exists()


def test_an_error_is_one_line_and_exit_status_1(source: Path, dest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run("merge-trainset", source, dest, capsys=capsys)
    assert (code, out) == (1, "")
    assert err == f"error: {source} does not exist\n"


def test_wrong_usage_is_exit_status_2(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run("merge-trainset", source, capsys=capsys)
    assert code == 2
    assert "--help" in err


def test_the_command_works_as_a_program_of_its_own(make_examples, source: Path, dest: Path) -> None:
    make_examples(source, {example("AB"): 1})
    command = [sys.executable, "-m", "antrax", "merge-trainset", str(source), str(dest)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert contents(dest) == contents(source)
    failed = subprocess.run([*command[:-1], str(source)], capture_output=True, text=True, timeout=60, check=False)
    assert failed.returncode == 1
    assert failed.stderr == f"error: {source} is both a source and the destination\n"
    assert "Traceback" not in failed.stdout + failed.stderr


def test_a_merge_into_a_folder_that_another_merge_is_filling_is_refused(
    make_examples, source: Path, dest: Path
) -> None:
    make_examples(source, {example("AB"): 1})
    make_examples(dest, {example("CD"): 2})
    before = contents(dest)
    with claim(dest, "merge", None, task="antrax merge-trainset"):
        with pytest.raises(LockedError, match=r"antrax merge-trainset \(process .*is at work in .*dest"):
            merge_trainsets([source], dest)
        assert merge_trainsets([source], dest, dry_run=True).added == {"AB": 1}  # which writes nothing
    assert contents(dest) == before
    assert merge_trainsets([source], dest).added == {"AB": 1}
    assert not list(dest.glob(".merge*"))


def test_what_was_added_otherwise_during_a_merge_is_not_added_again(
    make_examples, source: Path, dest: Path, monkeypatch
) -> None:
    make_examples(source, {example("AB", frame): frame for frame in range(3)})
    make_examples(dest, {example("CD"): 2})
    looked_up = antrax.training.merging._Taken.has_image

    def copied_meanwhile(*arguments: object) -> bool:
        shutil.copytree(source / "examples", dest / "examples", dirs_exist_ok=True)
        return looked_up(*arguments)

    monkeypatch.setattr(antrax.training.merging._Taken, "has_image", copied_meanwhile)
    result = merge_trainsets([source], dest)
    assert (result.added, result.present, result.renamed) == ({}, 3, 0)
    assert len(list((dest / "examples" / "AB").iterdir())) == 3


def test_what_somebody_labels_during_a_merge_is_not_written_over(
    make_examples, source: Path, dest: Path, monkeypatch
) -> None:
    make_examples(source, {example("AB"): 1})
    make_examples(dest, {example("CD"): 2})
    looked_up = antrax.training.merging._Taken.has_image

    def labelled_meanwhile(*arguments: object) -> bool:
        make_examples(dest, {example("AB"): 3})
        return looked_up(*arguments)

    monkeypatch.setattr(antrax.training.merging._Taken, "has_image", labelled_meanwhile)
    result = merge_trainsets([source], dest)
    assert result.renamed == 1
    assert len(list((dest / "examples" / "AB").iterdir())) == 2
