"""Progress of a job of several stages as one fraction, and the estimated remaining time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# No estimate before this much: seconds of work, and the fraction of the whole job that was done in them.
_LEAST_SECONDS, _LEAST_PART = 5.0, 0.01
# From here on the rate of the present stage counts alone: how the stages compare was only estimated.
_OWN_SECONDS, _OWN_PART = 10.0, 0.1


@dataclass
class _Worked:
    """Time worked, and the part of the whole done in it."""

    seconds: float = 0.0
    part: float = 0.0


@dataclass
class JobProgress:
    """Follows what a job reports of its stages.

    The time left is the part that is left times the seconds that a part has taken so far. What was there when a stage
    began does not count as done in no time: a training that was stopped goes on from where it was.
    """

    title: str = "starting"
    done: int = 0
    total: int | None = None
    unit: str = ""
    note: str = ""
    _stages: dict[str, tuple[float, float]] = field(default_factory=dict)  # start and end of each, 0 to 1
    _fraction: float | None = None
    _at: float = 0.0
    _since: float | None = None  # when the present stage reported its first amount, and what part that was
    _from: float = 0.0
    _before: _Worked = field(default_factory=_Worked)  # in earlier stages
    _stage: _Worked = field(default_factory=_Worked)

    def announce(self, shares: Mapping[str, float]) -> None:
        """Set the stages, in order; if they are announced again, the newer shares count.

        Parameters
        ----------
        shares : mapping of str to float
            How long each stage takes in proportion to the others, by the title of its bar.
        """
        whole = sum(shares.values())
        start = 0.0
        self._stages = {}
        for title, share in shares.items():
            end = start + (share / whole if whole > 0 else 0.0)
            self._stages[title] = (start, min(1.0, end))
            start = end

    def report(self, now: float, *, title: str, done: int, total: int | None, unit: str, note: str) -> None:
        """Set the progress of the present stage.

        Parameters
        ----------
        now : float
            Seconds, of a clock that only goes forward.
        title, unit, note : str
        done : int
        total : int or None
            None where it is not known.
        """
        if title != self.title:
            self._before.seconds += self._stage.seconds
            self._before.part += self._stage.part
            self._stage = _Worked()
            self._since = None
        self.title, self.done, self.total, self.unit, self.note = title, done, total, unit, note
        part = self._part()
        if part is None:
            return
        self._at = now
        self._fraction = part
        if done > 0 and self._since is None:
            self._since, self._from = now, part
        if self._since is not None:
            self._stage = _Worked(now - self._since, max(0.0, part - self._from))

    def _part(self) -> float | None:
        """Fraction of the whole job that is done; None if unknown."""
        if self._stages and self.title not in self._stages:
            return self._fraction
        start, end = self._stages.get(self.title, (0.0, 1.0))
        if not self.total:
            return start if self._stages else None
        return start + (end - start) * min(1.0, self.done / self.total)

    @property
    def fraction(self) -> float | None:
        """Part of the whole job that is done, 0 to 1; None where the total is not known."""
        return self._fraction

    def seconds_left(self, now: float) -> float | None:
        """Estimated seconds until the end; None if it is too early, or only the last file is left to write.

        Parameters
        ----------
        now : float
            Of the clock of `report`. An amount reported some time ago has grown since.
        """
        if self._fraction is None or self._fraction >= 1:
            return None
        start, end = self._stages.get(self.title, (0.0, 1.0))
        own = self._stage
        if own.seconds >= _OWN_SECONDS and own.part >= _OWN_PART * (end - start):
            worked = own
        else:
            worked = _Worked(self._before.seconds + own.seconds, self._before.part + own.part)
        if worked.seconds < _LEAST_SECONDS or worked.part < _LEAST_PART:
            return None
        left = (1 - self._fraction) * worked.seconds / worked.part
        return max(0.0, left - (now - self._at))
