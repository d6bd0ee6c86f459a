"""A made-up tracked experiment whose truth is known, for trying things out and for tests."""

from antrax.demo.experiment import DemoExperiment, generate_experiment

__all__ = ["DemoExperiment", "generate_experiment"]
