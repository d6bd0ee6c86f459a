"""Print again the constants that were fitted on data: calibration, poor networks, copies, areas, solving, training.

    python benchmarks/accuracy.py --folds 0 1 2 3        # trains and classifies, if that is not done yet
    python benchmarks/fitted_constants.py [calibration] [--work DIR]                                       # seconds
    python benchmarks/fitted_constants.py copies [--work DIR]                                              # seconds
    python benchmarks/fitted_constants.py areas                                                            # a minute
    python benchmarks/fitted_constants.py solving [--constants NAME…] [--seeds N…]               # two minutes each
    python benchmarks/fitted_constants.py training [--constants NAME…] [--folds N…] [--seeds N…] [--run]

calibration takes the tracklets of each fold that is in `--work`, which its network has not seen, with its probabilities
of their images and people's labels, and prints for each fold and for all together what
`antrax.classification.calibration` has as constants: temperature and exponent of the rule and the curve of being right,
fitted without a prior, and confidences of tracklets that look like an ID in equal steps of rank. Spread over the folds
is what the priors' spreads stand for. It also prints the indicators below which `antrax.training.evaluation` calls a
network poor, as each fold's classifier has them.

copies takes the examples of the first fold in `--work` and prints how much the means of 8 x 8 pieces differ between an
image and its copies (of another size, as JPEG), and between an image and the most alike one of other tracklets and of
other labels: what `antrax.training.tracklets.SAME_LOOK` has to lie between.

areas fits the model of `antrax.solving.areas` to made-up colonies whose numbers of animals are known, and prints power
and scatter: the values that fits start from. There are so many groups that the prior itself has no influence.

solving tries the costs of `antrax.solving.numbers`, the reach of links, and the bounds on sureness, each with half and
twice its value, on made-up colonies whose labels, links and losses are partly wrong, and prints cells placed and placed
wrong. A constant is to be changed where another value places more and not more wrongly with all seeds.

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
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import accuracy
import antrax
import solving_constants
import training_constants
from antrax.classification import calibration
from antrax.classification.calibration import HeldOutTracklet, calibrate, fit_curve, fit_rule
from antrax.demo.colony import ColonyOptions, simulate_colony
from antrax.io.examples import open_classdir
from antrax.labels import Category, guess_category
from antrax.solving import areas
from antrax.training import evaluation
from antrax.training.dataset import load_trainset
from antrax.training.tracklets import SAME_LOOK, thumbnails


def main() -> None:
    """Print the constants of each fold and of all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "what", nargs="?", choices=("calibration", "copies", "areas", "solving", "training"), default="calibration"
    )
    parser.add_argument("--work", type=Path, default=Path("out/accuracy"), help="that of benchmarks/accuracy.py")
    only = parser.add_argument_group("training; --constants and --seeds also solving")
    only.add_argument("--constants", nargs="+", metavar="NAME", help="all without; a wrong name lists them")
    only.add_argument("--folds", type=int, nargs="+", help="of the real set; the made-up ants without")
    only.add_argument("--seeds", type=int, nargs="+", default=training_constants.SEEDS)
    only.add_argument("--steps", type=int, default=200, help="of an epoch, on the made-up ants")
    only.add_argument("--shared", type=Path, default=accuracy.SHARED)
    only.add_argument("--run", action="store_true", help="train; without, the constants are only told")
    args = parser.parse_args()
    names = solving_constants.CONSTANTS if args.what == "solving" else training_constants.constants()
    if wrong := [name for name in args.constants or () if name not in names]:
        parser.error(f"{args.what} has no constant {wrong[0]}: choose among {', '.join(names)}")
    if args.what == "solving":
        solving_constants.try_constants(args)
        return
    if args.what == "training":
        training_constants.try_constants(args)
        return
    if args.what == "areas":
        show_areas()
        return
    folders = sorted(folder for folder in args.work.glob("fold*") if (folder / "truth.csv").is_file())
    if not folders:
        parser.error(f"{args.work} has no folds; run benchmarks/accuracy.py first")
    if args.what == "copies":
        show_copies(folders[0] / "classdir")
        return
    together: list[HeldOutTracklet] = []
    categories: list[Category] = []
    for folder in folders:
        tracklets, labels = read_fold(folder)
        found = [guess_category(label) for label in labels]
        show(folder.name, tracklets, found)
        show_signs(folder)
        if categories in ([], found):
            together, categories = together + tracklets, found
    if len(folders) > 1:
        show("all", together, categories)
    print(
        f"in the package: temperature {calibration.CAUTIOUS.temperature}, exponent 0, curve {calibration.PRIOR_CURVE}"
    )
    print(f"  confidences {calibration.REFERENCE.tolist()}")
    print(
        f"  poor below {evaluation.LEAST_ACCURACY} of images right, agreement {evaluation.LEAST_AGREEMENT}, "
        f"confidence {evaluation.LEAST_CONFIDENCE}"
    )


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


def show_signs(folder: Path) -> None:
    """Print the indicators of quality of a fold's network."""
    signs = antrax.read_classifier(folder / "classdir" / "classifier.h5").record["quality"]
    print(
        f"  {signs['image_accuracy']:.2f} of held-out images right, agreement within tracklets "
        f"{signs['agreement_within_tracklets']:.2f}, mean confidence {signs['mean_confidence']:.2f}"
    )


def show_copies(classdir: Path, most: int = 3000) -> None:
    """Print how much copies of an image, and images of other tracklets, differ from it."""
    trainset = load_trainset(open_classdir(classdir))
    chosen = np.unique(np.linspace(0, len(trainset.images) - 1, most).astype(int))
    images, unit = trainset.images[chosen], trainset.tracklet_index[chosen]
    label = trainset.label_index[chosen]
    look = thumbnails(images)
    for name, changed in (
        ("another size", [resized(image) for image in images]),
        ("JPEG of quality 90", [as_jpeg(image, 90) for image in images]),
        ("JPEG of quality 75", [as_jpeg(image, 75) for image in images]),
    ):
        print_differences(f"copies, {name}", np.sqrt(np.square(look - thumbnails(np.stack(changed))).mean((1, 2, 3))))
    flat = look.reshape(len(look), -1)
    for name, of in (("another tracklet", unit), ("another label", label)):
        nearest = [np.sqrt(np.square(flat[of != mine] - one).mean(1).min()) for one, mine in zip(flat, of, strict=True)]
        print_differences(f"the most alike image of {name}", np.array(nearest))
    print(f"in the package: images that differ by less than {SAME_LOOK} look the same")


def print_differences(name: str, differences: NDArray[np.floating]) -> None:
    """Print quantiles of differences."""
    low, middle, high = np.quantile(differences, [0.01, 0.5, 0.99])
    print(f"{name}: 1 % below {low:.1f}, half below {middle:.1f}, 99 % below {high:.1f}")


def resized(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An image that was saved a third larger, and read at its own size again."""
    size = len(image)
    return np.asarray(Image.fromarray(image).resize((size * 4 // 3,) * 2).resize((size,) * 2))


def as_jpeg(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """An image that was saved as JPEG."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def show_areas() -> None:
    """Print the model of areas as fitted to made-up colonies of known numbers."""
    for animals in (16, 36):
        for density in (0.25, 0.5, 1.0):
            colony = simulate_colony(ColonyOptions(animals=animals, density=density, frames=3000, seed=60))
            single = colony.member_counts == 1
            weights = np.diff(colony.tracks.offset)
            one = np.average(colony.mean_area[single], weights=weights[single])
            model = areas.fit_areas(colony.mean_area / one, colony.member_counts)
            groups = int((colony.member_counts > 1).sum())
            print(
                f"{animals} animals, {density:g} per cm²: power {model.power:.3f}, scatter {model.scatter:.2f} "
                f"({groups} groups)"
            )
    print(f"in the package: power {areas.POWER}, scatter {areas.SCATTER} until it is fitted to the session")


if __name__ == "__main__":
    main()
