"""What tests of training share: short epochs, and reporters that remember, count or interrupt."""

from __future__ import annotations

import pytest

from antrax.reporting import Reporter


class Listener(Reporter):
    """Remembers what it hears."""

    def __init__(self):
        self.said, self.warned = [], []

    def say(self, message):
        self.said.append(message)

    def warn(self, message):
        self.warned.append(message)


@pytest.fixture
def short_training(monkeypatch):
    """An epoch of four steps: enough to see what is done, not how well."""
    monkeypatch.setattr("antrax.optimization.LEAST_STEPS", 4)
    monkeypatch.setattr("antrax.optimization.BATCH", 16)
    monkeypatch.setattr("antrax.trainset.IMAGES_PER_TRACKLET", 2)


class StopAfter:
    """Presses Ctrl-C at the n-th update."""

    def __init__(self, updates):
        self.left = updates

    def __enter__(self):
        return self.update

    def __exit__(self, *_):
        return False

    def update(self, done, note="", total=None):
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt


class Counting(Reporter):
    """Counts the updates of each bar."""

    def __init__(self):
        self.steps = {}

    def bar(self, title, total, unit):
        stop = StopAfter(None)
        stop.update = lambda *a, **k: self.steps.__setitem__(title, self.steps.get(title, 0) + 1)
        return stop
