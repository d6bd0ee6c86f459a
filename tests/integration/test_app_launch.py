"""The command `antrax extract-trainset` as it is really started, spoken to over HTTP."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import psutil
import pytest

from antrax.app.launch import address, bind, has_browser, tunnel
from antrax.errors import OptionError
from antrax.io.session import open_session

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send")

SOON_S = 120  # of a process that hangs; by itself it takes one
_SCREEN = ("DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION", "SSH_TTY", "BROWSER")


class Running:
    """A started app."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.printed = ""
        while "stop with Ctrl-C" not in self.printed:
            line = process.stdout.readline()
            assert line, process.stderr.read()
            self.printed += line
        self.address = re.search(r"http://\S+", self.printed)[0]
        self.base, _, self.token = self.address.partition("/?token=")
        self.port = int(self.base.rpartition(":")[2])
        self.client = httpx.Client(follow_redirects=True, timeout=30)

    def end(self, how: int = signal.SIGINT) -> tuple[int, str, str]:
        """Exit status, and what was printed since, on both channels."""
        self.process.send_signal(how)
        output, errors = self.process.communicate(timeout=SOON_S)
        return self.process.returncode, output, errors

    def places(self) -> dict:
        answer = self.client.get(f"{self.base}/api/places", headers={"Authorization": f"token {self.token}"})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: dict) -> httpx.Response:
        headers = {"Authorization": f"token {self.token}", "X-Antrax": "1"}
        return self.client.post(f"{self.base}{path}", json=body, headers=headers)


@pytest.fixture
def run(tmp_path) -> Iterator:
    """A function that starts the command."""
    with contextlib.ExitStack() as stack:

        def start(*arguments: object, command=("-m", "antrax"), **environment: str) -> Running:
            given = {name: value for name, value in os.environ.items() if name not in _SCREEN}
            process = subprocess.Popen(
                [sys.executable, *command, "extract-trainset", *map(str, arguments)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=given | {"ANTRAX_CACHE": str(tmp_path / "memory")} | environment,
                start_new_session=True,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            running = Running(process)
            stack.callback(running.client.close)
            return running

        yield start


@pytest.fixture
def experiment(small_demo, tmp_path) -> Path:
    shutil.copytree(small_demo.directory, tmp_path / "some.ants")
    return tmp_path / "some.ants"


def refused(*arguments: object) -> str:
    command = [sys.executable, "-m", "antrax", "extract-trainset", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_the_printed_address_opens_the_app_and_nothing_else_does(run, experiment):
    app = run(experiment)
    assert app.base == f"http://127.0.0.1:{app.port}"
    assert httpx.get(app.base).status_code == 403
    assert httpx.get(app.base, headers={"Host": "evil.example"}).status_code == 403
    page = app.client.get(app.address)
    assert page.status_code == 200
    assert str(page.url) == f"{app.base}/"
    assert "<title>" in page.text
    assert page.headers["x-frame-options"] == "DENY"
    assert "server" not in page.headers
    # from here on, the cookie is enough
    places = app.client.get(f"{app.base}/api/places").json()
    assert places["places"][0]["experiment"] == "some.ants"


def test_ctrl_c_ends_it_with_one_line_and_status_0(run, experiment):
    app = run(experiment)
    app.places()  # the connection stays open
    assert app.end() == (0, "\nantrax has ended; all labels and marks are saved\n", "")


def test_a_polite_kill_ends_it_likewise(run, experiment):
    status, output, errors = run(experiment).end(signal.SIGTERM)
    assert (status, errors) == (0, "")
    assert "antrax has ended" in output


def test_a_request_that_hangs_does_not_keep_it_from_ending(run, experiment):
    app = run(experiment)
    head = (
        f"POST /api/opened HTTP/1.1\r\nHost: 127.0.0.1:{app.port}\r\nAuthorization: token {app.token}\r\n"
        "X-Antrax: 1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    )
    with socket.create_connection(("127.0.0.1", app.port)) as connection:
        connection.sendall(head.encode())
        app.places()
        status, output, errors = app.end()
    assert (status, errors) == (0, "")
    assert "antrax has ended" in output


def test_training_ends_with_it(run, experiment):
    app = run(experiment)
    start = app.places()["start"]
    here = f"/api/s/{start['place']}/{start['session']}"
    assert app.post(f"{here}/train", {"epochs": 1000, "scratch": True}).status_code == 200
    children = psutil.Process(app.process.pid).children(recursive=True)
    assert children
    status, output, errors = app.end()
    assert (status, errors) == (0, "")
    assert "goes on when it is started again" in output
    _, alive = psutil.wait_procs(children, timeout=SOON_S)
    assert alive == []


def test_no_heavy_library_is_loaded_whatever_is_asked(run, experiment):
    script = (
        "import atexit, sys; from antrax.cli.main import main; "
        "atexit.register(lambda: print('loaded', *sys.modules)); main(sys.argv[1:])"
    )
    app = run(experiment, command=("-c", script))
    start = app.places()["start"]
    here = f"{app.base}/api/s/{start['place']}/{start['session']}"
    headers = {"Authorization": f"token {app.token}"}
    for path in ("overview", "tracklet?movie=1&i=0", "trainset", "counts", "pulse", "labels"):
        assert app.client.get(f"{here}/{path}", headers=headers).status_code == 200, path
    _, output, _ = app.end()
    loaded = set(output.partition("loaded")[2].split())
    assert "uvicorn" in loaded
    assert not {"torch", "pandas", "matplotlib", "onnx", "onnxruntime", "keras"} & loaded


def test_where_the_usual_port_is_taken_the_next_free_one_is(run, experiment):
    first, second = run(experiment), run(experiment)
    assert first.port != second.port
    assert min(first.port, second.port) >= 8090
    assert httpx.get(f"{second.base}/?token={first.token}").status_code == 403
    assert second.places()["places"]
    # both have the same name, and the browser keeps the cookies of both
    for app in (first, second):
        second.client.get(app.address)
    for app in (first, second):
        assert second.client.get(f"{app.base}/api/places").status_code == 200


def test_a_port_that_was_asked_for_is_that_one_or_an_error(run, experiment):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        message = refused(experiment, "--port", port)
    assert f"--port {port}: another program" in message
    assert run(experiment, "--port", port).port == port


def test_nothing_to_open_is_an_error(experiment, tmp_path):
    assert "does not exist" in refused(tmp_path / "nowhere")
    assert "has no session 'other'" in refused(experiment, "--session", "other")


def test_a_host_that_is_not_this_machines_is_an_error():
    for host in ("203.0.113.1", "no..name"):
        with pytest.raises(OptionError, match=f"`host=.{host}.`: .*this machine"):
            bind(host, None)


def test_a_host_that_the_network_can_reach_is_warned_of(run, experiment):
    app = run(experiment, "--host", "0.0.0.0")
    assert app.base == f"http://{socket.gethostname()}:{app.port}"
    app.base = f"http://127.0.0.1:{app.port}"
    assert app.places()
    assert httpx.get(app.base, headers={"Host": "evil.example"}).status_code == 403
    _, _, errors = app.end()
    assert errors.startswith("warning: --host 0.0.0.0")


def test_over_ssh_the_tunnel_is_told_and_no_browser_opened(run, experiment, browser):
    script, visited = browser
    app = run(
        experiment, SSH_CONNECTION="192.0.2.1 50000 192.0.2.2 2222", DISPLAY=":0", BROWSER=str(script), LOGNAME="ada"
    )
    command = f"ssh -N -L {app.port}:127.0.0.1:{app.port} -p 2222 ada@192.0.2.2"
    assert f"  {command}\n" in app.printed
    app.places()
    app.end()
    assert not visited.exists()


def test_elsewhere_the_tunnel_is_mentioned(run, experiment):
    app = run(experiment)
    assert f"ssh -N -L {app.port}:127.0.0.1:{app.port} " in app.printed
    assert "\x1b" not in app.printed


@pytest.fixture
def browser(tmp_path) -> tuple[Path, Path]:
    """A browser that notes what it is asked to show, and where."""
    script, visited = tmp_path / "browser", tmp_path / "visited"
    script.write_text(f'#!/bin/sh\necho "$1" > {visited}.new\nmv {visited}.new {visited}\n')
    script.chmod(0o755)
    return script, visited


@pytest.mark.skipif(sys.platform != "linux", reason="the browser of other systems cannot be replaced")
def test_a_browser_is_opened_with_an_address_that_works_once(run, experiment, browser):
    script, visited = browser
    app = run(experiment, DISPLAY=":0", BROWSER=str(script))
    end = time.monotonic() + SOON_S
    while not visited.exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    url = visited.read_text().strip()
    assert url.startswith(f"{app.base}/?token=")
    assert app.token not in url
    assert httpx.get(url).status_code == 303
    assert httpx.get(url).status_code == 403


def test_no_browser_is_opened_if_none_is_wanted(run, experiment, browser):
    script, visited = browser
    app = run(experiment, "--no-browser", DISPLAY=":0", BROWSER=str(script))
    app.places()
    app.end()
    assert not visited.exists()


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="these always have a screen")
def test_where_there_is_no_screen_there_is_no_browser():
    assert not has_browser({})
    assert not has_browser({"DISPLAY": ":0", "SSH_TTY": "/dev/pts/1"})
    assert has_browser({"DISPLAY": ":0"})
    assert has_browser({"WAYLAND_DISPLAY": "wayland-0"})


def test_addresses():
    assert address("127.0.0.1", 8090) == "http://127.0.0.1:8090"
    assert address("::1", 1) == "http://[::1]:1"
    assert "-p" not in tunnel(1, {"SSH_CONNECTION": "192.0.2.1 50000 192.0.2.2 22"})


def test_a_folder_of_experiments_and_its_memory(run, experiment, tmp_path):
    shutil.copytree(experiment, tmp_path / "lab" / "first")
    shutil.copytree(experiment, tmp_path / "lab" / "second")
    app = run(tmp_path / "lab")
    places = app.places()
    assert [place["experiment"] for place in places["places"]] == ["first", "second"]
    second = {"place": places["places"][1]["id"], "session": open_session(tmp_path / "lab" / "second").name}
    assert app.post("/api/opened", second).status_code == 200
    assert app.post("/api/opened", {"place": "../etc", "session": "x"}).status_code == 400
    app.end()
    assert run(tmp_path / "lab").places()["recent"] == [second]


@pytest.mark.skipif(not hasattr(psutil.Process, "rlimit"), reason="the limit of a running process cannot be set here")
def test_connections_that_ask_for_nothing_do_not_lock_anybody_out(run, experiment):
    app = run(experiment)
    psutil.Process(app.process.pid).rlimit(psutil.RLIMIT_NOFILE, (256, 256))
    with contextlib.ExitStack() as stack:
        for number in range(400):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", app.port)))
            with contextlib.suppress(ConnectionError):  # its turn to be closed came already
                connection.sendall(b"GET / HTTP/1.1\r\nHost: " if number % 2 else b"")
        assert app.places()["places"]
        assert httpx.get(app.base).status_code == 403
    assert app.end()[::2] == (0, "")


def test_what_ctrl_c_interrupted_is_told_at_the_next_start(run, experiment):
    app = run(experiment)
    start = app.places()["start"]
    base = f"/api/s/{start['place']}/{start['session']}"
    assert app.post(f"{base}/train", {"epochs": 40}).status_code == 200
    status, output, errors = app.end()
    assert (status, errors) == (0, "")
    assert "antrax has ended" in output
    again = run(experiment)

    def interrupted() -> dict | None:
        headers = {"Authorization": f"token {again.token}"}
        return again.client.get(f"{again.base}{base}/overview", headers=headers).json()["interrupted"]

    found = interrupted()
    assert (found["kind"], found["options"]["epochs"]) == ("train", 40)
    assert again.post(f"{base}/job/forget", {}).status_code == 200
    assert interrupted() is None
