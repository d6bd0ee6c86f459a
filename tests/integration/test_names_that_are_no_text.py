"""Folders whose names are no UTF-8, as old drives and archives leave them, through every command and the page."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from antrax.io.session import open_session
from tests.unit.test_app_server import Page

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")

# A training of four steps: what is read and written is the same.
SHORT = """
import sys
import antrax.training.dataset, antrax.training.loop
from antrax.cli.main import main

antrax.training.loop.LEAST_STEPS, antrax.training.loop.BATCH = 4, 8
antrax.training.dataset.IMAGES_PER_TRACKLET = 1
main(sys.argv[1:])
"""


@pytest.fixture
def experiment(trained, tmp_path):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    trained.copy_to(folder)
    session = open_session(folder)
    for movie in (2, 3, 4):
        session.stacks[movie][0].unlink()
    for path in (session.classifier_dir / "examples").iterdir():
        if path.name not in ("BB", "NoAnt", "Unknown"):
            shutil.rmtree(path)
    return folder


def command(*arguments):
    done = subprocess.run([sys.executable, "-c", SHORT, *map(str, arguments)], capture_output=True)
    said = done.stdout.decode() + done.stderr.decode()  # what is said is text
    assert done.returncode == 0, said
    assert "Traceback" not in said and "mistake in antrax" not in said
    return said


def test_every_command_works_and_says_which_folder_it_was(experiment, tmp_path):
    merged = tmp_path / os.fsdecode(b"m\xfcll")
    assert r"caf\xe9" in command("classify", experiment, "--nw", "1")
    assert (open_session(experiment).labels_dir / "autoids_1.csv").is_file()
    assert r"caf\xe9" in command("classify", experiment.parent, "--nw", "2")  # found in the folder above
    command("merge-trainset", experiment, merged)
    assert {path.name for path in (merged / "examples").iterdir()} == {"BB", "NoAnt", "Unknown"}
    assert r"m\xfcll/classifier.h5" in command("train", merged, "--ne", "1", "--device", "cpu")
    assert r"m\xfcll/classifier.h5" in command("info", merged / "classifier.h5")


def test_the_page_opens_such_an_experiment(experiment, tmp_path):
    page = Page(open_session(experiment), tmp_path / "memory")
    overview = page.ask("/overview")
    assert overview["experiment"].isprintable() and overview["path"].isprintable()
    assert [movie["movie"] for movie in overview["movies"]] == [1]
