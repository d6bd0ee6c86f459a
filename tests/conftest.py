"""What several test modules need: sessions and training sets as real files."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray
from PIL import Image

from antrax.demo import DemoExperiment, generate_experiment

# No deadline: how long a test takes on a busy machine says nothing about what it tests.
settings.register_profile("antrax", deadline=None, database=None)
# `make test-fast` tries fewer examples of each property; `make test` all of them.
settings.register_profile("fast", settings.get_profile("antrax"), max_examples=10)
settings.load_profile("antrax")
# Keras is only the judge of the files that we read and write; which backend it has is decided when it is imported.
os.environ.setdefault("KERAS_BACKEND", "torch")

# Started in the background by a shell, a process ignores Ctrl-C and so do its children; some tests press it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = [
    "tests.fixtures.trained",
    "tests.fixtures.training_tools",
    "tests.fixtures.numpy_source",
    "tests.fixtures.slurm",
    "tests.fixtures.small_disks",
]

SHARED = Path(os.environ.get("ANTRAX_SHARED", Path(__file__).parents[2] / "shared"))
"""Real data, beside the repository."""
LABELS = (
    "AB\tant_labels\nCD\tant_labels\nNoAnt\tnoant_labels\nMulti\tother_labels\nUnknown\tother_labels\nB\ttagcolors\n"
)

MakeSession = Callable[..., Path]
MakeImage = Callable[..., NDArray[np.uint8]]
MakeExamples = Callable[..., Path]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs the trained demo or the real session, whichever module it stands in, and integration tests."""
    for item in items:
        if Path(__file__).parent / "integration" in item.path.parents:
            item.add_marker(pytest.mark.slow)
        for fixture, mark in (("trained", pytest.mark.slow), ("real_session", pytest.mark.real_data)):
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(mark)


@pytest.fixture
def make_session(tmp_path: Path) -> MakeSession:
    """A function that makes the files that mark a session, and returns its folder."""

    def make(where: str = "exp/session", *, labels: str = LABELS, movies: str | None = None, mtime: int = 1000) -> Path:
        session = tmp_path / where
        for folder in ("parameters", "images", "tracklets", "labels", "classifier"):
            (session / folder).mkdir(parents=True, exist_ok=True)
        mark = session / "parameters" / "Trck.mat"
        mark.touch()
        os.utime(mark, (mtime, mtime))
        (session / "parameters" / "labels.csv").write_text(labels, encoding="utf-8", newline="")
        if movies is not None:
            (session / "parameters" / "movies_info.txt").write_text(movies, encoding="utf-8", newline="")
        return session

    return make


@pytest.fixture(scope="session")
def blob_image() -> MakeImage:
    """A function that makes an image of a blob: noise on a background, another for each seed."""

    def make(seed: int, size: int = 20, background: int = 255) -> NDArray[np.uint8]:
        image = np.full((size, size, 3), background, np.uint8)
        inner = slice(size // 4, -(size // 4))
        image[inner, inner] = np.random.default_rng(seed).integers(1, 255, image[inner, inner].shape, np.uint8)
        return image

    return make


@pytest.fixture(scope="session")
def make_examples(blob_image: MakeImage) -> MakeExamples:
    """A function that adds examples to a folder: file names below `examples/`, and the seed of each image."""

    def make(classdir: Path, files: Mapping[str, int] | Sequence[str], size: int = 20, background: int = 255) -> Path:
        seeds = files if isinstance(files, Mapping) else {name: seed for seed, name in enumerate(files)}
        for name, seed in seeds.items():
            path = classdir / "examples" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(blob_image(seed, size, background)).save(path, format="PNG")
        return classdir

    return make


@pytest.fixture(scope="session")
def small_demo(tmp_path_factory: pytest.TempPathFactory) -> DemoExperiment:
    """A made-up experiment of two movies; shared, so tests leave it as it is."""
    directory = tmp_path_factory.mktemp("shared") / "some.ants"
    return generate_experiment(directory, seed=3, movies=2, tracklets=30, max_frames=20)


@pytest.fixture(scope="session")
def shared_colony(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up colony that is solved, with a film of its first movie; shared, so tests copy it."""
    from tests.fixtures.solved import solved_colony

    directory = tmp_path_factory.mktemp("solved") / "colony"
    solved_colony(directory)
    return directory


@pytest.fixture(scope="session")
def real_session() -> Path:
    """A session that anTraX tracked and classified; its experiment's folder. Skips where it is not at hand."""
    experiment = SHARED / "data" / "js16-session"
    if not (experiment / "antrax_demo").is_dir():
        pytest.skip(f"no real session in {experiment}; set ANTRAX_SHARED to the folder that holds data/js16-session")
    return experiment
