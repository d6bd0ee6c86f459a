"""Simulated tracked experiments with ground truth, for trying things out, tests and benchmarks."""

from antrax.demo.colony import Colony, ColonyOptions, simulate_colony
from antrax.demo.colony_experiment import generate_colony
from antrax.demo.experiment import DemoExperiment, generate_experiment
from antrax.demo.truth import ColonyTruth, PositionAccuracy, read_truth, score_positions, truth_of

__all__ = [
    "Colony",
    "ColonyOptions",
    "ColonyTruth",
    "DemoExperiment",
    "PositionAccuracy",
    "generate_colony",
    "generate_experiment",
    "read_truth",
    "score_positions",
    "simulate_colony",
    "truth_of",
]
