"""Changes of the training set that can be undone, those of each person apart."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace
from pathlib import Path

from antrax.review.training_set.outcomes import Change

# Changes that can be undone, of each client, and clients whose changes are remembered.
_CHANGES = 100
_CLIENTS = 50


class History:
    """The last changes of each client. Whoever uses it sees to it that only one thread does."""

    def __init__(self) -> None:
        self._changes: dict[str, list[Change]] = {}

    def last(self, client: str) -> Change | None:
        """The last change of a client that is not undone yet; None where there is none."""
        changes = self._changes.get(client)
        return changes[-1] if changes else None

    def remember(self, client: str, change: Change) -> None:
        """Add a change. The oldest of the client, and clients that changed nothing for longest, are forgotten."""
        self._changes[client] = [*self._changes.pop(client, []), change][-_CHANGES:]
        while len(self._changes) > _CLIENTS:
            del self._changes[next(iter(self._changes))]

    def forget_last(self, client: str) -> None:
        """Forget the last change of a client, which is undone."""
        self._changes[client].pop()

    def follow_renaming(self, label: str, new: str) -> None:
        """Look for files of a label in the folders of its new name, and bring them back to these."""

        def now(path: Path) -> Path:
            return path.parent.with_name(new) / path.name if path.parent.name == label else path

        for changes in self._changes.values():
            changes[:] = [
                replace(
                    change,
                    label=new if change.label == label else change.label,
                    written=tuple((now(path), digest) for path, digest in change.written),
                    moved=tuple((now(source), now(path), digest) for source, path, digest in change.moved),
                    known=frozenset(map(now, change.known)),
                )
                for change in changes
            ]

    def claim(self, kept: Set[Path], label: str, client: str) -> None:
        """Let nobody else's undo take away files that a client wanted and found there.

        Parameters
        ----------
        kept : set of Path
            The files.
        label : str
            Under which they lie.
        client : str
        """
        for other, changes in self._changes.items() if kept else ():
            if other == client:
                continue
            for place, change in enumerate(changes):
                if change.label == label:
                    changes[place] = replace(
                        change,
                        written=tuple((path, None if path in kept else digest) for path, digest in change.written),
                        moved=tuple(
                            (source, path, None if path in kept else digest) for source, path, digest in change.moved
                        ),
                    )
