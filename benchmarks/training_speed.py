"""Speed of training on processor and graphics card, against the bare step of the network.

    GOMP_SPINCOUNT=3000 python benchmarks/training_speed.py [--devices cpu cuda] [--arch small large]
        [--examples 20000] [--size 48] [--steps 60] [--rounds 3]

Measures in turn, round by round, on made-up examples: the *bare step*, which gives the network one and the same batch
again and again (forward, loss, backward, optimiser), and *training*, which also draws, changes and copies the images
and averages the weights (`antrax.training.loop.optimize`, without the reading of examples). Prints medians. The
variable is what `antrax.networks.devices.share_busy_processors` sets for `antrax train`, before torch is loaded.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch.nn import functional

from antrax.labels import Category
from antrax.networks.backends.torch_network import Network, set_weights
from antrax.networks.devices import choose_device
from antrax.networks.graph import Graph, Weights
from antrax.networks.registry import find, names
from antrax.training.batches import Material
from antrax.training.loop import BATCH, Callbacks, Checkpoint, Schedule, optimize

LABELS = 18


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", nargs="+", default=["cpu"])
    parser.add_argument("--arch", nargs="+", default=["small"], choices=[name for name in names() if find(name)])
    parser.add_argument("--examples", type=int, default=20_000)
    parser.add_argument("--size", type=int, default=48, help="of the images, in pixels")
    parser.add_argument("--steps", type=int, default=60, help="of a round; ten times as many on a graphics card")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    table = Table(title=f"{args.examples:,} examples of {args.size} pixels, batches of {BATCH}")
    for column in ("network", "device", "bare step, ms", "training, ms a step", "images/s", "training/bare"):
        table.add_column(column, justify="right")
    material = make_material(args.examples, args.size)
    for name in args.arch:
        entry = find(name)
        assert entry
        graph = entry.build(args.size, LABELS, "white")
        weights = entry.initial(graph, "white", 1) if entry.initial else None
        for device in [choose_device(device) for device in args.devices]:
            steps = args.steps * (1 if device == "cpu" else 10)
            training_s(graph, weights, material, device, 5)
            bare, whole = [], []
            for _ in range(args.rounds):
                bare.append(bare_s(graph, weights, device, steps))
                whole.append(training_s(graph, weights, material, device, steps))
            ratio = statistics.median(b / w for b, w in zip(bare, whole, strict=True))
            shown = [statistics.median(bare) * 1e3, statistics.median(whole) * 1e3]
            table.add_row(
                name, device, *(f"{value:.2f}" for value in shown), f"{BATCH / shown[1] * 1e3:,.0f}", f"{ratio:.2f}"
            )
    Console().print(table)


def make_material(examples: int, size: int) -> Material:
    """Made-up examples: noise in the middle of a white image, in tracklets of 50 images."""
    chance = np.random.default_rng(0)
    images = np.full((examples, size, size, 3), 255, np.uint8)
    middle = slice(size // 4, -size // 4)
    images[:, middle, middle] = chance.integers(0, 250, images[:, middle, middle].shape, np.uint8)
    tracklets = np.arange(examples) // 50
    categories = (*[Category.ANT] * (LABELS - 2), Category.NONANT, Category.UNKNOWN)
    return Material(images, tracklets % LABELS, tracklets, categories, "white")


def bare_s(graph: Graph, weights: Weights | None, device: str, steps: int) -> float:
    """Seconds of a step with one batch that lies on the device."""
    network = Network(graph)
    if weights is not None:
        set_weights(network, weights)
    network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    network.train()
    optimizer = torch.optim.AdamW(network.parameters(), 1e-4)
    images = torch.rand(BATCH, 3, graph.size, graph.size, device=device) * 255
    images = images.contiguous(memory_format=torch.channels_last)
    targets = torch.randint(0, LABELS, (BATCH,), device=device)
    for step in range(steps + 3):
        if step == 3:
            wait_for(device)
            started = time.perf_counter()
        optimizer.zero_grad()
        functional.cross_entropy(network(images), targets).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    wait_for(device)
    return (time.perf_counter() - started) / steps


def training_s(graph: Graph, weights: Weights | None, material: Material, device: str, steps: int) -> float:
    """Seconds of a step of training."""
    with tempfile.TemporaryDirectory() as folder:
        told: list[float] = []
        callbacks = Callbacks(
            on_step=lambda step, loss: told.append(time.perf_counter()) if step == 10 else None,
            on_epoch=lambda epoch, loss, averaged: {},
        )
        optimize(
            graph,
            weights,
            material,
            Schedule(steps + 10, steps + 10, 1e-4, 0.1, 0),
            device=device,
            checkpoint=Checkpoint(Path(folder) / "checkpoint.pt", "benchmark"),
            callbacks=callbacks,
        )
        return (time.perf_counter() - told[0]) / steps


def wait_for(device: str) -> None:
    """Wait until a graphics card has done all that it was given."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
