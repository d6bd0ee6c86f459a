"""Output of the command line: colour and bars on a terminal, plain lines in a log file."""

from __future__ import annotations

import contextlib
import math
import textwrap
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape as escape_markup
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from antrax.classification.movie import ranges
from antrax.classification.report import OUTCOMES, ClassifyResult
from antrax.escapes import printable
from antrax.messages import with_command_line_options
from antrax.progress import Reporter, Update
from antrax.solving.report import SolveReport
from antrax.solving.solution import common_label
from antrax.stalls import StallWatch, watched
from antrax.training.evaluation import Evaluation
from antrax.training.merging import MergeResult

_PLAIN_EVERY_S = 20.0
_WORST_LABELS = 6
_WIDTH, _MARGIN = 80, 16
_FEWEST = 3
_KINDS = {"ant": "IDs", "nonant": "non-ant", "multi": "several", "unknown": "unknown"}


def escape(text: str) -> str:
    """Escape a text from outside for a line of the console: no markup, no control characters."""
    return escape_markup(printable(text))


class ConsoleReporter(Reporter):
    """Draws on standard error, so that results on standard output can be redirected alone."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._progress: Progress | None = None

    def say(self, message: str) -> None:
        """Print a line."""
        self.console.print(escape(with_command_line_options(message)))

    def warn(self, message: str) -> None:
        """Print a line that starts with a yellow `warning:`."""
        self.console.print(f"[yellow]warning:[/] {escape(with_command_line_options(message))}")

    @contextlib.contextmanager
    def bar(self, title: str, total: int | None, unit: str) -> Iterator[Update]:
        """Draw a bar on a terminal; write lines now and then elsewhere. Tells where the work stands still."""
        shown = self._drawn_bar if self.console.is_terminal else self._plain_lines
        with shown(title, total, unit) as show, watched(StallWatch(title, self.warn)) as watch:

            def update(done: int, note: str = "", total: int | None = None) -> None:
                watch.went_on()
                show(done, note, total)

            yield update

    @contextlib.contextmanager
    def _drawn_bar(self, title: str, total: int | None, unit: str) -> Iterator[Update]:
        columns = [
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.percentage:>3.0f}%"),
            _RateColumn(unit),
            TimeElapsedColumn(),
            _Left(),
            TextColumn("{task.fields[note]}", style="dim"),
        ]
        with Progress(*columns, console=self.console, refresh_per_second=8, speed_estimate_period=10) as progress:
            task = progress.add_task(title, total=total, note="")

            def update(done: int, note: str = "", total: int | None = None) -> None:
                progress.update(task, total=total, completed=done, note=escape(note))  # a total of None changes nothing

            yield update

    @contextlib.contextmanager
    def _plain_lines(self, title: str, total: int | None, unit: str) -> Iterator[Update]:
        started = said = time.monotonic()
        last = (0, "", total)
        # the first step may go on from what a run that was stopped has done, which says nothing about the rate
        first: tuple[int, float] | None = None

        def line() -> str:
            done, note, whole = last
            seconds = time.monotonic() - started
            share = f" {done / whole:.0%}," if whole else ""
            before, since = first if first and first[0] < done else (0, started)
            rate = (done - before) / max(time.monotonic() - since, 1e-9)
            speed = "" if unit == "B" else f" {done:,} {unit}, {rate:,.0f}/s,"
            return f"{title}:{share}{speed} {seconds:.0f} s{f', {note}' if note else ''}"

        def update(done: int, note: str = "", total: int | None = None) -> None:
            nonlocal said, last, first
            first = first or (done, time.monotonic())
            last = (done, note, total if total is not None else last[2])
            if time.monotonic() - said > _PLAIN_EVERY_S:
                self.say(line())
                said = time.monotonic()

        self.say(f"{title} …")
        yield update
        self.say(line())


class _RateColumn(ProgressColumn):
    """Units a second; nothing for bytes, whose bars note the rate that matters themselves."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        if self._unit == "B" or not task.speed:
            return Text("")
        return Text(f"{task.speed:,.0f} {self._unit}/s", style="cyan")


class _Left(ProgressColumn):
    """Time left."""

    def render(self, task: Task) -> Text:
        left = task.time_remaining
        return Text("" if left is None else f"{timedelta(seconds=round(left))} left", style="cyan")


def show_evaluation(console: Console, evaluation: Evaluation) -> None:
    """A short table of the labels that are worst, and what they are confused with."""
    rows = [f for f in evaluation.by_label() if f.images][:_WORST_LABELS]
    total = int(evaluation.tracklets.sum())
    console.print(
        f"Held out: {total} tracklets that the network never saw, {evaluation.image_accuracy:.1%} of their images "
        "right. The weakest labels:"
    )
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("label", "tracklets", "images", "right"):
        table.add_column(column, justify="left" if column == "label" else "right")
    table.add_column("most often taken for")
    for figures in rows:
        confused = f"{figures.confused_with} ({figures.confused_share:.0%})" if figures.confused_with else "-"
        table.add_row(figures.label, str(figures.tracklets), f"{figures.images:,}", f"{figures.accuracy:.1%}", confused)
    console.print(table)


def show_report(console: Console, report: ClassifyResult) -> None:
    """Tracklets and images of every experiment by outcome, time and rate; fits 80 columns."""
    columns = [*OUTCOMES.values(), "all"]
    console.print("[bold]" + " " * 11 + "".join(f"{column:>13}" for column in columns), soft_wrap=True)
    for experiment in report.experiments:
        name = experiment.path.name + (f" / {experiment.session.name}" if experiment.session else "")
        movies = f"{len(experiment.movies)} movie{'' if len(experiment.movies) == 1 else 's'}"
        failed = f", [red]{len(experiment.failures)} failed[/]" if experiment.failures else ""
        speed = experiment.images.total() / max(experiment.seconds, 1e-9)
        rate = f", {experiment.seconds:.1f} s, {speed:,.0f} images/s"
        console.print(f"[bold]{escape(name)}[/]: {movies}{failed}{rate}", soft_wrap=True)
        for what, counts in (("tracklets", experiment.tracklets), ("images", experiment.images)):
            cells = [f"{counts[o]:,} {counts[o] / max(counts.total(), 1):4.0%}" for o in OUTCOMES.values()]
            line = "".join(f"{cell:>13}" for cell in (*cells, f"{counts.total():,}"))
            console.print(f"  {what:<9}{line}", soft_wrap=True)
    images = sum(experiment.images.total() for experiment in report.experiments)
    rate = f"{images / max(report.seconds, 1e-9):,.0f} images/s"
    engine = f" ({report.engine})" if report.engine else ""
    console.print(f"{images:,} images in {report.seconds:.1f} s, {rate} on {report.device}{engine}")
    for experiment in report.experiments:
        if experiment.session and experiment.movies:
            folder = escape(str(experiment.session.labels_dir))
            console.print(f"results of {escape(experiment.path.name)}: {folder}", soft_wrap=True)


_MOST_CONTRADICTIONS = 10


def show_solutions(console: Console, report: SolveReport) -> None:
    """Share of cells placed, expected error, and the labels that contradict the rest, of every experiment."""
    for experiment in report.experiments:
        name = experiment.path.name + (f" / {experiment.session.name}" if experiment.session else "")
        movies = f"{len(experiment.movies)} movie{'' if len(experiment.movies) == 1 else 's'}"
        failed = f", [red]{len(experiment.failures)} failed[/]" if experiment.failures else ""
        console.print(f"[bold]{escape(name)}[/]: {movies}{failed}, {experiment.seconds:.1f} s", soft_wrap=True)
        if experiment.session is None or not experiment.movies:
            continue
        wrong = ""
        if math.isfinite(experiment.expected_error):
            wrong = f", of these {experiment.expected_error:.2%} wrong, by estimate"
        console.print(f"  placed in {experiment.coverage:.1%} of all cells (ID × frame){wrong}", soft_wrap=True)
        contradictions = experiment.contradictions
        if contradictions:
            common = common_label(contradictions)
            plural = "s contradict" if len(contradictions) > 1 else " contradicts"
            text = f"  {len(contradictions)} label{plural} the rest" + (f" ({common})" if common else "")
            console.print(escape(text) + ", the worst first:", soft_wrap=True)
            for one in contradictions[:_MOST_CONTRADICTIONS]:
                instead = f"; placed there: {one.placed}" if one.placed else ""
                console.print(f"    {escape(one.tracklet)} is labelled {escape(one.label + instead)}", soft_wrap=True)
            if (more := len(contradictions) - _MOST_CONTRADICTIONS) > 0:
                console.print(f"    and {more} more", soft_wrap=True)
        console.print(f"  results: {escape(str(experiment.session.layout.positions))}, antdata", soft_wrap=True)


def show_merge(console: Console, result: MergeResult, dry_run: bool) -> None:
    """Print the result of a merge: images added by label.

    Parameters
    ----------
    console : Console
        Where it is printed.
    result : MergeResult
        What was added.
    dry_run : bool
        Whether nothing was changed.
    """
    total = sum(result.added.values())
    verb = "would be added" if dry_run else "added"
    console.print(f"{total:,} {'image' if total == 1 else 'images'} {verb} to {escape(str(result.destination))}")
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("label")
    table.add_column(verb, justify="right")
    for label, count in sorted(result.added.items()):
        table.add_row(escape(label), f"{count:,}")
    console.print(table)
    console.print(
        f"{result.present:,} were there already; {result.renamed:,} of the added ones got another name, because theirs "
        f"was taken by another image; {len(result.corrupt):,} left out as damaged"
    )


def show_classifier(console: Console, description: Mapping[str, Any]) -> None:
    """What `antrax.info.describe_classifier` gives, in lines of at most 80 letters (but for a long path)."""
    labels = description["labels"]
    console.print(printable(description["file"]), markup=False, soft_wrap=True)
    lines = [("written by", _author(description)), ("size", f"{description['bytes'] / 1e6:,.1f} MB")]
    for kind, title in _KINDS.items():
        if labels[kind]:
            lines.append((f"{title} ({len(labels[kind])})", ", ".join(labels[kind])))
    if labels["cut"] and any(len(label.encode()) >= 9 for kind in _KINDS for label in labels[kind]):
        lines.append(("", "Labels of ten letters may be the beginning of longer ones: labels.csv tells."))
    lines += [("network", _network(description))]
    lines += [("" if row else "colours", text) for row, text in enumerate(_colours(description["colours"]))]
    lines += [("images", _pictures(description["images"]))]
    lines += [("" if row else "training", text) for row, text in enumerate(_training(description["training"]))]
    if description["poor"]:
        lines.append(("", "Poor, as its training found: check the IDs that it gives, train it longer,"))
        lines.append(("", "and look for examples under wrong labels."))
    lines += [("held out", _held_out(description)), ("calibration", _calibration(description["calibration"]))]
    lines.append(("digest", description["digest"]))
    _print_facts(console, lines)


def show_experiment(console: Console, description: Mapping[str, Any]) -> None:
    """What `describe_experiment` gives, in lines of at most 80 letters (but for a long path)."""
    console.print(printable(description["experiment"]), markup=False, soft_wrap=True)
    others = [name for name in description["sessions"] if name != description["session"]]
    lines = [("session", description["session"] + (f" (others: {', '.join(others)})" if others else ""))]
    tracked, movies = description["tracked"], description["movies"]
    without = [movie for movie in movies or [] if movie not in tracked]
    lines.append(("movies", ranges(movies) if movies else "no table of movies"))
    lines.append(("image stacks", f"{_movies(tracked)}, {description['stack_bytes'] / 1e6:,.1f} MB"))
    if without:
        lines.append(("", f"none of {ranges(without)}: not tracked, or nothing single in them"))
    labels = description["labels"]
    if labels is None:
        lines.append(("labels", "none"))
    else:
        lines += [
            (f"{title} ({len(labels[kind])})", ", ".join(labels[kind]))
            for kind, title in _KINDS.items()
            if labels[kind]
        ]
    lines.append(("examples", _examples(description["examples"], labels)))
    names = [f"{found['name']} ({found['time'][:16].replace('T', ' ')})" for found in description["classifiers"]]
    lines.append(("classifiers", ", ".join(names) or "none"))
    lines.append(("classified", _movies(description["classified"])))
    if description["with_graph"] or description["solved"]:
        lines.append(("positions", _movies(description["solved"])))
    lines += [("problem", problem) for problem in description["problems"]]
    lines.append(("next", description["next"]))
    _print_facts(console, lines)


def _movies(numbers: Sequence[int]) -> str:
    return f"movies {ranges(numbers)}" if numbers else "none"


def _examples(counts: Mapping[str, int], labels: Mapping[str, Sequence[str]] | None) -> str:
    if not counts:
        return "none"
    text = f"{sum(counts.values()):,} images of {len(counts)} labels"
    fewest = sorted(counts, key=lambda label: (counts[label], label))[:_FEWEST]
    text += f"; fewest: {', '.join(f'{label} {counts[label]:,}' for label in fewest)}"
    listed = [label for group in (labels or {}).values() for label in group]
    if absent := [label for label in listed if label not in counts]:
        text += f"; none of: {', '.join(absent)}"
    return text


def _print_facts(console: Console, lines: Iterable[tuple[str, str]]) -> None:
    width = min(_WIDTH, console.width) if console.is_terminal else _WIDTH
    for title, text in lines:
        for line in textwrap.wrap(
            printable(text),
            max(width, 2 * _MARGIN),
            initial_indent=f"  {title:<{_MARGIN - 2}}",
            subsequent_indent=" " * _MARGIN,
            break_on_hyphens=False,
            break_long_words=False,
        ):
            console.print(line, markup=False, soft_wrap=True)


def _author(description: Mapping[str, Any]) -> str:
    author = description["written_by"]
    if author["program"] == "anTraX":
        return f"anTraX, with Keras {author['keras'] or 'of unknown version'}"
    return f"antrax {author['version'] or ''}".strip()


def _network(description: Mapping[str, Any]) -> str:
    network = description["architecture"]
    layers = ", ".join(f"{count}×{kind}" for kind, count in network["layers"].items())
    work = f"{network['parameters']:,} parameters, {network['multiplications']:,} multiplications an image"
    return f"{network['name']}: {work}; {layers}"


def _colours(colours: Mapping[str, Any] | None) -> list[str]:
    if not colours:
        return []
    places = "; ".join(" ".join(colors) for colors in colours["places"])
    lines = [f"of {len(colours['places'])} tags are scored, which {colours['ids']} IDs share: {places}"]
    if names := ", ".join(colours["without_examples"]):
        must = (
            f"need a confidence of {colours['threshold']:.3f}"
            if colours["threshold"] is not None
            else "are not given yet, for too few examples tell how sure is sure enough"
        )
        lines.append(f"without examples, known by their colours: {names}; these {must}")
    return lines


def _pictures(images: Mapping[str, Any]) -> str:
    colour = "colour" if images["channels"] == 3 else "grey"
    text = f"{images['size']} x {images['size']} pixels, {colour}, {images['background']} background"
    if images["prepared_as"] == "anTraX":
        crop = f"cut to the {images['crop_size']} pixels in the middle, " if images["crop_size"] else ""
        scale = f", {images['scale']} times and cut" if images["scale"] != 1 else ""
        text += f", {crop}resized as anTraX does{scale}"
    return f"{text}{', mirrored left to right too' if images['hsymmetry'] else ''}"


def _training(training: Mapping[str, Any] | None) -> list[str]:
    if not training:
        return ["by anTraX, which notes nothing about it"]

    def told(key: str, form: str) -> list[str]:
        return [] if training[key] is None else [form.format(training[key])]

    when = [
        *told("time", "{}"),
        *told("epochs", "{} epoch(s)"),
        *told("seconds", "{:,.0f} s"),
        *told("device", "on {}"),
    ]
    what = [*told("images", "{:,} images"), *told("tracklets", "of {:,} tracklets")]
    what = [" ".join(what)] if what else []
    what += told("held_out_tracklets", "{:,} of these held out")
    how = told("trained_on", "trained on from {}") + told("modelfile", "network from {}")
    how += ["from weights pre-trained on ImageNet"] if training["pretrained"] else []
    return [", ".join(part) for part in (when, what, how) if part]


def _held_out(description: Mapping[str, Any]) -> str:
    found = description["held_out"]
    if not found:
        return "nothing was measured"
    shares = [
        f"{found[f'{what}_accuracy']:.1%} of {what}s right"
        for what in ("image", "tracklet")
        if found[f"{what}_accuracy"] is not None
    ]
    calibration = description["calibration"]
    told = ""
    if calibration and not calibration["independent"]:
        nameless = (description["training"] or {}).get("images_without_tracklet")
        count = f"of {nameless:,} images " if nameless else ""
        told = f"; names {count}tell no tracklet, so these figures may be far too good"
    return f"{found['tracklets'] or 'some'} tracklets: {', '.join(shares)}{told}"


def _calibration(found: Mapping[str, Any] | None) -> str:
    if not found or not found["sufficient"]:
        had = ""
        if found and not found["independent"]:
            had = " (it may have seen the held-out tracklets, for names of images told no tracklet)"
        elif found:
            had = f" ({found['with_id']} held-out tracklets with an ID; {found['needed']} are needed)"
        return f"none{had}: a fixed cautious rule decides, and --max-error has no effect"
    return (
        f"on {found['with_id']} held-out tracklets with an ID; --max-error {found['max_error']} asks for a confidence "
        f"of {found['threshold']:.3f}, which {found['above_threshold']} of them have"
    )
