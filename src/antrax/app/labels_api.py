"""The session's labels as the page shows, edits and renames them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from antrax.app.training_set_api import check_there
from antrax.errors import AntraxError, LabelsError
from antrax.io.labels_file import edit_labels, labels_digest
from antrax.io.session import Session
from antrax.labels import Category, Labels
from antrax.review.renaming import finish_renaming, rename_label
from antrax.review.training_set.editing import Examples


class LabelsApi:
    """The labels of an open session. Safe to use from several threads.

    A renaming that was broken off is ended when this is made.

    Parameters
    ----------
    session : Session
    examples : Examples
    versions : callable
        Numbers that tell the page what changed; they go with the answer about a renaming.
    """

    def __init__(self, session: Session, examples: Examples, versions: Callable[[], dict[str, Any]]) -> None:
        self._session = session
        self._examples = examples
        self._versions = versions
        self.end_renaming()

    def end_renaming(self) -> list[str]:
        """End a renaming that was broken off; where that cannot be done, why, a sentence."""
        try:
            finish_renaming(self._session)
        except (AntraxError, OSError) as error:
            return [f"a label was being renamed, and that cannot be ended now: {error}"]
        return []

    def current(self) -> tuple[Labels, str | None]:
        """The labels as they are on disk now, and what is wrong with them."""
        try:
            return self._session.labels, None
        except LabelsError as error:
            return Labels(ants=()), str(error)

    def known(self) -> Labels:
        """The labels as they are on disk now; none where they cannot be read."""
        return self.current()[0]

    def version(self) -> str:
        """Another whenever labels.csv is; empty where there is none. Where it cannot be read, one may go on looking."""
        try:
            return labels_digest(self._session.layout.labels_file) or ""
        except LabelsError:
            return "unreadable"

    def rows(self) -> dict[str, Any]:
        """The labels for editing. Raises `ExperimentError`, `LabelsError`."""
        check_there(self._session)
        path = self._session.layout.labels_file
        digest = labels_digest(path)
        labels, problem = self.current() if digest is not None else (Labels(ants=()), None)
        counts = self._examples.counts()
        return {
            "rows": [
                {"label": label, "category": category, "examples": counts[label].examples if label in counts else 0}
                for label, category in labels.categories.items()
            ],
            "digest": digest,
            "exists": digest is not None,
            "problem": problem,
            "path": str(path),
            "colors": list(labels.tagcolors),
        }

    def edit(self, rows: Sequence[tuple[str, Category]], digest: str | None) -> dict[str, Any]:
        """Write the labels. Raises `LabelsError`."""
        edit_labels(self._session.layout, rows, digest)
        return self.rows()

    def rename(self, label: str, new: str) -> dict[str, Any]:
        """Rename a label everywhere. Raises as `antrax.review.renaming.rename_label`."""
        check_there(self._session)
        done = rename_label(self._session, label, new)
        self._examples.follow_renaming(done.label, done.new)
        return {"message": done.message, "new": done.new, "versions": self._versions()}
