"""Limits of idle connections: their duration and number.

A connection takes a file descriptor from the moment it is made, before any token was seen, and of these a process has
some hundred. So a connection that has not brought a whole request's headers within `HEADERS_S` seconds is closed, and
of those that wait the oldest give way to new ones. Requests in progress are never cut off.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADERS_S = 10.0
"""Seconds within which the headers of a request must be here, from the connection or from their first byte."""
MOST_WAITING = 256
"""Connections at once without a request, from all addresses."""
MOST_WAITING_AN_ADDRESS = 64
"""And from one. Browsers open six; behind an SSH tunnel, everybody comes from one address."""
BACKLOG = 32
"""Connections accepted in one go, before the first of them is looked at."""
_RESERVED = 128  # descriptors for stacks, jobs, libraries


def descriptors() -> int | None:
    """Largest number of files and connections that this process may have open; None without a limit."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


class Waiting:
    """The connections that wait for a request. Used by the server's thread alone.

    Parameters
    ----------
    most : int
        All together.
    most_an_address : int
    """

    def __init__(self, most: int, most_an_address: int) -> None:
        self._most, self._most_an_address = most, most_an_address
        self._protocols: dict[LimitedProtocol, str] = {}  # the one that waits longest first
        self._counts: Counter[str] = Counter()

    def __len__(self) -> int:
        """Number of waiting connections."""
        return len(self._protocols)

    def add(self, protocol: LimitedProtocol, address: str) -> None:
        """Add a connection; if there are too many, the one that has waited longest is closed."""
        self.remove(protocol)
        if self._counts[address] >= self._most_an_address:
            self._close(next(other for other, its in self._protocols.items() if its == address))
        elif len(self._protocols) >= self._most:
            self._close(next(iter(self._protocols)))
        self._protocols[protocol] = address
        self._counts[address] += 1

    def remove(self, protocol: LimitedProtocol) -> None:
        """Remove a connection."""
        address = self._protocols.pop(protocol, None)
        if address is not None:
            self._counts[address] -= 1
            if not self._counts[address]:
                del self._counts[address]

    def _close(self, protocol: LimitedProtocol) -> None:
        self.remove(protocol)
        protocol.transport.abort()


def waiting_room() -> Waiting:
    """Limit of waiting connections, from the process's limit of file descriptors."""
    limit = descriptors()
    most = MOST_WAITING if limit is None else max(8, min(MOST_WAITING, (limit - _RESERVED) // 2))
    return Waiting(most, min(most, MOST_WAITING_AN_ADDRESS))


class LimitedProtocol(H11Protocol):
    """HTTP as the server speaks it, for connections that may wait only so long."""

    waiting: Waiting
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Remove the connection from those that wait."""
        self._wait_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Process received data; the time limit starts if a request is still incomplete."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._wait_no_more()
        elif self._timer is None and not self.transport.is_closing():
            self._wait()

    def _wait(self) -> None:
        self.waiting.add(self, self.client[0] if self.client else "")
        self._timer = self.loop.call_later(HEADERS_S, self._give_up)

    def _wait_no_more(self) -> None:
        self.waiting.remove(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        self.waiting.remove(self)
        self.transport.abort()


def limited_protocol() -> type[asyncio.Protocol]:
    """A protocol for one server, with places of its own."""
    attributes: dict[str, Any] = {"waiting": waiting_room()}
    return type("Protocol", (LimitedProtocol,), attributes)
