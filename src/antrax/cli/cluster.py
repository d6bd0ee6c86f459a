"""The option `--hpc`: runs a command as jobs of a cluster."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from antrax.cli.streams import print_error, print_note
from antrax.errors import AntraxError, OptionError

HPC_VARIABLE = "ANTRAX_HPC"
"""The environment variable that makes submission to a cluster the default, as in the original."""
_FALSE = ("", "0", "false", "no", "off")
# Set by SLURM in whatever runs in one of its jobs.
_IN_JOB = "SLURM_JOB_ID"
# Options that are set for each task, and so are not copied from the command line.
_NOT_PASSED_ON = {"experiments", "classdir", "session", "movies", "missing", "classifier", "workers"}
_OWN = ("hpc", "hpc_options", "dry")

Callback = Callable[..., None]


def cluster_options(function: Callback) -> Callback:
    """Add `--hpc`, `--hpc-options` and `--dry` to a command; with the first, its work is given to a cluster.

    Parameters
    ----------
    function : callable
        The command's function.

    Returns
    -------
    callable
    """

    @click.option("--hpc", is_flag=True, help="Give the work to a cluster (SLURM): write a script and submit it.")
    @click.option(
        "--hpc-options",
        metavar="K=V,…",
        help="With --hpc: throttle, partition, email, cpus, gpus, time, mem-per-cpu, array-size, account, max-jobs, "
        "after.",
    )
    @click.option("--dry", is_flag=True, help="With --hpc: only write the script.")
    @functools.wraps(function)
    def decide(*, hpc: bool, hpc_options: str | None, dry: bool, **values: Any) -> None:
        if hpc or _by_environment():
            _give_away(click.get_current_context(), values, hpc_options or "", dry)
            return
        for option, given in (("--hpc-options", hpc_options is not None), ("--dry", dry)):
            if given:
                print_note(f"{option} has no effect: it belongs to --hpc")
        function(**values)

    return decide


def _by_environment() -> bool:
    if os.environ.get(HPC_VARIABLE, "").strip().casefold() in _FALSE:
        return False
    if os.environ.get(_IN_JOB):
        print_note(
            f"the environment variable {HPC_VARIABLE} has no effect in a job of a cluster: the work is done here"
        )
        return False
    print_note(f"the environment variable {HPC_VARIABLE} is set, and means --hpc")
    return True


def _give_away(context: click.Context, values: dict[str, Any], hpc_options: str, dry: bool) -> None:
    """Write the scripts, submit them, and say where they are."""
    from antrax.batch import check_options
    from antrax.cli.console import ConsoleReporter
    from antrax.cluster.options import parse_hpc_options
    from antrax.cluster.requests import Request, give_to_cluster, how_to_submit

    workers = values.get("workers")
    if "max_error" in values:
        check_options(values["max_error"], workers)
    try:
        options = parse_hpc_options(hpc_options)
    except OptionError as error:
        raise click.UsageError(str(error), context) from None
    command = str(context.command.name)
    path: Path = values.get("experiments") or values["classdir"]
    request = Request(
        command,
        path,
        values.get("session"),
        values.get("movies"),
        bool(values.get("missing")),
        values.get("classifier"),
        workers,
        tuple(_arguments(context)),
    )
    jobs, failures = give_to_cluster(request, options, dry=dry, reporter=ConsoleReporter())
    for job in jobs:
        movies = f" for {job.movies} movie{'s' if job.movies > 1 else ''}" if job.movies else ""
        click.echo(f"{job.tasks} task{'s' if job.tasks > 1 else ''}{movies}: {job.script}")
        if job.number:
            click.echo(f"submitted as job {job.number}; logs of its tasks are beside the script")
        elif dry:
            click.echo(f"not submitted; to do so: {how_to_submit(job)}")
    if any(job.number for job in jobs) and command != "train":
        click.echo(f"how far it is: antrax status {path}")
    for failure in failures[:-1]:
        print_error(failure)
    if failures:
        raise AntraxError(failures[-1])


def _arguments(context: click.Context) -> list[str]:
    """The options of a command line that every task gets as they are, with paths that hold in any folder."""
    words: list[str] = []
    for parameter in context.command.params:
        name = parameter.name or ""
        if not isinstance(parameter, click.Option) or not parameter.expose_value or name in {*_NOT_PASSED_ON, *_OWN}:
            continue
        if context.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            continue
        value = context.params[name]
        if parameter.is_flag:
            words.append(parameter.opts[-1] if value else parameter.secondary_opts[-1])
            continue
        words += [f"{parameter.opts[-1]}={_text(one)}" for one in (value if parameter.multiple else [value])]
    return words


def _text(value: object) -> str:
    if isinstance(value, Path):
        return str(value.expanduser().absolute())
    return "=".join(map(str, value)) if isinstance(value, tuple) else str(value)
