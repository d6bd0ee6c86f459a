"""The list of labels."""

from __future__ import annotations

from antrax.app.schemas.base import Answer, NoRequest, Request, Route, Text, Versions
from antrax.labels import Category


class LabelRow(Answer):
    """A label in the editor."""

    label: str
    category: Category
    examples: int


class LabelList(Answer):
    """The labels for editing. `digest` tells the state of the file that was read; null: there is none."""

    rows: list[LabelRow]
    digest: str | None
    exists: bool
    problem: str | None
    path: str
    colors: list[str]


class LabelEntry(Request):
    """A row of the edited list of labels."""

    label: Text
    category: Category


class EditLabelsRequest(Request):
    """The edited list of labels, and the digest of the file that it was made from."""

    rows: list[LabelEntry]
    digest: Text | None = None


class RenameLabelRequest(Request):
    """A label, and the name that it is to have everywhere."""

    label: Text
    new: Text


class LabelRenamed(Answer):
    """A renamed label. `message` says in one sentence what was renamed with it."""

    message: str
    new: str
    versions: Versions


ROUTES: dict[str, Route] = {
    "labels": Route("GET", NoRequest, LabelList),
    "labels/edit": Route("POST", EditLabelsRequest, LabelList),
    "labels/rename": Route("POST", RenameLabelRequest, LabelRenamed),
}
