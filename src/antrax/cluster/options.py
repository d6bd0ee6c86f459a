"""Resources of each task of a cluster: `--hpc-options throttle=20,time=1:00:00,…`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from antrax.errors import OptionError


@dataclass(frozen=True)
class HpcOptions:
    """Resources to request from a cluster. None leaves the choice to the command or the cluster.

    Parameters
    ----------
    throttle : int or None
        Most tasks that run at the same time.
    max_jobs : int
        Most tasks that are submitted by one command, of all experiments together.
    array_size : int
        Most tasks of one array.
    partition, account, email, time, mem_per_cpu, gpus, after : str or None
        As sbatch takes them; `after` is the number of a job to wait for.
    cpus : int or None
        Processors of a task.
    """

    throttle: int | None = None
    partition: str | None = None
    account: str | None = None
    email: str | None = None
    cpus: int | None = None
    gpus: str | None = None
    time: str | None = None
    mem_per_cpu: str | None = None
    array_size: int = 1000
    max_jobs: int = 100
    after: str | None = None


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,7}", text) or int(text) < 1:
        raise ValueError("a number from 1 on")
    return int(text)


def _matching(pattern: str, meaning: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not re.fullmatch(pattern, text, re.ASCII):
            raise ValueError(meaning)
        return text

    return check


_NAME = _matching(r"[\w.+-]{1,100}", "a name")
# sbatch's forms: minutes, minutes:seconds, hours:minutes:seconds, and all of them after days-
_TIME = _matching(r"[0-9]{1,6}(:[0-9]{1,2}){0,2}|[0-9]{1,4}-[0-9]{1,2}(:[0-9]{1,2}){0,2}", "a time such as 2:00:00")
_KEYS: dict[str, Callable[[str], object]] = {
    "throttle": _count,
    "partition": _NAME,
    "email": _matching(r"[^\s@\"'\\,]+@[^\s@\"'\\,]+", "an address"),
    "cpus": _count,
    "gpus": _matching(r"([A-Za-z][\w.-]*:)?[0-9]{1,3}", "a number such as 1, or a kind and a number such as a100:1"),
    "time": _TIME,
    "mem-per-cpu": _matching(r"[1-9][0-9]{0,6}[KMGTkmgt]?", "memory such as 2G or 2000 (megabytes)"),
    "array-size": _count,
    "account": _NAME,
    "max-jobs": _count,
    "after": _matching(r"[0-9]{1,12}", "the number of a job"),
}


def parse_hpc_options(text: str) -> HpcOptions:
    """The options that `--hpc-options` stands for.

    Parameters
    ----------
    text : str
        `KEY=VALUE`, separated by commas.

    Returns
    -------
    HpcOptions

    Raises
    ------
    OptionError
        A key is not known, stands there twice, or has a value that cannot be.

    Examples
    --------
    >>> parse_hpc_options("throttle=20,mem-per-cpu=4G").mem_per_cpu
    '4G'
    """
    values: dict[str, object] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        key = key.replace("_", "-")
        if key not in _KEYS:
            raise OptionError(f"--hpc-options: there is no {key!r}; there are {', '.join(_KEYS)}")
        name = key.replace("-", "_")
        if name in values:
            raise OptionError(f"--hpc-options: {key} stands there twice")
        if not equals:
            raise OptionError(f"--hpc-options: {key} needs a value: {key}=…")
        try:
            values[name] = _KEYS[key](value)
        except ValueError as error:
            raise OptionError(f"--hpc-options: {key}={value}: expected {error}") from None
    return HpcOptions(**values)  # type: ignore[arg-type]
