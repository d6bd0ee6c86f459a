"""Defaults shared by the Python API, the command line and the page; defined nowhere else."""

from __future__ import annotations

from typing import Final

EPOCHS: Final = 5
"""Passes over the examples in a training run."""
MAX_ERROR: Final = 0.01
"""Accepted share of wrong IDs (classify), of wrong placements (solve), and of errors in a validation."""
WEIGHT: Final = 1.0
"""How much an error on a label counts in training."""
SEED: Final = 0
"""Random seed."""
DEMO_MOVIES: Final = 4
"""Movies of a made-up experiment."""
