"""The command line: options in, one function of the package called, its result shown."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from antrax.errors import AntraxError, ClassificationError, explain_mistake
from antrax.progress import printable

if TYPE_CHECKING:
    from rich.console import Console

    from antrax.classification.run import Report
    from antrax.demo.experiment import DemoExperiment
    from antrax.demo.walkthrough import Accuracy

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
# Mirrors of lists in modules that are slow to load; a test keeps them equal.
DEVICES = ("auto", "cpu", "cuda", "mps")
ARCHITECTURES = ("small", "wide", "large", "MobileNetV2", "custom")
EXPORT_FORMATS = ("csv", "parquet", "netcdf", "trackmate", "sleap", "deeplabcut", "nwb")
FIGURES = ("trails", "presence", "activity", "contacts")
FIGURE_FORMATS = ("png", "svg")

_DEVICE = click.option(
    "--device",
    type=click.Choice(DEVICES),
    default="auto",
    show_default=True,
    help="What computes; auto takes a GPU where there is one.",
)
_SESSION = click.option("--session", metavar="NAME", help="Session of the experiment; the latest by default.")


class _MovieList(click.ParamType):  # type: ignore[type-arg]
    name = "movies"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        from antrax.io.session import parse_movie_list

        try:
            return parse_movie_list(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(str(error), param, ctx)


_MOVIES = click.option(
    "--movlist", "movies", type=_MovieList(), metavar="LIST", help="Movies: 4, or 3,5,6, or 1-5,7; all by default."
)


@click.group(
    context_settings=_CONTEXT, epilog="Start with `antrax demo DIR`, which shows the whole workflow on made-up ants."
)
@click.version_option(package_name="antrax", prog_name="antrax")
def cli() -> None:
    """Identify individually colour-tagged insects in tracked videos.

    \b
    The workflow on an experiment that a tracker has been through:
      antrax extract-trainset EXPERIMENT   label blob images in the browser
      antrax train EXPERIMENT              learn from them
      antrax classify EXPERIMENT           give every tracklet a label
      antrax extract-trainset EXPERIMENT   check the labels, add examples
    """  # noqa: D301  # click takes a backspace for "leave the next lines as they are"


@cli.command("extract-trainset", context_settings=_CONTEXT)
@click.argument("experiments", nargs=-1, required=True, metavar="EXPDIR...", type=click.Path(path_type=Path))
@_SESSION
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    metavar="N",
    help="Port to listen at; by default 8090, or the next free one.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Address to listen at. Others than the default can be reached from the network, unencrypted.",
)
def extract_trainset(
    experiments: tuple[Path, ...], session: str | None, no_browser: bool, port: int | None, host: str
) -> None:
    """Label tracklets and check a classification, in the browser.

    Each EXPDIR is an experiment, a folder that holds some (three levels deep), or a text file that lists some; the
    first is opened, the others can be chosen in the page.

    The command prints the page's address. It works on this machine only; to sit at another one, use the SSH tunnel
    that is printed with it. Everything is saved at once; end with Ctrl-C when you like.
    """
    from antrax.app.launch import run_app
    from antrax.cli.console import ConsoleReporter

    run_app(experiments, session, port=port, host=host, browser=not no_browser, reporter=ConsoleReporter())


@cli.command(context_settings=_CONTEXT)
@click.argument("classdir", type=click.Path(path_type=Path))
@click.option(
    "--ne", "epochs", type=int, default=5, show_default=True, metavar="N", help="Epochs. More give a better classifier."
)
@click.option("--scratch", is_flag=True, help="Start a new classifier where one exists.")
@click.option("--name", default="classifier", show_default=True, help="Name of the classifier: NAME.h5.")
@click.option("--arch", type=click.Choice(ARCHITECTURES), help="Architecture of a new classifier; small by default.")
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
@_SESSION
@_DEVICE
@click.option("--seed", type=int, default=0, show_default=True, help="Chance in training starts from here.")
def train(
    classdir: Path,
    epochs: int,
    scratch: bool,
    name: str,
    arch: str | None,
    target_size: int | None,
    hsymmetry: bool | None,
    modelfile: Path | None,
    pretrained: bool,
    aug_options: str,
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

    reporter = ConsoleReporter()
    options = TrainOptions(
        epochs, scratch, name, arch, target_size, hsymmetry, modelfile, aug_options, device, seed, pretrained
    )
    result = run(classdir, options, session=session, reporter=reporter)
    if result.evaluation:
        show_evaluation(_output(), result.evaluation)
    reporter.say(f"classifier: {result.path}")
    reporter.say(f"record:     {result.record}")


@cli.command(context_settings=_CONTEXT)
@click.argument("experiments", type=click.Path(path_type=Path))
@click.option(
    "--classifier", metavar="FILE|NAME", help="Classifier file, or the name of one in the session's classifier folder."
)
@_MOVIES
@click.option("--missing", is_flag=True, help="Only movies that have no result yet, of whichever classifier.")
@click.option(
    "--max-error",
    type=float,
    default=0.01,
    show_default=True,
    help="How large a share of the assigned IDs may be wrong: an estimate from held-out tracklets, no guarantee.",
)
@_SESSION
@click.option("--nw", "workers", type=int, metavar="N", help="Worker processes; one a processor by default.")
@_DEVICE
def classify(
    experiments: Path,
    classifier: str | None,
    movies: list[int] | None,
    missing: bool,
    max_error: float,
    session: str | None,
    workers: int | None,
    device: str,
) -> None:
    """Give every tracklet of EXPERIMENTS a label.

    EXPERIMENTS is an experiment, a folder that contains some, or a text file that lists some (one path a line,
    relative to the file; lines that start with # are comments). All are worked on in parallel. Results go into
    `labels/` of each session.
    """
    from antrax.classification.run import ClassifyOptions
    from antrax.classification.run import classify as run
    from antrax.cli.console import ConsoleReporter, show_report

    options = ClassifyOptions(classifier, session, movies, missing, max_error, workers, device)
    reporter = ConsoleReporter()
    try:
        report = run(experiments, options, reporter=reporter)
    except ClassificationError as error:
        failed: Report = error.report  # type: ignore[assignment]
        if any(experiment.movies for experiment in failed.experiments):
            show_report(_output(), failed)
        for failure in failed.failures[:-1]:
            _complain(failure)
        raise AntraxError(failed.failures[-1]) from None
    show_report(_output(), report)


@cli.command(context_settings=_CONTEXT)
@click.argument("experiment", type=click.Path(path_type=Path))
@click.option("--to", type=click.Choice(EXPORT_FORMATS), required=True, help="Format to write.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="File (folder for nwb) to write; by default in `export/` of the session. What is there is replaced.",
)
@_MOVIES
@_SESSION
def export(experiment: Path, to: str, out: Path | None, movies: list[int] | None, session: str | None) -> None:
    """Write the positions of EXPERIMENT's animals in a format of other programs.

    Positions are those of `antrax solve`, or of anTraX's MATLAB where there are no others.

    \b
    csv         a table for spreadsheets and R
    parquet     a table for pandas, polars, R and DuckDB
    netcdf      movement, napari, xarray
    trackmate   TrackMate (Fiji)
    sleap, deeplabcut, nwb
                written by movement: pip install "antrax[export]"
    """  # noqa: D301
    from antrax.cli.console import ConsoleReporter
    from antrax.io.export import export_positions
    from antrax.io.session import open_session

    path = export_positions(open_session(experiment, session), to, movies, path=out)
    ConsoleReporter().say(f"written: {path}")


@cli.command(context_settings=_CONTEXT)
@click.argument("experiment", type=click.Path(path_type=Path))
@click.option("--figure", "figures", type=click.Choice(FIGURES), multiple=True, help="Only this; may be repeated.")
@click.option("--format", "formats", type=click.Choice(FIGURE_FORMATS), multiple=True, help="Only in this format.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Where to write; by default `plots/` of the session.",
)
@_MOVIES
@_SESSION
def plot(
    experiment: Path,
    figures: tuple[str, ...],
    formats: tuple[str, ...],
    out: Path | None,
    movies: list[int] | None,
    session: str | None,
) -> None:
    """Draw figures of where EXPERIMENT's animals were, as PNG and SVG.

    \b
    trails      the way of each animal over the background
    presence    who is placed when, and how sure
    activity    distances walked, and where animals spend their time
    contacts    time alone and in groups, and who is with whom
    """  # noqa: D301
    from antrax.cli.console import ConsoleReporter
    from antrax.io.session import open_session
    from antrax.plots.run import plot_positions

    reporter = ConsoleReporter()
    written = plot_positions(
        open_session(experiment, session),
        movies,
        folder=out,
        figures=figures or FIGURES,
        formats=formats or FIGURE_FORMATS,
        reporter=reporter,
    )
    for path in written:
        reporter.say(f"written: {path}")


@cli.command(context_settings=_CONTEXT)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="As JSON, for scripts.")
def info(file: Path, as_json: bool) -> None:
    """Show what the classifier in FILE is: its labels, its network, how it was trained and how good it is.

    FILE is a classifier that antrax or anTraX wrote.
    """
    from antrax.cli.info import describe_classifier

    description = describe_classifier(file)
    if as_json:
        import json

        click.echo(json.dumps(description, indent=1))
        return
    from antrax.cli.console import show_classifier

    show_classifier(_output(), description)


@cli.command("merge-trainset", context_settings=_CONTEXT)
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.argument("dest", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Change nothing, only show what would be done.")
def merge_trainset(sources: tuple[Path, ...], dest: Path, dry_run: bool) -> None:
    """Add all examples of the SOURCES to DEST.

    Each is a folder that holds `examples/`, or an experiment. An image that is there already is skipped; another
    image of the same name is kept under a new name.
    """
    from antrax.cli.console import ConsoleReporter, show_merge
    from antrax.training.merging import merge_trainsets

    reporter = ConsoleReporter()
    result = merge_trainsets(sources, dest, dry_run=dry_run, reporter=reporter)
    for problem in result.corrupt:
        reporter.warn(f"{problem}; left out")
    if result.only_source:
        reporter.warn(
            f"labels that only the sources had: {', '.join(result.only_source)}; check that they mean the same animals"
        )
    if result.only_destination:
        reporter.warn(f"labels that only the destination has: {', '.join(result.only_destination)}")
    show_merge(_output(), result, dry_run)


@cli.command(context_settings=_CONTEXT)
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--colony", is_flag=True, help="A colony in an arena, with a tracklet graph and everybody's positions.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed, another experiment.")
@click.option("--movies", type=click.IntRange(1, 1000), default=4, show_default=True, help="Number of movies.")
@click.option("--tracklets", type=click.IntRange(1, 100_000), help="Tracklets in each movie.  [default: 100]")
@click.option("--max-frames", type=click.IntRange(1, 100_000), help="Longest tracklet.  [default: 600]")
@click.option("--image-size", type=click.IntRange(24, 256), help="Size of the blob images, in pixels.  [default: 48]")
@click.option("--animals", type=int, help="With --colony: animals in each colony, 1 to 100.  [default: 16]")
@click.option("--colonies", type=int, help="With --colony: number of colonies.  [default: 1]")
@click.option("--density", type=float, help="With --colony: animals for each cm² of arena.  [default: 0.5]")
@click.option("--frames", type=int, help="With --colony: frames of each movie.  [default: 1000]")
@click.option("--nest", type=float, help="With --colony: share of their time in the nest.  [default: 0.75]")
@click.option("--open-arena", is_flag=True, help="With --colony: animals leave the arena and come back.")
@click.option("--deaths", type=int, help="With --colony: animals of each colony that die.  [default: 0]")
@click.option("--unreadable", type=float, help="With --colony: share of tracklets with hidden tags.  [default: 0.06]")
@click.option("--losses", type=float, help="With --colony: how often an animal is lost, in 1,000 frames.  [default: 0]")
@click.option("--no-images", is_flag=True, help="With --colony: neither blob images nor examples; takes seconds.")
@click.option("--run", is_flag=True, help="Then the whole workflow, and compare with the truth.")
def demo(directory: Path, colony: bool, seed: int, movies: int, no_images: bool, run: bool, **options: object) -> None:
    """Make up a tracked experiment in DIRECTORY, with painted ants, labelled examples and the truth.

    Without --colony it has separate tracklets, for trying out classification. With --colony, animals walk in an arena,
    rest in a nest, meet and part; the graph of tracklets and the truth of every animal and frame are there too.
    """
    given = {name: value for name, value in options.items() if value not in (None, False)}
    foreign = _TRACKLETS_ONLY & given.keys() if colony else given.keys() - _TRACKLETS_ONLY
    if foreign or (no_images and not colony):
        names = ", ".join(f"--{name.replace('_', '-')}" for name in (*sorted(foreign), *(["no_images"] * no_images)))
        raise click.UsageError(f"{names}: {'not' if colony else 'only'} with --colony")
    if run and no_images:
        raise click.UsageError("--run needs images: leave out --no-images")
    made = _make_demo(directory, colony, seed, movies, not no_images, given)
    from antrax.cli.console import ConsoleReporter

    reporter = ConsoleReporter()
    reporter.say(
        f"{made.tracklets:,} tracklets, {made.images:,} images, {made.examples:,} labelled examples in {made.directory}"
    )
    if not run:
        if not no_images:
            reporter.say(f"now type: antrax train {directory}, then antrax classify {directory}")
        return
    from antrax.cli.console import show_evaluation, show_report
    from antrax.demo.walkthrough import walk_through

    walk = walk_through(made, reporter)
    console = _output()
    if walk.training.evaluation:
        show_evaluation(console, walk.training.evaluation)
    show_report(console, walk.report)
    _show_accuracy(walk.accuracy)
    reporter.say(f"training record, with pictures: {walk.training.record}")


_TRACKLETS_ONLY = {"tracklets", "max_frames", "image_size"}


def _make_demo(
    directory: Path, colony: bool, seed: int, movies: int, images: bool, options: dict[str, Any]
) -> DemoExperiment:
    from antrax.cli.console import ConsoleReporter
    from antrax.demo import ColonyOptions, generate_colony, generate_experiment

    chosen = ColonyOptions(seed=seed, movies=movies, **options) if colony else None
    if chosen and not images:
        return generate_colony(directory, chosen, images=False)
    if not chosen and movies < 2:
        raise click.UsageError("--movies: 2 or more; the first half gives examples, the second is for testing")
    with ConsoleReporter().bar("painting ants", None, "tracklets") as update:

        def progress(done: int, total: int) -> None:
            update(done, total=total)

        if chosen:
            return generate_colony(directory, chosen, progress=progress)
        return generate_experiment(directory, seed=seed, movies=movies, progress=progress, **options)


def _show_accuracy(accuracy: Accuracy) -> None:
    click.echo(
        f"Against the truth, on {accuracy.tracklets} tracklets of movies without any example:\n"
        f"  animals with a recognisable ID: {accuracy.assigned} of {accuracy.identifiable} got an ID, "
        f"{accuracy.wrong} of these a wrong one\n"
        f"  everything else (dirt, several animals, hidden tags): {accuracy.false_ids} of {accuracy.others} got an ID"
    )


def _output() -> Console:
    from rich.console import Console

    console = Console(highlight=False)
    # a log file has no width; tables are then as wide as they need to be
    return console if console.is_terminal else Console(highlight=False, width=160)


def _complain(message: str) -> None:
    """One line on standard error, red on a terminal."""
    click.secho("error: ", fg="red", bold=True, nl=False, err=True)
    click.echo(printable(" ".join(message.split())), err=True)


def main(arguments: list[str] | None = None) -> None:
    """Entry point: exit status 0 when done, 1 on an error, 2 on wrong usage, 130 on Ctrl-C."""
    try:
        code = cli.main(arguments, standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.UsageError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("\nstopped; nothing is lost, the same command starts again", err=True)
        sys.exit(130)
    except (AntraxError, MemoryError, OSError) as error:
        _complain(str(error) or type(error).__name__)
        sys.exit(1)
    except Exception as error:
        _complain(explain_mistake(error))
        sys.exit(1)
