"""The constants that were fitted, found again: those of the calibration, and those of training.

    python benchmarks/accuracy.py --folds 0 1 2 3        # trains and classifies, if that is not done yet
    python benchmarks/fitted_constants.py [calibration] [--work DIR]                                       # seconds
    python benchmarks/fitted_constants.py training [--constants NAME…] [--folds N…] [--seeds N…] [--run]

calibration takes the tracklets of each fold that is in `--work`, which its network has not seen, with its probabilities
of their images and people's labels, and prints for each fold and for all together what
`antrax.classification.calibration` has as constants: temperature and exponent of the rule and the curve of being right,
fitted without a prior, and confidences of tracklets that look like an ID in equal steps of rank. Spread over the folds
is what the priors' spreads stand for.

training tells the constants of `antrax.networks.registry` (learning rates) and `antrax.training.phases` (refit, made-up
images, labels of pre-trained networks first), and what trying them takes. With --run it trains with each as it is, with
half and with twice of it, and prints how many images of tracklets that training never saw are right, and the mean
log-probability of their labels: a constant is to be changed where another value is better with all seeds. On the
made-up ants of `antrax demo`, a training takes some five minutes on two cores, so a constant takes half an hour and all
of them five hours or more; with fewer --steps it is done sooner, but whatever trains longer looks better then. On folds
of the real set (--folds) a training takes a quarter of an hour, and a constant and fold one and a half hours. What was
trained is kept in --work, so a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np

import accuracy
import antrax
import training_constants
from antrax.classification import calibration
from antrax.classification.calibration import HeldOutTracklet, calibrate, fit_curve, fit_rule
from antrax.labels import Category, guess_category


def main() -> None:
    """Print the constants of each fold and of all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("calibration", "training"), default="calibration")
    parser.add_argument("--work", type=Path, default=Path("out/accuracy"), help="that of benchmarks/accuracy.py")
    only = parser.add_argument_group("training")
    only.add_argument("--constants", nargs="+", choices=training_constants.constants(), metavar="NAME")
    only.add_argument("--folds", type=int, nargs="+", help="of the real set; the made-up ants without")
    only.add_argument("--seeds", type=int, nargs="+", default=training_constants.SEEDS)
    only.add_argument("--steps", type=int, default=200, help="of an epoch, on the made-up ants")
    only.add_argument("--shared", type=Path, default=accuracy.SHARED)
    only.add_argument("--run", action="store_true", help="train; without, the constants are only told")
    args = parser.parse_args()
    if args.what == "training":
        training_constants.try_constants(args)
        return
    folders = sorted(folder for folder in args.work.glob("fold*") if (folder / "truth.csv").is_file())
    if not folders:
        parser.error(f"{args.work} has no folds; run benchmarks/accuracy.py first")
    together: list[HeldOutTracklet] = []
    categories: list[Category] = []
    for folder in folders:
        tracklets, labels = read_fold(folder)
        found = [guess_category(label) for label in labels]
        show(folder.name, tracklets, found)
        if categories in ([], found):
            together, categories = together + tracklets, found
    if len(folders) > 1:
        show("all", together, categories)
    print(
        f"in the package: temperature {calibration.CAUTIOUS.temperature}, exponent 0, curve {calibration.PRIOR_CURVE}"
    )
    print(f"  confidences {calibration.REFERENCE.tolist()}")


def read_fold(folder: Path) -> tuple[list[HeldOutTracklet], tuple[str, ...]]:
    """Tracklets of a fold with people's labels, and the labels in the order of the probabilities."""
    labels = antrax.read_classifier(folder / "classdir" / "classifier.h5").labels
    sessions = {path.name: antrax.open_session(path) for path in (folder / "experiments").iterdir()}
    tracklets = []
    with (folder / "truth.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            session = sessions[row["experiment"]]
            table = antrax.read_frame_probabilities(session, int(row["movie"]), row["tracklet"])
            if row["label"] in labels:
                values = table[list(labels)].to_numpy()
                tracklets.append(HeldOutTracklet(values, labels.index(row["label"])))
    return tracklets, labels


def show(name: str, tracklets: list[HeldOutTracklet], categories: list[Category]) -> None:
    """Print what is fitted on some tracklets."""
    temperature, exponent = fit_rule(tracklets, prior_weight=0)
    found = calibrate(tracklets, categories)
    confidences = np.array(found.confidences)
    curve = fit_curve(confidences, np.array(found.correct), prior_weight=0)
    ranks = np.linspace(0, 1, len(calibration.REFERENCE) + 2)[1:-1]
    print(f"{name}: {len(tracklets)} tracklets, {len(confidences)} that look like an ID")
    print(f"  temperature {temperature:.2f}, exponent {exponent:.3f}, curve ({curve[0]:.2f}, {curve[1]:.2f})")
    print(f"  confidences {np.round(np.quantile(confidences, ranks), 4).tolist()}")


if __name__ == "__main__":
    main()
