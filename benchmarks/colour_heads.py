"""Colours instead of classes: what a network with a score for each colour at each place knows of IDs without examples.

    python benchmarks/colour_heads.py --pack examples.npz [--shared DIR]
    python benchmarks/colour_heads.py --data examples.npz [--draws 7] [--steps 1000] [--device cpu] [--processes 1]
        [--work DIR] [--limit SECONDS] [--only all few half four]

The first reads the JS16 training set (`data/js16-examples.tar` of the shared folder) into one file: at most 100 images
a tracklet, 48 pixels. The second trains networks on three of four folds of the tracklets (by a hash of their names),
keeps what they give for the other tracklets in the folder --work, and prints the figures:

- `classes` (a score for each label), `heads` (a score for each colour at each place) and `colours` (the same, and tags
  of training images get other colours; what `antrax train` does): networks with examples of all IDs (`all`), and with
  those of 1, 2 and 4 tracklets of each ID (`few`);
- `half` and `four`: draws of eight and of four IDs left out of the training, such that each colour still has examples
  at each place; and, to calibrate, networks without some more IDs in turn, as `antrax train` makes them.

Networks that lie in --work already are not trained again, so a run that was stopped or limited goes on. A tracklet to
which people gave two labels counts as two.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import io
import multiprocessing
import os
import re
import tarfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antrax.classification.calibration import Calibration
from antrax.classification.decision import Rule
from antrax.labels import guess_category

SHARED = Path(__file__).resolve().parents[2] / "shared"
SIZE, MOST = 48, 100
FOLDS = 4
HELD_OUT = 0.2
INNER = 4
FEW = (1, 2, 4)
_NAME = re.compile(r"examples/([^/]+)/(.+\.trj_id\d+_ti\d+_\d+_tf\d+_\d+)\.(\d+)\.png$")
_IDS = [first + second for first in "BGOP" for second in "BGOP"]
OTHERS = ["NoAnt", "Unknown"]
LABELS = (*_IDS, *OTHERS)
GROUPS = ("IDs", "left out", "others")
ACCEPTED = (0.01, 0.02, 0.05)


@dataclass(frozen=True)
class Job:
    """One network.

    Parameters
    ----------
    arm : str
        classes, heads or colours.
    draw : int
        Number of the draw: decides fold, seed and IDs left out.
    left_out : tuple of str
        IDs without examples.
    inner : tuple of str
        IDs left out besides, to calibrate.
    few : int
        Tracklets of each ID that are trained on; 0 for all.
    """

    arm: str
    draw: int
    left_out: tuple[str, ...] = ()
    inner: tuple[str, ...] = ()
    few: int = 0

    @property
    def name(self) -> str:
        """Of its file."""
        return "-".join(
            (self.arm, str(self.draw), "".join(self.left_out) or "none", "".join(self.inner) or "none", str(self.few))
        )


def main() -> None:
    """Pack, or train and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--shared", type=Path, default=SHARED)
    parser.add_argument("--work", type=Path, default=Path("out/colour_heads"))
    parser.add_argument("--draws", type=int, default=7)
    parser.add_argument("--first", type=int, default=0, help="number of the first draw")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--limit", type=float, default=0, help="start no more networks after so many seconds")
    parser.add_argument("--only", nargs="+", default=["all", "few", "half", "four"])
    args = parser.parse_args()
    if args.pack:
        pack(args.shared / "data" / "js16-examples.tar", args.pack)
        return
    train_all(args, list(jobs(args)))
    data = Data(args.data)
    show(args, data)


def pack(tar: Path, target: Path) -> None:
    """Write the compact file."""
    import cv2
    from PIL import Image

    found: dict[tuple[str, str], dict[int, Any]] = defaultdict(dict)
    with tarfile.open(tar) as archive:
        for member in archive:
            if match := _NAME.match(member.name):
                label, tracklet, frame = match.groups()
                found[tracklet, label][int(frame)] = archive.extractfile(member).read()  # type: ignore[union-attr]
    images, labels, tracklets, names = [], [], [], []
    for number, ((tracklet, label), frames) in enumerate(sorted(found.items())):
        names.append(tracklet)
        ordered = sorted(frames)
        for place in np.linspace(0, len(ordered) - 1, min(MOST, len(ordered))):
            image = np.asarray(Image.open(io.BytesIO(frames[ordered[round(place)]])).convert("RGB"))
            if len(image) != SIZE:
                image = cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
            images.append(image)
            labels.append(LABELS.index(label))
            tracklets.append(number)
    np.savez_compressed(
        target,
        images=np.stack(images),
        labels=np.array(labels, np.int64),
        tracklets=np.array(tracklets, np.int64),
        names=np.array(names),
    )
    print(f"{len(images):,} images of {len(names)} tracklets, {target.stat().st_size / 2**20:.0f} MB")


class Data:
    """The packed examples. A tracklet that people gave two labels counts as two, of one fold."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as file:
            self.images, self.labels = file["images"], file["labels"]
            self.tracklets, self.names = file["tracklets"], file["names"]
        self.label_of = np.zeros(len(self.names), np.int64)
        self.label_of[self.tracklets] = self.labels
        self.fold = np.array([_hash(f"fold {name}") % FOLDS for name in self.names])
        self.held_out = np.array([_hash(f"held out {name}") < HELD_OUT * 2**64 for name in self.names])

    def trained_on(self, job: Job) -> NDArray[np.bool_]:
        """Which tracklets a network is trained on."""
        gone = [LABELS.index(label) for label in (*job.left_out, *job.inner)]
        chosen: NDArray[np.bool_] = (self.fold != job.draw % FOLDS) & ~self.held_out & ~np.isin(self.label_of, gone)
        if job.few:
            rng = np.random.default_rng(job.draw)
            for label in range(len(_IDS)):
                places = rng.permutation(np.flatnonzero(chosen & (self.label_of == label)))
                chosen[places[job.few :]] = False
        return chosen


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def draw_ids(count: int, draw: int) -> tuple[str, ...]:
    """IDs that are left out: so many at random, such that each colour is still shown at each place."""
    rng = np.random.default_rng([count, draw])
    while True:
        left_out = sorted(rng.permutation(_IDS)[:count].tolist())
        if covers(set(_IDS) - set(left_out)):
            return tuple(left_out)


def covers(ids: set[str]) -> bool:
    """Whether each colour is at each place of some ID."""
    return all({label[place] for label in ids} == set("BGOP") for place in (0, 1))


def inner_parts(ids: Sequence[str], draw: int) -> list[tuple[str, ...]]:
    """IDs with examples, in parts that are left out in turn, such that the others show each colour at each place."""
    from antrax.training.unseen import parts_to_leave_out

    return parts_to_leave_out({label: tuple(label) for label in ids}, INNER, draw)


def jobs(args: argparse.Namespace) -> Iterator[Job]:
    """All networks, those of the first draws first."""
    for draw in range(args.first, args.first + args.draws):
        if "all" in args.only:
            for arm in ("classes", "heads", "colours"):
                yield Job(arm, draw)
        for name, count in (("half", 8), ("four", 4)):
            if name in args.only:
                left_out = draw_ids(count, draw)
                yield Job("colours", draw, left_out)
                yield Job("heads", draw, left_out)
                kept = [label for label in _IDS if label not in left_out]
                for part in inner_parts(kept, draw):
                    yield Job("colours", draw, left_out, part)
        if "few" in args.only:
            for few in FEW:
                yield Job("classes", draw, few=few)
                yield Job("colours", draw, few=few)


def train_all(args: argparse.Namespace, wanted: list[Job]) -> None:
    """Train all networks that do not lie there yet."""
    args.work.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    waiting = [job for job in wanted if not (args.work / f"{job.name}.npz").is_file()]
    total = len(waiting)
    context = multiprocessing.get_context("spawn")
    threads = max(1, (os.cpu_count() or 1) // args.processes)
    with ProcessPoolExecutor(args.processes, context, _prepare, (args.data, threads)) as pool:
        running: set[Future[str]] = set()
        while waiting or running:
            late = args.limit and time.monotonic() - started > args.limit
            while waiting and len(running) < args.processes and not late:
                running.add(pool.submit(_train, waiting.pop(0), args.steps, args.device, args.work))
            if not running:
                break
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                seconds = time.monotonic() - started
                print(f"{future.result()}; {total - len(waiting) - len(running)}/{total}, {seconds:.0f} s", flush=True)


_data: Data | None = None


def _prepare(path: Path, threads: int) -> None:
    global _data
    import torch

    torch.set_num_threads(threads)
    _data = Data(path)


def _train(job: Job, steps: int, device: str, work: Path) -> str:
    """Train a network, and keep its scores of all images of tracklets that it was not trained on."""
    from antrax.networks.graph import build
    from antrax.networks.heads import heads_for
    from antrax.networks.registry import NORMALISED
    from antrax.tag_codes import read_codes
    from antrax.training.batches import Material, UnitsOfLabels
    from antrax.training.loop import Callbacks, Checkpoint, Schedule, optimize
    from antrax.training.recolouring import recoloured_codes

    assert _data is not None
    data, started = _data, time.monotonic()
    codes = read_codes(_IDS, "BGOP")
    assert codes
    heads = heads_for(codes, LABELS) if job.arm != "classes" else None
    graph = build("small", SIZE, heads.units if heads else len(LABELS), "white")
    chosen = data.trained_on(job)[data.tracklets]
    images, targets = data.images[chosen], data.labels[chosen]
    units = None
    if heads:
        recoloured = None
        if job.arm == "colours":
            recoloured = recoloured_codes(images, targets, LABELS, heads, "white", job.draw)
        units = UnitsOfLabels(heads.matrix(LABELS), heads.spans, heads.own, recoloured)
    material = Material(
        images,
        targets,
        data.tracklets[chosen],
        tuple(map(guess_category, LABELS)),
        "white",
        units=units,
    )
    checkpoint = Checkpoint(work / f"{job.name}.checkpoint", job.name)
    weights, _ = optimize(
        graph,
        None,
        material,
        Schedule(steps, steps, NORMALISED.new, 0.1, job.draw),
        device=device,
        checkpoint=checkpoint,
        callbacks=Callbacks(lambda step, loss: None, lambda epoch, loss, weights: {}),
    )
    shown = np.flatnonzero(~data.trained_on(job)[data.tracklets])
    scores = _scores(graph, weights, data.images[shown], device)
    if heads:
        scores = scores @ heads.matrix(LABELS)
    logs = scores - _log_sum(scores)
    temporary = work / f"{job.name}.part"
    with temporary.open("wb") as file:
        np.savez_compressed(file, shown=shown.astype(np.int32), logs=logs.astype(np.float16))
    temporary.rename(work / f"{job.name}.npz")
    checkpoint.path.unlink()
    return f"{job.name}: {time.monotonic() - started:.0f} s"


def _log_sum(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    most = scores.max(1, keepdims=True)
    return np.asarray(most + np.log(np.exp(scores - most).sum(1, keepdims=True)))


def _scores(graph: Any, weights: Any, images: NDArray[np.uint8], device: str) -> NDArray[np.float32]:
    """What the network gives for images, every other one turned by 180°, as in classification."""
    import torch

    from antrax.networks.backends.torch_network import Network, set_weights

    network = Network(graph)
    set_weights(network, weights)
    network.eval().to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    parts = []
    with torch.inference_mode():
        for start in range(0, len(images), 512):
            batch = images[start : start + 512].copy()
            batch[1::2] = batch[1::2, ::-1, ::-1]
            parts.append(network(torch.from_numpy(batch).to(device).permute(0, 3, 1, 2).float()).cpu().numpy())
    return np.concatenate(parts)


def show(args: argparse.Namespace, data: Data) -> None:
    """Print the tables: which label is the most probable, and what is given at each accepted share of wrong IDs."""
    best: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    given: dict[tuple[str, str, float], Counter[str]] = defaultdict(Counter)
    for job in jobs(args):
        if job.inner or not file_of(args, job).is_file():
            continue
        kind = f"{job.few} tracklets an ID" if job.few else {0: "all", 8: "half", 4: "four"}[len(job.left_out)]
        predictions = read(args, data, job)
        counts = best[job.arm, kind]
        counts["draws"] += 1
        for tracklet in tested(data, job, predictions):
            group = group_of(data, job, tracklet)
            counts[group] += 1
            counts[f"{group} right"] += int(predictions[tracklet].mean(0).argmax() == data.label_of[tracklet])
        calibration = calibrated(args, data, job, predictions)
        for accepted in ACCEPTED if calibration else ():
            assert calibration
            count_given(data, job, predictions, calibration.rule(accepted), given[job.arm, kind, accepted])
    for (arm, kind), counts in best.items():
        parts = [f"{group} {share(counts, f'{group} right', group)}" for group in GROUPS if counts[group]]
        print(f"{arm:8} {kind:16} {counts['draws']} draws; most probable label right: {', '.join(parts)}")
    for (arm, kind, accepted), counts in given.items():
        parts = [
            f"{group}: of {counts[group]} given {counts[f'{group} given']}, wrong {counts[f'{group} wrong']}"
            for group in GROUPS
            if counts[group]
        ]
        unseen = f"; IDs without examples given {counts['unseen given']}, wrong {counts['unseen wrong']}"
        print(
            f"{arm:8} {kind:16} at {accepted:.0%} accepted: {'; '.join(parts)}{unseen if 'left out' in counts else ''}"
        )


def share(counts: Counter[str], part: str, whole: str) -> str:
    """Two counts and their ratio."""
    return f"{counts[part]}/{counts[whole]} ({counts[part] / max(1, counts[whole]):.1%})"


def file_of(args: argparse.Namespace, job: Job) -> Path:
    """Where what a network gives is kept."""
    path: Path = args.work / f"{job.name}.npz"
    return path


def read(args: argparse.Namespace, data: Data, job: Job) -> dict[int, NDArray[np.float32]]:
    """Probabilities of the images of each tracklet that a network was not trained on."""
    with np.load(file_of(args, job)) as file:
        shown, logs = file["shown"], file["logs"]
    owners = data.tracklets[shown]
    order = np.argsort(owners, kind="stable")
    tracklets, starts = np.unique(owners[order], return_index=True)
    parts = np.split(np.exp(logs[order].astype(np.float32)), starts[1:])
    return dict(zip(tracklets.tolist(), parts, strict=True))


def group_of(data: Data, job: Job, tracklet: int) -> str:
    """One of `GROUPS`."""
    label = LABELS[data.label_of[tracklet]]
    return "others" if label in OTHERS else "left out" if label in job.left_out else "IDs"


def tested(data: Data, job: Job, predictions: Mapping[int, NDArray[np.float32]]) -> list[int]:
    """Tracklets that tell something: of IDs left out all, of others those of the fold."""
    fold = data.fold == job.draw % FOLDS
    return [tracklet for tracklet in predictions if fold[tracklet] or group_of(data, job, tracklet) == "left out"]


def calibrated(
    args: argparse.Namespace, data: Data, job: Job, predictions: Mapping[int, NDArray[np.float32]]
) -> Calibration | None:
    """Calibration as `antrax train` makes it; None where networks for it are missing."""
    from antrax.classification.calibration import HeldOutTracklet, LeftOutCodes, calibrate, calibrate_unseen

    fold = data.fold == job.draw % FOLDS
    known = ~np.isin(data.label_of, [LABELS.index(label) for label in job.left_out])
    categories = tuple(map(guess_category, LABELS))

    def held_out(of: Mapping[int, NDArray[np.float32]], chosen: NDArray[np.bool_]) -> list[HeldOutTracklet]:
        return [HeldOutTracklet(of[tracklet], int(data.label_of[tracklet])) for tracklet in of if chosen[tracklet]]

    calibration = calibrate(held_out(predictions, known & data.held_out & ~fold), categories)
    if not job.left_out:
        return calibration
    kept = [label for label in _IDS if label not in job.left_out]
    networks = []
    for part in inner_parts(kept, job.draw):
        inner = dataclasses.replace(job, inner=part)
        if not file_of(args, inner).is_file():
            return None
        outputs = frozenset(LABELS.index(label) for label in part)
        mine = np.isin(data.label_of, list(outputs)) & ~fold
        others = known & ~fold & ~mine
        shown = held_out(read(args, data, inner), mine | (others & data.held_out))
        networks.append(LeftOutCodes(outputs, shown, float(others.sum() / (others & data.held_out).sum())))
    unseen = tuple(LABELS.index(label) for label in job.left_out)
    found = calibrate_unseen(networks, categories, calibration, unseen, len(unseen) / len(kept))
    return dataclasses.replace(calibration, unseen=found)


def count_given(
    data: Data, job: Job, predictions: Mapping[int, NDArray[np.float32]], rule: Rule, counts: Counter[str]
) -> None:
    """Count which IDs the rule gives."""
    categories = tuple(map(guess_category, LABELS))
    for tracklet in tested(data, job, predictions):
        group, truth = group_of(data, job, tracklet), LABELS[data.label_of[tracklet]]
        label = rule(predictions[tracklet], LABELS, categories).label
        counts[group] += 1
        if label not in OTHERS:
            for name in (group, *(["unseen"] if label in job.left_out else [])):
                counts[f"{name} given"] += 1
                counts[f"{name} wrong"] += label != truth


if __name__ == "__main__":
    main()
