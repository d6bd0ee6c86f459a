"""Output of `antrax status`: a line for each command on a session, and failures below it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape as escape_markup

from antrax.classification.movie import ranges
from antrax.cluster.status import CommandStatus, MovieState, SessionStatus, problems_of
from antrax.escapes import printable

_COLOURS = {
    MovieState.DONE: "green",
    MovieState.STALE: "yellow",
    MovieState.RUNNING: "cyan",
    MovieState.FAILED: "red",
    MovieState.QUEUED: "cyan",
    MovieState.WAITING: "default",
}
_MOST_REASONS = 10


def show_status(console: Console, found: Sequence[SessionStatus]) -> None:
    """Print how far the work on each session is.

    Parameters
    ----------
    console : Console
    found : sequence of SessionStatus
        Those that cannot be read are left out.
    """
    for one in found:
        if one.failure:
            continue
        console.print(f"[bold]{_escape(f'{one.experiment.name} / {one.session}')}[/]", soft_wrap=True)
        if not one.commands:
            console.print("  nothing is tracked: there are neither image stacks nor graphs")
        for command in one.commands:
            _show_command(console, command)
        for problem in one.problems:
            console.print(f"  [yellow]problem: {_escape(problem)}[/]", soft_wrap=True)


def _show_command(console: Console, command: CommandStatus) -> None:
    counts = {state: len(command.of(state)) for state in MovieState}
    parts = [f"[{_COLOURS[state]}]{count} {state}[/]" for state, count in counts.items() if count]
    console.print(f"  {command.command:<9}{len(command.movies)} movies: {', '.join(parts)}", soft_wrap=True)
    for state in (MovieState.FAILED, MovieState.STALE):
        problems = list(problems_of(command, state))
        for movies, first in problems[:_MOST_REASONS]:
            which = f"movie{'s' if len(movies) > 1 else ''} {ranges(movies)}"
            kept = "; it has an earlier result" if state is MovieState.FAILED and first.has_result else ""
            text = f"    {which} {state}: {first.reason}{kept}"
            console.print(f"[{_COLOURS[state]}]{_escape(text)}[/]", soft_wrap=True)
            if first.log:
                console.print(f"      log: {_escape(first.log)}", soft_wrap=True)
        if (more := len(problems) - _MOST_REASONS) > 0:
            console.print(f"    and {more} more reasons; --json lists every movie", soft_wrap=True)
    for state in (MovieState.RUNNING, MovieState.QUEUED):
        by_place: dict[str, list[int]] = {}
        for movie in command.of(state):
            by_place.setdefault(movie.where, []).append(movie.movie)
        for where, movies in list(by_place.items())[:_MOST_REASONS]:
            console.print(_escape(f"    {state}: {ranges(movies)} ({where})"), soft_wrap=True)
        if (more := len(by_place) - _MOST_REASONS) > 0:
            console.print(f"    and in {more} more places", soft_wrap=True)


def _escape(text: str) -> str:
    return escape_markup(printable(text))
