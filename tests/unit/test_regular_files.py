"""Only regular files of bounded size are ever opened."""

import errno
import os
import socket
import threading
from pathlib import Path

import pytest

from antrax.io.regular_files import is_regular, open_regular, read_regular

posix = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")


def test_a_file_is_read_whole(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"abc\r\n")
    assert read_regular(path) == b"abc\r\n"
    assert read_regular(str(path), 5) == b"abc\r\n"


def test_a_link_to_a_file_is_followed(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"abc")
    (tmp_path / "link").symlink_to(tmp_path / "a.txt")
    assert read_regular(tmp_path / "link") == b"abc"


def make(kind, path):
    """Something under a file's name; returns what to close."""
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(path))
        return server
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "terminal":
        path.symlink_to("/dev/tty")
    else:
        path.mkdir()
    return None


@posix
@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("pipe", "a named pipe"),
        ("socket", "a socket"),
        ("device", "a device"),
        ("terminal", "a device"),
        ("folder", "a folder"),
    ],
)
def test_anything_else_is_refused_at_once_and_named(tmp_path, monkeypatch, kind, words, linked):
    monkeypatch.chdir(tmp_path)  # names of sockets may not be long
    path = tmp_path / "x"
    kept = make(kind, path if kind != "socket" else path.relative_to(tmp_path))
    if linked:
        (tmp_path / "link").symlink_to(path)
        path = tmp_path / "link"
    assert not is_regular(path)
    for attempt in (open_regular, read_regular):
        with pytest.raises(OSError, match=words) as raised:
            attempt(path)
        assert raised.value.strerror in (f"it is no plain file but {words}", f"it is {words}")
        assert raised.value.filename == str(path)
    if kept:
        kept.close()


@posix
def test_a_pipe_that_took_the_place_of_a_file_after_the_first_look_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    seen = path.stat()
    path.unlink()
    os.mkfifo(path)
    monkeypatch.setattr(Path, "stat", lambda *_: seen)
    with pytest.raises(OSError, match="a named pipe"):
        open_regular(path)


def test_a_file_larger_than_expected_is_not_read(tmp_path):
    path = tmp_path / "x"
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(OSError, match="too large") as raised:
        read_regular(path)
    assert raised.value.errno == errno.EFBIG
    with pytest.raises(OSError, match="too large"):
        open_regular(path, 2**39)
    open_regular(path).close()


@pytest.mark.parametrize("name", ["/proc/kmsg", "/proc/self/mem", "/proc/kcore", "/proc/self/pagemap"])
def test_a_file_of_the_system_is_read_no_further_than_allowed_and_not_waited_for(name):
    if not Path(name).exists():
        pytest.skip(f"no {name} here")
    found = []

    def attempt():
        try:
            found.append(len(read_regular(name, 100)))
        except OSError as error:
            found.append(error)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    assert isinstance(found[0], OSError)
    if name in ("/proc/self/mem", "/proc/self/pagemap"):
        assert found[0].strerror == "it is no plain file but one of the operating system's own, such as those in /proc"


def test_a_file_that_is_said_to_be_empty_and_waits_like_a_pipe_is_refused(tmp_path, monkeypatch):
    (tmp_path / "x").write_bytes(b"")

    def wait(descriptor, count):
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    assert read_regular(tmp_path / "x") == b""
    monkeypatch.setattr(os, "read", wait)
    with pytest.raises(OSError, match="no plain file but one of the operating system's own"):
        open_regular(tmp_path / "x")


def test_no_descriptor_stays_open(tmp_path):
    (tmp_path / "x").write_bytes(bytes(100))
    first = os.open(tmp_path / "x", os.O_RDONLY)
    os.close(first)
    for _ in range(3):
        for attempt in (lambda: read_regular(tmp_path / "x", 10), lambda: open_regular(tmp_path)):
            with pytest.raises(OSError):
                attempt()
    again = os.open(tmp_path / "x", os.O_RDONLY)
    os.close(again)
    assert again == first


def test_nothing_there_is_told_as_such(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "x")
    assert not is_regular(tmp_path / "x")
    assert not is_regular(tmp_path / ("x" * 300))
    assert not is_regular("\0")
