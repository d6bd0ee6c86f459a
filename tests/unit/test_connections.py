"""Connections that ask for nothing give way; those that ask are served."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
import uvicorn

from antrax.app import connections
from antrax.app.connections import Waiting, limited_protocol, waiting_room

PATIENCE_S = 60
ASK = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def hello(scope, receive, send):
    """Says hello, as soon as a request is whole."""
    if scope["method"] == "POST":
        while (await receive()).get("more_body"):
            pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


@pytest.fixture
def serve(monkeypatch) -> Iterator[Callable[..., tuple[str, int]]]:
    """A function that serves `hello` with certain limits, and gives the address."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(headers_s: float = PATIENCE_S, an_address: int = 64) -> tuple[str, int]:
        monkeypatch.setattr(connections, "HEADERS_S", headers_s)
        monkeypatch.setattr(connections, "MOST_WAITING_AN_ADDRESS", an_address)
        listener = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(hello, http=limited_protocol(), lifespan="off", log_level="critical")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        running.append((server, thread))
        return listener.getsockname()[:2]

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join(PATIENCE_S)


@pytest.fixture
def connect() -> Iterator[Callable[..., socket.socket]]:
    """A function that connects and sends something."""
    with contextlib.ExitStack() as stack:

        def make(address: tuple[str, int], text: bytes = b"") -> socket.socket:
            made = stack.enter_context(socket.create_connection(address, timeout=PATIENCE_S))
            made.sendall(text)
            return made

        yield make


def is_answered(connection: socket.socket) -> bool:
    got = b""
    while not got.endswith(b"hello"):
        piece = connection.recv(1000)
        if not piece:
            return False
        got += piece
    return True


def is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1000) == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize("text", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: "])
def test_a_connection_that_brings_no_whole_request_is_closed(serve, connect, text):
    assert is_closed(connect(serve(headers_s=0.2), text))


def test_sending_a_byte_now_and_then_does_not_keep_a_connection(serve, connect):
    connection = connect(serve(headers_s=0.5), b"GET / HTTP/1.1\r\n")
    connection.settimeout(0.05)
    for _ in range(1000):
        try:
            connection.sendall(b"X: y\r\n")
            if connection.recv(1) == b"":
                return
        except TimeoutError:
            continue
        except ConnectionError:
            return
    raise AssertionError("it was never closed")


def test_a_second_request_that_is_never_whole_is_closed_too(serve, connect):
    connection = connect(serve(headers_s=0.2), ASK)
    assert is_answered(connection)
    connection.sendall(b"GET / HT")
    assert is_closed(connection)


def test_a_request_in_progress_is_not_cut_off(serve, connect):
    address = serve(headers_s=0.2)
    uploading = connect(address, b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nab")
    assert is_closed(connect(address))  # by then its time would have been up
    uploading.sendall(b"cd")
    assert is_answered(uploading)


def test_of_too_many_that_wait_the_oldest_give_way_and_requests_are_served(serve, connect):
    address = serve(an_address=8)
    idle = [connect(address, b"GET") for _ in range(40)]
    asking = connect(address, ASK)
    assert is_answered(asking)
    assert all(is_closed(connection) for connection in idle[:30])
    idle[-1].sendall(b" / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert is_answered(idle[-1])


class _Connection:
    """As much of a protocol as its place needs."""

    def __init__(self) -> None:
        self.closed = False
        self.transport = self

    def abort(self) -> None:
        self.closed = True


def test_one_address_does_not_take_the_places_of_all():
    waiting = Waiting(most=10, most_an_address=4)
    flood = [_Connection() for _ in range(100)]
    other = _Connection()
    waiting.add(other, "10.0.0.2")
    for connection in flood:
        waiting.add(connection, "10.0.0.1")
    assert len(waiting) == 5
    assert not other.closed
    assert [connection.closed for connection in flood] == [True] * 96 + [False] * 4


def test_all_together_are_no_more_than_there_are_places():
    waiting = Waiting(most=10, most_an_address=4)
    made = [_Connection() for _ in range(100)]
    for number, connection in enumerate(made):
        waiting.add(connection, f"10.0.0.{number}")
    assert len(waiting) == 10
    assert sum(connection.closed for connection in made) == 90


def test_those_that_left_free_their_place():
    waiting = Waiting(most=2, most_an_address=2)
    first, *others = (_Connection() for _ in range(3))
    for connection in (first, *others[:1]):
        waiting.add(connection, "a")
    waiting.remove(first)
    waiting.add(others[1], "a")
    assert not any(connection.closed for connection in others)


@pytest.mark.parametrize(("limit", "most"), [(None, 256), (1024, 256), (256, 64), (100, 8)])
def test_there_are_places_for_as_many_as_the_system_allows(monkeypatch, limit, most):
    monkeypatch.setattr(connections, "descriptors", lambda: limit)
    assert waiting_room()._most == most
