"""The folder of a job that was submitted to a cluster: its script, its tasks and their outcomes."""

from __future__ import annotations

import contextlib
import json
import shlex
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from antrax.cluster.options import HpcOptions
from antrax.cluster.script import Script, render
from antrax.errors import ClusterError, OutputError
from antrax.io.atomic import make_folder, write_atomically
from antrax.io.layout import ClusterLayout
from antrax.io.regular_files import read_regular
from antrax.io.runs import NO_SENSE

_LARGEST_RECORD = 64 * 2**20
_LARGEST_LOG_READ = 64 * 2**10
# How long after a task's last line it is taken to be at work, where nothing else tells.
_QUIET_SECONDS = 600.0


@dataclass(frozen=True)
class Task:
    """A task of a job, by the files that it has left.

    Parameters
    ----------
    number : int
    movies : tuple of int
    log : Path or None
        What it printed; None where it has not begun.
    changed : float
        When the log last changed, in seconds since 1970.
    exit : int or None
        Its exit status; None where it has not ended by itself.
    """

    number: int
    movies: tuple[int, ...]
    log: Path | None = None
    changed: float = 0.0
    exit: int | None = None

    def may_run(self) -> bool:
        """Whether it may be at work: it has begun, not ended, and its log is not silent for long."""
        return self.log is not None and self.exit is None and time.time() - self.changed < _QUIET_SECONDS


@dataclass(frozen=True)
class ClusterJob:
    """A job that was given to a cluster.

    Parameters
    ----------
    folder : Path
    command : str
        classify, solve or train.
    number : str or None
        What the cluster calls it; None where it was not submitted, as far as is known.
    at : float
        When its script was written, in seconds since 1970.
    tasks : tuple of Task
    """

    folder: Path
    command: str
    number: str | None
    at: float
    tasks: tuple[Task, ...] = field(default=())

    @property
    def is_over(self) -> bool:
        """Whether every task has ended, by itself or, as its silent log tells, because it was killed."""
        return all(task.log is not None and not task.may_run() for task in self.tasks)


def new_folder(layout: ClusterLayout, command: str, within: Path) -> Path:
    """A new folder for a job.

    Parameters
    ----------
    layout : ClusterLayout
    command : str
        classify, solve or train.
    within : Path
        A folder above it that must be there.

    Raises
    ------
    OutputError
        It cannot be made.
    """
    name = f"{command}_{datetime.now():%Y%m%d-%H%M%S}"
    make_folder(layout.path, within=within)
    for number in range(1, 1000):
        folder = layout.path / (name if number == 1 else f"{name}~{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        except OSError as error:
            raise OutputError(f"{folder} cannot be created: {error.strerror or error}") from error
        return folder
    raise OutputError(f"{layout.path} has too many jobs of the same time")


def write_job(script: Script, options: HpcOptions, command: str, movies: Sequence[Sequence[int]]) -> None:
    """Write a job's script and its record.

    Parameters
    ----------
    script : Script
    options : HpcOptions
    command : str
        classify, solve or train.
    movies : sequence of sequence of int
        Movies of each task.

    Raises
    ------
    ClusterError, OutputError
    """
    written = f"Written by antrax {version('antrax')} on {datetime.now():%Y-%m-%d %H:%M}."
    write_atomically(script.path, render(script, options, written))
    _write_record(ClusterJob(script.path.parent, command, None, time.time(), _tasks(movies)))


def submit(script: Path) -> str:
    """Submit a script by sbatch, and record the number of the job.

    Parameters
    ----------
    script : Path
        Of `write_job`.

    Returns
    -------
    str
        The number of the job.

    Raises
    ------
    ClusterError
        This machine has no sbatch, or it refuses. The script is there all the same.
    """
    by_hand = f"submit it yourself: sbatch {shlex.quote(str(script))}"
    if shutil.which("sbatch") is None:
        raise ClusterError(
            f"{script} was written, but this machine has no sbatch: on one that gives jobs to SLURM, {by_hand}"
        )
    done = subprocess.run(
        ["sbatch", "--parsable", str(script)], capture_output=True, text=True, errors="replace", check=False
    )
    # with --parsable, the number of the job, and the name of the cluster where there are several
    lines = done.stdout.split()
    number = lines[-1].partition(";")[0] if lines else ""
    if done.returncode or not number.isdigit():
        why = " ".join(f"{done.stderr} {done.stdout}".split()) or f"exit status {done.returncode}"
        raise ClusterError(f"{script} was written, but sbatch refused it ({why}): change the script, then {by_hand}")
    if job := read_job(script.parent):
        with contextlib.suppress(OutputError):  # the job is under way, whatever is noted of it
            _write_record(replace(job, number=number))
    return number


def read_jobs(layout: ClusterLayout, command: str) -> list[ClusterJob]:
    """The jobs of a command, the latest last; folders that hold none are left out.

    Parameters
    ----------
    layout : ClusterLayout
    command : str
        classify, solve or train.
    """
    return [job for folder in layout.jobs(command) if (job := read_job(folder))]


def read_job(folder: Path) -> ClusterJob | None:
    """The job of a folder; None where the folder holds none that can be read."""
    try:
        values = json.loads(read_regular(ClusterLayout.record(folder), _LARGEST_RECORD))
        number = values["number"]
        job = ClusterJob(
            folder,
            str(values["command"]),
            None if number is None else str(number),
            float(values["at"]),
            _tasks([list(map(int, movies)) for movies in values["tasks"]]),
        )
        tasks = _with_files(folder, job.tasks)
        # a script may have been submitted by hand, or again
        numbers = [_job_of(task.log) for task in tasks if task.log] + ([int(job.number)] if job.number else [])
        return replace(job, number=str(max(numbers)) if numbers else None, tasks=tasks)
    except (OSError, *NO_SENSE):
        return None


def last_error(log: Path) -> str:
    """Error in a log: its last error message, or its last line.

    Parameters
    ----------
    log : Path
    """
    try:
        with log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _LARGEST_LOG_READ))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError as error:
        return f"its log cannot be read: {error.strerror or error}"
    lines = [" ".join(line.split()) for line in lines if line.strip()]
    errors = [line for line in lines if line.startswith("error: ") or "error: ***" in line]
    if not lines:
        return "it printed nothing"
    # SLURM says why it ended a task in the last lines
    last = (errors or lines)[-1]
    return last.removeprefix("error: ").removeprefix("slurmstepd: error: ").strip("* ")


def _tasks(movies: Sequence[Sequence[int]]) -> tuple[Task, ...]:
    return tuple(Task(number, tuple(of_task)) for number, of_task in enumerate(movies, 1))


def _with_files(folder: Path, tasks: Sequence[Task]) -> tuple[Task, ...]:
    """Tasks with their logs and exit statuses: those of the last submission, where a script was submitted again."""
    logs: dict[int, Path] = {}
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        if (found := ClusterLayout.task_file(path.name)) and found[2] == "log":
            before = logs.get(found[1])
            if before is None or _job_of(path) > _job_of(before):
                logs[found[1]] = path
    return tuple(_with_log(task, logs[task.number]) if task.number in logs else task for task in tasks)


def _job_of(log: Path) -> int:
    found = ClusterLayout.task_file(log.name)
    return int(found[0]) if found else 0


def _with_log(task: Task, log: Path) -> Task:
    code = None
    with contextlib.suppress(OSError, ValueError):
        code = int(read_regular(log.with_suffix(".exit"), 100))
    try:
        changed = log.stat().st_mtime
    except OSError:
        changed = 0.0
    return replace(task, log=log, changed=changed, exit=code)


def _write_record(job: ClusterJob) -> None:
    values: Mapping[str, object] = {
        "command": job.command,
        "number": job.number,
        "at": job.at,
        "tasks": [task.movies for task in job.tasks],
    }
    write_atomically(ClusterLayout.record(job.folder), json.dumps(values, indent=1) + "\n")
