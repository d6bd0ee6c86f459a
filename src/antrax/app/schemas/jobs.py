"""Training, classification and grouping that run beside the page."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from antrax.app.schemas.base import Answer, NoRequest, Nothing, Request, Route, Text


class Interrupted(Answer):
    """A job that was under way when the app ended. `time`: of its start, ISO 8601."""

    kind: Literal["train", "classify", "group"]
    time: str
    options: dict[str, Any]


class JobState(Answer):
    """See `antrax.app.jobs.manager.Jobs.state`."""

    id: int
    kind: Literal["train", "classify", "group"]
    state: Literal["running", "done", "failed", "stopped"]
    title: str
    done: int
    total: int | None
    unit: str
    note: str
    fraction: float | None
    seconds: float
    seconds_left: float | None
    messages: list[str]
    error: str | None


class JobInfo(Answer):
    """The job of the session, if there was one."""

    job: JobState | None


class TrainRequest(Request):
    """Options of training; the defaults are those of the command line."""

    epochs: int | msgspec.UnsetType = msgspec.UNSET
    scratch: bool | msgspec.UnsetType = msgspec.UNSET


class ClassifyRequest(Request):
    """Options of classification; the defaults are those of the command line.

    `classifier` is the name of one in the session's folder; null for the usual one.
    """

    movies: list[int] | msgspec.UnsetType | None = msgspec.UNSET
    missing: bool | msgspec.UnsetType = msgspec.UNSET
    max_error: float | msgspec.UnsetType = msgspec.UNSET
    classifier: Text | msgspec.UnsetType | None = msgspec.UNSET


class GroupRequest(Request):
    """Options of grouping; the defaults are those of the command line. `groups`: how many, null for the usual."""

    groups: int | msgspec.UnsetType | None = msgspec.UNSET


ROUTES: dict[str, Route] = {
    "train": Route("POST", TrainRequest, JobInfo),
    "classify": Route("POST", ClassifyRequest, JobInfo),
    "group": Route("POST", GroupRequest, JobInfo),
    "job/stop": Route("POST", NoRequest, JobInfo),
    "job/forget": Route("POST", NoRequest, Nothing),
}
