"""Which device computes."""

from __future__ import annotations

import os
from importlib.metadata import version

from antrax.errors import DeviceError

DEVICES = ("auto", "cpu", "cuda", "mps")


def choose_device(wanted: str) -> str:
    """The device to use, as torch names it: a GPU where there is one, unless told otherwise.

    Raises
    ------
    DeviceError
        The device asked for is not there.
    """
    if wanted == "cpu":
        return "cpu"
    if wanted == "auto" and version("torch").endswith("+cpu"):
        return "cpu"  # a build that knows no GPU need not be loaded (2 s) to say so
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return next((device for device, is_there in there.items() if is_there), "cpu")
    if not there.get(wanted):
        known = ", ".join([device for device, is_there in there.items() if is_there] + ["cpu"])
        raise DeviceError(f"--device {wanted}: torch {torch.__version__} finds none on this machine; it has {known}")
    return wanted


def processors() -> int:
    """Number of processors that this process may use (a cluster's job gets fewer than the machine has)."""
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:  # Windows and macOS
        return max(1, os.cpu_count() or 1)
