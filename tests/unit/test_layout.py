"""Names of files: which are an experiment's, and which lie beside them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from antrax.errors import ExperimentError
from antrax.io import layout
from antrax.io.layout import ClassifierLayout, SessionLayout, checkpoint_file, movie_file


@pytest.mark.parametrize(
    ("name", "kind", "place"),
    [
        ("images_1.mat", "images", (1, 0)),
        ("images_12_p3.mat", "images", (12, 3)),
        ("frame_passed_2.mat", "frame_passed", (2, 0)),
        ("trdata_4_p1.mat", "trdata", (4, 1)),
        ("autoids_7.csv", "autoids", (7, 0)),
        ("frameprobs_7.h5", "frameprobs", (7, 0)),
        ("._images_1.mat", "images", None),
        ("images_1.mat.part", "images", None),
        (".images_1.mat", "images", None),
        ("images_١.mat", "images", None),
        ("images_1_p.mat", "images", None),
        ("images_99999999999.mat", "images", None),
        ("images_1.csv", "images", None),
        ("xframe_passed_2.mat", "frame_passed", None),
        ("frame_passed_2.mat", "images", None),
        ("autoids_7_p1.csv", "autoids", None),
        ("autoids_7.csv\n", "autoids", None),
    ],
)
def test_files_of_movies_are_told_by_their_names(name: str, kind, place: tuple[int, int] | None) -> None:
    assert movie_file(name, kind) == place


def test_files_of_a_movie_tracked_in_parts_come_together_and_in_order(tmp_path: Path) -> None:
    layout = SessionLayout(tmp_path)
    layout.images.mkdir()
    for name in ("images_10.mat", "images_2_p10.mat", "images_2_p2.mat", "frame_passed_2.mat", ".DS_Store"):
        (layout.images / name).touch()
    found = layout.files("images")
    assert list(found) == [2, 10]
    assert [path.name for path in found[2]] == ["images_2_p2.mat", "images_2_p10.mat"]
    assert layout.companion(found[2][0], "frame_passed") == tmp_path / "images" / "frame_passed_2_p2.mat"
    assert layout.companion(found[2][0], "trdata") == tmp_path / "tracklets" / "trdata_2_p2.mat"


def test_a_folder_that_is_missing_holds_no_files_and_one_that_is_none_is_an_error(tmp_path: Path) -> None:
    layout = SessionLayout(tmp_path)
    assert layout.files("trdata") == {}
    layout.tracklets.touch()
    with pytest.raises(ExperimentError, match="tracklets cannot be read"):
        layout.files("trdata")


@pytest.mark.parametrize("kind", ["images", "frame_passed", "trdata", "autoids", "confidence", "frameprobs"])
def test_a_file_that_is_named_is_found(tmp_path: Path, kind) -> None:
    layout = SessionLayout(tmp_path)
    file = layout.file(kind, 3)
    file.parent.mkdir()
    file.touch()
    assert layout.files(kind) == {3: (file,)}


def test_sessions_that_share_a_training_set_by_a_link_share_its_lock(tmp_path: Path) -> None:
    shared, own = ClassifierLayout(tmp_path / "shared"), ClassifierLayout(tmp_path / "session" / "classifier")
    shared.examples.mkdir(parents=True)
    own.path.mkdir(parents=True)
    assert own.trainset_lock.parent == own.path
    own.examples.symlink_to(shared.examples)
    assert own.trainset_lock == shared.trainset_lock


def test_checkpoints_of_classifiers_are_told_apart_by_name_and_phase(tmp_path: Path) -> None:
    layout = ClassifierLayout(tmp_path)
    files = {checkpoint_file(layout.classifier(name), phase) for name in ("a", "a.b") for phase in ("x", "y")}
    assert len(files) == 4
    assert all(file.name.startswith(".") and file.parent == tmp_path for file in files)


def joined_names(source: str) -> set[str]:
    """Texts that a module joins to a path: `b` of `a / "b"`."""
    return {
        str(node.right.value)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and isinstance(node.right, ast.Constant)
    }


def test_no_other_module_knows_the_names_of_a_sessions_files() -> None:
    package = Path(layout.__file__).parents[1]
    known = joined_names(Path(layout.__file__).read_text(encoding="utf-8"))
    assert {"labels", "marks.csv", "logs"} <= known
    found = {}
    for path in package.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        if path != Path(layout.__file__) and any(f'"{name}"' in source for name in known):
            found[path.relative_to(package).as_posix()] = joined_names(source) & known
    assert len(found) > 1  # a name may be that of something else too
    assert {module: names for module, names in found.items() if names} == {}
