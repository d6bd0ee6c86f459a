"""Undoing exports, moves and deletions, also where somebody else has changed the set since."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from antrax.errors import OutputError, TrainsetError
from antrax.images import read_example
from antrax.io.session import Session
from antrax.review.training_set import changes
from antrax.review.training_set.editing import Examples
from tests.unit.training_set.helpers import Images, by_label, everything, listing, tracklet


def test_undo_takes_the_last_export_back_and_then_the_one_before(session: Session, images: Images) -> None:
    examples = Examples(session)
    examples.export(tracklet(), images(5), [0, 1], "AB", "tab")
    first = everything(session)
    examples.export(tracklet(), images(5), [1, 2], "CD", "tab")
    outcome = examples.undo("tab")
    assert (outcome.removed, outcome.moved, outcome.tracklet) == (1, 1, tracklet().name)
    assert outcome.message == "undone: 1 image taken out of CD again, 1 image brought back"
    assert everything(session) == first
    examples.undo("tab")
    assert everything(session) == {}
    with pytest.raises(TrainsetError, match="nothing to undo"):
        examples.undo("tab")


def test_an_export_that_changed_nothing_is_not_one_to_undo(session: Session, images: Images) -> None:
    examples = Examples(session)
    examples.export(tracklet(), images(5), [0], "AB", "tab")
    examples.export(tracklet(), images(5), [0], "AB", "tab")
    examples.undo("tab")
    assert listing(session) == set()
    assert not examples.can_undo("tab")


def test_a_client_undoes_only_its_own_exports(session: Session, images: Images) -> None:
    examples = Examples(session)
    examples.export(tracklet(), images(5), [0], "AB", "mine")
    examples.export(tracklet(id_=8), images(5, seed=1), [0], "CD", "yours")
    examples.undo("mine")
    assert by_label(session) == {"CD": 1}
    with pytest.raises(TrainsetError, match="nothing to undo"):
        examples.undo("mine")


def test_undo_leaves_alone_what_somebody_else_has_moved_or_replaced_since(
    session: Session, images: Images, blob_image
) -> None:
    examples = Examples(session)
    examples.export(tracklet(), images(5), [0, 1, 2], "AB", "mine")
    Examples(session).export(tracklet(), images(5), [0], "CD", "yours")
    replaced = session.classifier_dir / "examples" / "AB" / "some.ants.trj_id7_ti1_11_tf1_15.12.png"
    Image.fromarray(blob_image(77)).save(replaced)
    outcome = examples.undo("mine")
    assert outcome.removed == 1
    assert "2 images left alone, for somebody has changed them since" in outcome.message
    assert by_label(session) == {"AB": 1, "CD": 1}
    assert (read_example(replaced) == blob_image(77)).all()


def test_a_file_that_appears_while_images_are_written_is_not_overwritten(
    session: Session, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = session.classifier_dir / "examples" / "AB"
    (there,) = Examples(session).export(tracklet(), images(5), [2], "AB", "tab").files
    (folder / there).unlink()
    write = changes._write

    def write_slowly(path: Path, image: NDArray[np.uint8], info: PngInfo) -> bytes:
        (folder / there).write_bytes(b"of somebody else")
        return write(path, image, info)

    monkeypatch.setattr(changes, "_write", write_slowly)
    examples = Examples(session)
    with pytest.raises(OutputError, match="just now"):
        examples.export(tracklet(), images(5), [1, 2, 3], "AB", "tab")
    assert everything(session) == {f"classifier/examples/AB/{there}": b"of somebody else"}
    monkeypatch.undo()
    assert examples.export(tracklet(), images(5), [1, 2, 3], "AB", "tab").added == 3
    assert (folder / there).read_bytes() == b"of somebody else"


def test_undo_does_not_take_away_what_somebody_else_exported_too(session: Session, images: Images) -> None:
    examples = Examples(session)
    examples.export(tracklet(), images(5), [0, 1, 2], "AB", "one")
    assert examples.export(tracklet(), images(5), [1, 2, 3], "AB", "two").present == 2
    assert examples.undo("one").message == (
        "undone: 1 image taken out of AB again, 2 images left alone, for somebody has changed them since"
    )
    assert set(examples.of_tracklet(tracklet(), images(5))) == {1, 2, 3}
    # and what was moved stays where somebody else said that it belongs
    examples.export(tracklet(), images(5), [1, 2], "CD", "one")
    examples.export(tracklet(), images(5), [2], "CD", "two")
    examples.undo("one")
    assert examples.of_tracklet(tracklet(), images(5)) == {1: ("AB",), 2: ("CD",), 3: ("AB",)}


def test_undoing_a_trashing_does_not_bring_an_image_back_that_was_exported_anew(
    session: Session, images: Images
) -> None:
    examples = Examples(session)
    examples.export(tracklet(), images(5), [0, 1], "AB", "tab")
    examples.trash("AB", [file.path.name for file in examples.files("AB")], "mine")
    examples.export(tracklet(), images(5), [0], "CD", "yours")
    assert examples.undo("mine").moved == 1
    assert examples.of_tracklet(tracklet(), images(5)) == {0: ("CD",), 1: ("AB",)}


def test_undoing_a_trashing_does_not_double_an_image_that_was_exported_under_the_same_label_again(
    session: Session, images: Images
) -> None:
    examples = Examples(session)
    examples.export(tracklet(), images(5), [0], "AB", "tab")
    examples.trash("AB", [examples.files("AB")[0].path.name], "mine")
    examples.export(tracklet(), images(5), [0], "AB", "yours")
    assert "1 image left alone" in examples.undo("mine").message
    assert by_label(session) == {"AB": 1}


def test_undoing_a_trashing_brings_an_image_back_that_lay_under_another_label_too(
    session: Session, make_examples
) -> None:
    name = f"some.ants.{tracklet().name}.1.png"
    make_examples(session.classifier_dir, {f"AB/{name}": 0, f"CD/{name}": 0})
    examples = Examples(session)
    examples.refresh()
    examples.trash("AB", [name], "tab")
    assert examples.undo("tab").moved == 1
    assert by_label(session) == {"AB": 1, "CD": 1}


def test_what_comes_back_finds_another_name_where_its_own_is_taken(
    session: Session, images: Images, blob_image
) -> None:
    examples = Examples(session)
    examples.export(tracklet(), images(5), [0], "AB", "tab")
    (file,) = examples.files("AB")
    examples.trash("AB", [file.path.name], "tab")
    file.path.parent.mkdir()  # its last image has gone, and the folder with it
    Image.fromarray(blob_image(77)).save(file.path)
    examples.undo("tab")
    assert (read_example(file.path) == blob_image(77)).all()
    assert examples.of_tracklet(tracklet(), images(5)) == {0: ("AB",)}
