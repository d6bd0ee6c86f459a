"""`antrax demo`: a made-up experiment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from antrax.cli.params import CONTEXT
from antrax.cli.streams import output
from antrax.defaults import DEMO_MOVIES

if TYPE_CHECKING:
    from antrax.demo.experiment import DemoExperiment
    from antrax.demo.walkthrough import Accuracy, SolvedColony


@click.command("demo", context_settings=CONTEXT)
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--colony", is_flag=True, help="A colony in an arena, with a tracklet graph and everybody's positions.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed, another experiment.")
@click.option(
    "--movies", type=click.IntRange(1, 1000), default=DEMO_MOVIES, show_default=True, help="Number of movies."
)
@click.option("--tracklets", type=click.IntRange(1, 100_000), help="Tracklets in each movie.  [default: 100]")
@click.option("--max-frames", type=click.IntRange(1, 100_000), help="Longest tracklet.  [default: 600]")
@click.option("--image-size", type=click.IntRange(24, 256), help="Size of the blob images, in pixels.  [default: 48]")
@click.option("--unlabelled", is_flag=True, help="As it is right after tracking: without examples and labels.csv.")
@click.option("--animals", type=int, help="With --colony: animals in each colony, 1 to 100.  [default: 16]")
@click.option("--colonies", type=int, help="With --colony: number of colonies.  [default: 1]")
@click.option("--density", type=float, help="With --colony: animals for each cm² of arena.  [default: 0.5]")
@click.option("--frames", type=int, help="With --colony: frames of each movie.  [default: 1000]")
@click.option("--nest", type=float, help="With --colony: share of their time in the nest.  [default: 0.75]")
@click.option("--open-arena", is_flag=True, help="With --colony: animals leave the arena and come back.")
@click.option("--deaths", type=int, help="With --colony: animals of each colony that die.  [default: 0]")
@click.option("--unreadable", type=float, help="With --colony: share of tracklets with hidden tags.  [default: 0.06]")
@click.option("--losses", type=float, help="With --colony: how often an animal is lost, in 1,000 frames.  [default: 0]")
@click.option(
    "--wrong-links", type=float, help="With --colony: share of links that the tracker draws wrong.  [default: 0]"
)
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
    if run and "unlabelled" in given:
        raise click.UsageError("--run needs examples: leave out --unlabelled")
    if run and no_images:
        raise click.UsageError("--run needs images: leave out --no-images")
    made = _make_demo(directory, colony, seed, movies, not no_images, given)
    from antrax.cli.console import ConsoleReporter

    reporter = ConsoleReporter()
    reporter.say(
        f"{made.tracklets:,} tracklets, {made.images:,} images, {made.examples:,} labelled examples in {made.directory}"
    )
    if not run:
        if "unlabelled" in given:
            reporter.say(
                f"now type: antrax extract-trainset {directory}; the labels are in {made.directory / 'truth.csv'}"
            )
        elif not no_images:
            more = f", then antrax solve {directory}" if colony else ""
            reporter.say(f"now type: antrax train {directory}, then antrax classify {directory}{more}")
        return
    from antrax.cli.console import show_evaluation, show_report
    from antrax.demo.walkthrough import walk_through

    walk = walk_through(made, reporter)
    console = output()
    if walk.training.evaluation:
        show_evaluation(console, walk.training.evaluation)
    show_report(console, walk.report)
    _show_accuracy(walk.accuracy)
    if walk.solved:
        _show_positions(walk.solved)
    reporter.say(f"training record, with pictures: {walk.training.record}")


_TRACKLETS_ONLY = {"tracklets", "max_frames", "image_size", "unlabelled"}


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
        labelled = not options.get("unlabelled", False)
        options = {name: value for name, value in options.items() if name != "unlabelled"}
        return generate_experiment(directory, seed=seed, movies=movies, labelled=labelled, progress=progress, **options)


def _show_accuracy(accuracy: Accuracy) -> None:
    click.echo(
        f"Against the truth, on {accuracy.tracklets} tracklets of movies without any example:\n"
        f"  animals with a recognisable ID: {accuracy.assigned} of {accuracy.identifiable} got an ID, "
        f"{accuracy.wrong} of these a wrong one\n"
        f"  everything else (dirt, several animals, hidden tags): {accuracy.false_ids} of {accuracy.others} got an ID"
    )


def _show_positions(solved: SolvedColony) -> None:
    found = solved.accuracy
    click.echo(
        f"Positions against the truth, of {found.cells:,} pairs of an animal and a frame:\n"
        f"  placed: {found.placed:,} ({found.placed / max(1, found.cells):.1%}), {found.wrong:,} of these wrong "
        f"({found.wrong / max(1, found.placed):.2%}; expected: {solved.expected_error:.2%})\n"
        f"  figures: {solved.figures}"
    )
