"""Fixtures of tests of the edited training set: a session without examples, and images for it."""

from __future__ import annotations

import numpy as np
import pytest

from antrax.io.session import Session
from tests.unit.training_set.helpers import Images, NewSession

LABELS = "AB\tant_labels\nCD\tant_labels\nNoAnt\tnoant_labels\nMulti\tother_labels\n"
MOVIES = "index name fi ff\n1 m1 1 1000\n2 m2 1001 2000\n"


@pytest.fixture
def new_session(make_session) -> NewSession:
    def new(experiment: str = "some.ants", labels: str = LABELS, movies: str | None = MOVIES, **settings) -> Session:
        path = make_session(f"{experiment}/session", labels=labels, movies=movies)
        if "inverted" in settings:
            (path / "parameters" / "prmtrs.json").write_text(f'{{"segmentation_invert": {settings["inverted"]}}}')
        return Session(path.parent, path)

    return new


@pytest.fixture
def session(new_session: NewSession) -> Session:
    return new_session()


@pytest.fixture
def images(blob_image) -> Images:
    """A function that makes images as a stack gives them: background 0."""
    return lambda count, seed=0: np.stack([blob_image(1000 * seed + k, 20, 0) for k in range(count)])
