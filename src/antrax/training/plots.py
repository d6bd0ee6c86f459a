"""Figures for the record of a training run, drawn by matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from antrax.io.atomic import replacing
from antrax.training.evaluation import Evaluation


def draw_confusion(evaluation: Evaluation, path: Path) -> None:
    """Confusion matrix of the held-out images as a PNG: a row a label of people's, in percent of the row."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    count = len(evaluation.labels)
    totals = evaluation.confusion.sum(1, keepdims=True)
    percent = 100 * evaluation.confusion / np.maximum(totals, 1)
    side = 2.5 + 0.42 * count
    figure = Figure(figsize=(side, side), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.imshow(percent, cmap="Blues", vmin=0, vmax=100)
    axes.set_xticks(range(count), evaluation.labels, rotation=90)
    axes.set_yticks(range(count), [f"{label}  ({n})" for label, n in zip(evaluation.labels, totals[:, 0], strict=True)])
    axes.set_xlabel("label given by the network")
    axes.set_ylabel("people's label (held-out images)")
    axes.set_title("Held-out images, % of each row")
    for row, column in zip(*np.nonzero(evaluation.confusion), strict=True):
        value = percent[row, column]
        text = f"{value:.0f}" if value >= 1 else "<1"
        axes.text(column, row, text, ha="center", va="center", fontsize=7, color="white" if value > 55 else "black")
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)


def draw_learning_curve(history: Sequence[dict[str, float]], path: Path) -> None:
    """Loss and held-out accuracy by epoch as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(6.5, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    loss_axes = figure.subplots()
    epochs = [row["epoch"] for row in history]
    loss_axes.plot(epochs, [row["loss"] for row in history], "o-", color="tab:gray", label="loss on training images")
    loss_axes.set_xlabel("epoch")
    loss_axes.set_ylabel("loss")
    loss_axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    accuracy_axes = loss_axes.twinx()
    lowest = 80.0
    for key, color, text in (
        ("image_accuracy", "tab:blue", "held-out images right"),
        ("tracklet_accuracy", "tab:green", "held-out tracklets right"),
    ):
        values = [100 * row.get(key, float("nan")) for row in history]
        accuracy_axes.plot(epochs, values, "o-", color=color, label=text)
        lowest = min([lowest, *(value - 2 for value in values if value == value)])
    # at least this range, so that the difference of a single tracklet does not look large
    accuracy_axes.set_ylim(lowest, 100.5)
    accuracy_axes.set_ylabel("right (%)")
    figure.legend(loc="outside lower center", ncols=3, fontsize=8)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
