"""`antrax train`: a classifier from labelled images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from antrax.cli.cluster import cluster_options
from antrax.cli.params import CONTEXT, DEVICE, SESSION, ArchitectureName, Renaming
from antrax.cli.streams import output
from antrax.defaults import EPOCHS, SEED, WEIGHT

if TYPE_CHECKING:
    from antrax.images import Background


@click.command("train", context_settings=CONTEXT)
@click.argument("classdir", type=click.Path(path_type=Path))
@click.option(
    "--ne",
    "epochs",
    type=int,
    default=EPOCHS,
    show_default=True,
    metavar="N",
    help="Epochs. More give a better classifier.",
)
@click.option("--scratch", is_flag=True, help="Start a new classifier where one exists.")
@click.option("--name", default="classifier", show_default=True, help="Name of the classifier: NAME.h5.")
@click.option(
    "--arch",
    type=ArchitectureName(),
    metavar="NAME|MODEL.json",
    help="Architecture of a new classifier: small (default), wide, large, MobileNetV2, or custom with --modelfile. A "
    "file MODEL.json means custom with that file.",
)
@click.option(
    "--target-size",
    type=int,
    metavar="PIXELS",
    help="Size to which images are brought; that of the first by default (MobileNetV2: 96).",
)
@click.option(
    "--hsymmetry/--no-hsymmetry", default=None, help="Mirror images left to right too, for animals whose tags allow it."
)
@click.option(
    "--modelfile",
    type=click.Path(path_type=Path),
    metavar="MODEL.json",
    help="With --arch custom: the network, as Keras describes it by model.to_json().",
)
@click.option(
    "--pretrained/--no-pretrained",
    default=True,
    show_default=True,
    help="With --arch MobileNetV2: start from weights trained on ImageNet (9 MB, fetched once and kept).",
)
@click.option(
    "--aug-options",
    default="",
    metavar="K=V,…",
    help="How far images are varied: width_shift_range, height_shift_range (10 pixels; below 1, a fraction), "
    "shear_range (5 degrees), rotation_range (15 degrees), zoom_range (0.1).",
)
@click.option(
    "--drop", multiple=True, metavar="LABEL", help="Have an existing classifier forget a label; can be repeated."
)
@click.option(
    "--rename",
    multiple=True,
    type=Renaming(),
    metavar="OLD=NEW",
    help="Give a label of an existing classifier another name; it keeps what it has learned. Can be repeated.",
)
@click.option(
    "--unknown-weight",
    type=float,
    default=WEIGHT,
    show_default=True,
    metavar="X",
    help="How much an error on unrecognisable animals counts, compared with others.",
)
@click.option(
    "--multi-weight",
    type=float,
    default=WEIGHT,
    show_default=True,
    metavar="X",
    help="How much an error on several animals in one image counts.",
)
@click.option("--crop-size", type=int, metavar="PIXELS", help="Cut larger images to their centre first.")
@click.option(
    "--background",
    type=click.Choice(("white", "black")),
    help="Ground of the images; that of most examples by default.",
)
@click.option(
    "--colours",
    "--colors",
    type=click.Choice(("auto", "on", "off")),
    default="auto",
    show_default=True,
    help="Score the colour of each tag, which IDs share, instead of each ID by itself: animals without examples are "
    "known by their code. auto: where the IDs tell colours and some have few examples.",
)
@SESSION
@DEVICE
@cluster_options
@click.option("--seed", type=int, default=SEED, show_default=True, help="Random seed of the training run.")
def train(
    classdir: Path,
    epochs: int,
    scratch: bool,
    name: str,
    arch: str | Path | None,
    target_size: int | None,
    hsymmetry: bool | None,
    modelfile: Path | None,
    pretrained: bool,
    aug_options: str,
    drop: tuple[str, ...],
    rename: tuple[tuple[str, str], ...],
    unknown_weight: float,
    multi_weight: float,
    crop_size: int | None,
    background: Background | None,
    colours: str,
    session: str | None,
    device: str,
    seed: int,
) -> None:
    """Train a classifier on the labelled images of CLASSDIR.

    CLASSDIR is a folder that holds `examples/` (a folder of PNG images a label), or an experiment: then the
    `classifier` folder of its session. A classifier that is there already is trained on; --scratch starts a new
    one.

    An epoch is a pass over the examples, but at least 200 steps of 128 images: a small training set is gone through
    more than once. Rare labels and short tracklets are drawn more often than their share. After the epochs,
    training goes on for 3/10 of their steps with the tracklets that were held out to measure accuracy.

    A training run that is stopped goes on where it was when the same command is given again.
    """
    from antrax.cli.console import ConsoleReporter, show_evaluation
    from antrax.training.run import TrainOptions
    from antrax.training.run import train as run

    if isinstance(arch, Path):
        if modelfile is not None:
            raise click.UsageError(f"--arch {arch} and --modelfile {modelfile} name two networks; give one of them")
        modelfile, arch = arch, "custom"
    for old, new in rename:
        if dict(rename)[old] != new:
            raise click.UsageError(f"--rename {old}={new} and {old}={dict(rename)[old]}: a label gets one new name")
    reporter = ConsoleReporter()
    options = TrainOptions(
        epochs=epochs,
        scratch=scratch,
        name=name,
        arch=arch,
        target_size=target_size,
        hsymmetry=hsymmetry,
        modelfile=modelfile,
        aug_options=aug_options,
        device=device,
        seed=seed,
        pretrained=pretrained,
        drop=drop,
        rename=dict(rename),
        unknown_weight=unknown_weight,
        multi_weight=multi_weight,
        crop_size=crop_size,
        background=background,
        colours=colours,
    )
    result = run(classdir, options, session=session, reporter=reporter)
    if result.evaluation:
        show_evaluation(output(), result.evaluation)
    reporter.say(f"classifier: {result.path}")
    reporter.say(f"record:     {result.record}")
