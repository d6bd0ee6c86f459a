"""Choice of the device that computes (CPU, CUDA, MPS), and number of processors."""

from __future__ import annotations

import os
from collections.abc import Callable, MutableMapping
from importlib.metadata import version

from antrax.errors import DeviceError
from antrax.messages import parameter

DEVICES = ("auto", "cpu", "cuda", "mps")


def choose_device(wanted: str, warn: Callable[[str], None] = lambda message: None) -> str:
    """Choose the device: a working GPU if there is one, else the processor.

    Parameters
    ----------
    wanted : str
        One of `DEVICES`.
    warn : callable, optional
        Told where there is a GPU that cannot be used, and the processor is taken instead.

    Returns
    -------
    str

    Raises
    ------
    DeviceError
        The device asked for is not there, or cannot be used.
    """
    if wanted == "cpu":
        return "cpu"
    if wanted == "auto" and version("torch").endswith("+cpu"):
        return "cpu"  # a build that knows no GPU need not be loaded (2 s) to say so
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        for device in (device for device, is_there in there.items() if is_there):
            problem = try_device(device)
            if problem is None:
                return device
            warn(f"torch sees a GPU ({device}) and cannot use it ({problem}): the processor computes instead")
        return "cpu"
    if not there.get(wanted):
        known = ", ".join([device for device, is_there in there.items() if is_there] + ["cpu"])
        raise DeviceError(
            f"{parameter('device', wanted)}: torch {torch.__version__} finds none on this machine; it has {known}"
        )
    if problem := try_device(wanted):
        raise DeviceError(
            f"{parameter('device', wanted)}: torch sees it and cannot use it ({problem}); take "
            f"{parameter('device', 'cpu')}"
        )
    return wanted


def try_device(device: str) -> str | None:
    """Test a device with a tiny computation: its driver may be too old, or its memory in use.

    Parameters
    ----------
    device : str
        As torch names it.

    Returns
    -------
    str or None
        Why it cannot be used; None where it can.
    """
    import torch

    try:
        with torch.inference_mode():
            images = torch.ones((1, 3, 8, 8), device=device)
            found = torch.nn.functional.conv2d(images, torch.ones((1, 3, 3, 3), device=device)).cpu()
    except Exception as error:  # CUDA, drivers and torch raise several kinds
        # what follows the first line is advice to who programs CUDA
        return " ".join(str(error).strip().split("\n")[0].split())[:200] or type(error).__name__
    return None if bool((found == 27).all()) else "its results are wrong"


def device_kind(device: str) -> str:
    """Kind of a device, without the number of the graphics card.

    Parameters
    ----------
    device : str
        As torch names it.

    Examples
    --------
    >>> device_kind("cuda:1")
    'cuda'
    """
    return device.partition(":")[0]


def graphics_cards(device: str) -> int:
    """Number of graphics cards that computing on a device can use; 1 where there is no choice.

    Parameters
    ----------
    device : str
        As torch names it.
    """
    if device != "cuda":
        return 1
    import torch

    return max(1, torch.cuda.device_count())


def card_of_worker(device: str, worker: int) -> str:
    """The graphics card that one of several processes uses: they take turns.

    Parameters
    ----------
    device : str
        As torch names it; one without a number is divided.
    worker : int
        Number of the process, from 0.

    Returns
    -------
    str
    """
    return f"cuda:{worker % graphics_cards(device)}" if device == "cuda" else device


def share_busy_processors(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let torch's threads sleep where they wait for each other, after some microseconds; before torch is loaded.

    By default they keep their processors busy meanwhile. Where other programs want these, each step of a training then
    waits for a thread that the system has put aside: it took two to ten times as long on a machine with other work.

    Parameters
    ----------
    environment : mapping of str to str, optional
        Variables that the OpenMP library reads when it is loaded. What the user has set stays.
    """
    if "OMP_WAIT_POLICY" not in environment:
        environment.setdefault("GOMP_SPINCOUNT", "3000")


def processors() -> int:
    """Number of processors that this process may use (a cluster's job or a container gets fewer than there are).

    Returns
    -------
    int
        At least 1.
    """
    import loky

    return max(1, int(loky.cpu_count()))
