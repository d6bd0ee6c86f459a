"""The text of a script for sbatch: plain, so that people can read and change it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from antrax.cluster.options import HpcOptions
from antrax.errors import ClusterError
from antrax.io.runs import LOG_VARIABLE

# Of a task where nothing else is asked for.
_MEMORY_A_CPU = "2G"
_TASK = '"$SLURM_ARRAY_TASK_ID"'


@dataclass(frozen=True)
class Script:
    """Content of a script.

    Parameters
    ----------
    path : Path
        Where it lies; the tasks' logs go beside it.
    title : str
        What it does, in a line.
    name : str
        What the cluster's lists call the job.
    command : tuple of str
        What every task runs.
    movies : tuple of str
        For each task its movies, as `--movlist` takes them; empty where one task does all.
    cpus : int
        Of a task, where `options` does not say.
    time : str
        Likewise.
    depends : str
        What sbatch is told to wait for; empty for nothing.
    """

    path: Path
    title: str
    name: str
    command: tuple[str, ...]
    movies: tuple[str, ...]
    cpus: int
    time: str
    depends: str = ""

    @property
    def tasks(self) -> int:
        """Number of tasks."""
        return max(1, len(self.movies))


def render(script: Script, options: HpcOptions, written: str) -> str:
    """The text of a script.

    Parameters
    ----------
    script : Script
    options : HpcOptions
    written : str
        Who wrote it, and when.

    Raises
    ------
    ClusterError
        The folder's name cannot stand in a script.
    """
    folder = script.path.parent
    # in the name of a log, a backslash tells sbatch to take every % as it stands
    if not all(map(str.isprintable, str(folder))) or "\\" in str(folder):
        raise ClusterError(
            f"{folder}: a name with a backslash or a line break cannot stand in a script for sbatch; rename the folder"
        )
    lines = [
        "#!/bin/bash",
        "#",
        *(f"# {line}" for line in (_printable(script.title), written)),
        "# Change what you like. It is submitted with",
        "#",
        f"#   sbatch {shlex.quote(str(script.path))}",
        "#",
        "# What the lines that begin with #SBATCH mean: man sbatch.",
        "",
        *_directives(script, options),
        "",
        "# If your cluster needs something before Python runs, write it here, such as",
        "#   module load cuda",
        "",
    ]
    command = [shlex.quote(word) for word in script.command]
    if script.movies:
        lines += ["# The movies of each task."]
        lines += [f"movies[{task}]={movies}" for task, movies in enumerate(script.movies, 1)]
        lines += [""]
        command += ["--movlist", f'"${{movies[{_TASK[1:-1]}]}}"']
    lines += [
        ': "${SLURM_ARRAY_TASK_ID:?submit this script with sbatch}"',
        f"cd {shlex.quote(str(folder))} || exit 1",
        'task="task_${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"',
        "# `antrax status` names this file where something failed.",
        f'export {LOG_VARIABLE}="$PWD/$task.log"',
        "# A task does its work itself, and submits nothing.",
        "unset ANTRAX_HPC",
        "",
        _wrapped(command),
        "",
        "# How it ended; of a task that was killed there is no such file.",
        "status=$?",
        'echo "$status" > "$task.exit"',
        'exit "$status"',
    ]
    return "\n".join(lines) + "\n"


def _directives(script: Script, options: HpcOptions) -> list[str]:
    """The lines for sbatch, each with what it is for."""
    throttle = f"%{options.throttle}" if options.throttle else ""
    at_once = f", at most {options.throttle} at the same time" if options.throttle else ""
    array = f"1-{script.tasks}" if script.tasks > 1 else "1"
    found = [
        "# Name in the lists of the cluster.",
        f"#SBATCH --job-name={re.sub(r'[^A-Za-z0-9_.-]+', '-', script.name)[:60]}",
        f"# {script.tasks} task{'s' if script.tasks > 1 else ''}{at_once}.",
        f"#SBATCH --array={array}{throttle}",
        "# For each task: time, processors, memory for each processor"
        + (", graphics processors." if options.gpus else "."),
        f"#SBATCH --time={options.time or script.time}",
        "#SBATCH --nodes=1",
        "#SBATCH --ntasks=1",
        f"#SBATCH --cpus-per-task={options.cpus or script.cpus}",
        f"#SBATCH --mem-per-cpu={options.mem_per_cpu or _MEMORY_A_CPU}",
    ]
    if options.gpus:
        found += [f"#SBATCH --gres=gpu:{options.gpus}"]
    if options.partition:
        found += ["# Where it runs.", f"#SBATCH --partition={options.partition}"]
    if options.account:
        found += ["# Who it is put down to.", f"#SBATCH --account={options.account}"]
    if options.email:
        found += ["# Who gets a letter when all is done, or something failed."]
        found += [f"#SBATCH --mail-user={options.email}", "#SBATCH --mail-type=END,FAIL"]
    if script.depends:
        found += ["# It waits for these jobs; one that can never begin is removed."]
        found += [f"#SBATCH --dependency={script.depends}", "#SBATCH --kill-on-invalid-dep=yes"]
    return [
        *found,
        "# What a task prints: task_<number of the job>_<number of the task>.log, beside this script.",
        f"#SBATCH --chdir={_quoted(script.path.parent)}",
        f'#SBATCH --output={_quoted(script.path.parent).replace("%", "%%")[:-1]}/task_%A_%a.log"',
    ]


def _quoted(path: Path) -> str:
    """A path as sbatch reads it in a script."""
    return '"' + str(path).replace('"', '\\"') + '"'


def _wrapped(words: Sequence[str]) -> str:
    """A command over several lines: an option and its value on each."""
    lines: list[str] = []
    for word in words:
        if not lines or (word.startswith("--") and "'" not in word):
            lines.append(word)
        else:
            lines[-1] += f" {word}"
    return " \\\n    ".join(lines)


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)
