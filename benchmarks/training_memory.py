"""Memory that training sets take, in memory and in a mapped file.

    python benchmarks/training_memory.py [--read 20000] [--made-up 100000 1000000] [--size 48] [--work DIR]

Each row is a process of its own. *Read*: so many PNG files of noise are read as `antrax train` reads them
(`antrax.training.dataset.load_trainset`), and batches are drawn. *Made up*: the images are put into the store without
files, and batches are drawn; this is what the pixels of a million examples take. *Own memory* is what the system could
only put aside by swapping (RssAnon); *mapped* are pages of the file that lie in memory at that moment, which it takes
back where memory is short. Linux only.
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import tempfile
import threading
import time
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from antrax.io.examples import ClassDir
from antrax.labels import Category
from antrax.training import image_store
from antrax.training.batches import Batches, Material
from antrax.training.dataset import load_trainset

_FRAMES, _LABELS, _BATCHES = 50, 10, 50


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--read", type=int, nargs="*", default=[20_000])
    parser.add_argument("--made-up", type=int, nargs="*", default=[100_000, 1_000_000])
    parser.add_argument("--size", type=int, default=48)
    parser.add_argument("--work", type=Path)
    args = parser.parse_args()
    table = Table()
    for column in ("examples", "source", "images", "own memory, MB", "mapped, MB", "processor s", "ms a batch"):
        table.add_column(column, justify="right")
    work = args.work or Path(tempfile.mkdtemp())
    context = multiprocessing.get_context("spawn")
    for source, counts in (("read", args.read), ("made up", args.made_up)):
        for count in counts:
            folder = work / str(count)
            if source == "read" and not folder.exists():
                write_examples(folder, count, args.size)
            for share in (1.0, 0.0):
                receiver, sender = context.Pipe(duplex=False)
                process = context.Process(target=measure, args=(folder, source, count, args.size, share, sender))
                process.start()
                own, mapped, seconds, batch = receiver.recv()
                process.join()
                lies = "in memory" if share else "in a file"
                row = [f"{own / 1e6:,.0f}", f"{mapped / 1e6:,.0f}", f"{seconds:,.0f}", f"{batch * 1e3:.0f}"]
                table.add_row(f"{count:,}", source, lies, *row)
                print(count, source, lies, *row, flush=True)
    if not args.work:
        shutil.rmtree(work)
    Console().print(table)


def write_examples(folder: Path, count: int, size: int) -> None:
    """A training set of noise in the middle of white images."""
    chance = np.random.default_rng(0)
    for number in range(count):
        tracklet, frame = divmod(number, _FRAMES)
        label = folder / "examples" / f"L{tracklet % _LABELS}"
        if not frame:
            label.mkdir(parents=True, exist_ok=True)
        path = label / f"exp.trj_id{tracklet}_ti1_1_tf1_{_FRAMES}.{frame + 1}.png"
        cv2.imwrite(str(path), noise(1, size, chance)[0])


def noise(count: int, size: int, chance: np.random.Generator) -> np.ndarray:
    """Images, uint8, shape (count, size, size, 3)."""
    images = np.full((count, size, size, 3), 255, np.uint8)
    middle = slice(size // 4, -size // 4)
    images[:, middle, middle] = chance.integers(0, 250, images[:, middle, middle].shape, np.uint8)
    return images


def measure(folder: Path, source: str, count: int, size: int, share: float, sender: object) -> None:
    """Read or make the images, draw batches, and send the most memory and the time that this took."""
    image_store.SHARE = share
    peaks = [0, 0]
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.05):
            lines = Path("/proc/self/status").read_text().splitlines()
            values = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.startswith("Rss")}
            peaks[0], peaks[1] = max(peaks[0], values["RssAnon"]), max(peaks[1], values["RssFile"])

    threading.Thread(target=look, daemon=True).start()
    began = time.process_time()
    if source == "read":
        trainset = load_trainset(ClassDir(folder))
        images, targets, tracklets = trainset.images, trainset.label_index, trainset.tracklet_index
    else:
        images = image_store.empty_images(count, size, folder)
        chance = np.random.default_rng(0)
        for start in range(0, count, 1000):
            images[start : start + 1000] = noise(min(1000, count - start), size, chance)
        tracklets = np.arange(count) // _FRAMES
        targets = tracklets % _LABELS
    categories = (Category.ANT,) * (_LABELS - 1) + (Category.UNKNOWN,)
    rows = np.flatnonzero(tracklets % 5 > 0)  # a fifth is held out
    material = Material(images, targets[rows], tracklets[rows], categories, "white", rows=rows)
    batches = Batches(material, 128, 0.1, 0, "cpu")
    started = time.perf_counter()
    for _ in range(_BATCHES):
        batches.draw(print)
    batch = (time.perf_counter() - started) / _BATCHES
    batches.close()
    ended.set()
    sender.send((*peaks, time.process_time() - began, batch))  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
