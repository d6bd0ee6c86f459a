"""Start of the app: port, token, printed address, browser, and shutdown by Ctrl-C."""

from __future__ import annotations

import contextlib
import errno
import getpass
import logging
import os
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from antrax.errors import OptionError
from antrax.messages import parameter
from antrax.progress import Reporter

if TYPE_CHECKING:
    from antrax.app.auth import Guard

FIRST_PORT = 8090
_PORTS = 100
# So long may requests take that are under way when Ctrl-C is pressed. A thread that is in the middle of something long
# cannot be stopped: then the process is left, for all that is written is written whole or not at all.
_GRACE_S = 2
_LEAVE_S = 4.5


def run_app(
    arguments: Sequence[Path],
    session: str | None,
    *,
    port: int | None,
    host: str,
    browser: bool,
    reporter: Reporter,
) -> None:
    """Serve the app until Ctrl-C.

    Parameters
    ----------
    arguments : sequence of Path
        See `antrax.app.openable_experiments.OpenableExperiments`.
    session : str, optional
        Session to start with.
    port : int, optional
        By default 8090, or the next one that is free.
    host : str
        Address to listen at; others than the loopback address can be reached from the network.
    browser : bool
        Open the page in a browser, where there is one.
    reporter : Reporter
        Told of warnings.

    Raises
    ------
    ExperimentError
        There is no experiment to open.
    OptionError
        The port is taken, or the host is none of this machine's.
    """
    import secrets

    from antrax.app.auth import guarded, is_loopback
    from antrax.app.jobs.manager import Jobs
    from antrax.app.openable_experiments import OpenableExperiments
    from antrax.io.atomic import user_cache

    memory = user_cache()
    places = OpenableExperiments(arguments, session, memory)
    for problem in places.problems:
        reporter.warn(problem)
    listener = bind(host, port)
    try:
        from antrax.app.server import make_app

        jobs = Jobs(memory)
        at = listener.getsockname()[1]
        token = secrets.token_urlsafe(24)
        names = frozenset() if is_loopback(host) else _machine_names()
        guard = guarded(make_app(places, jobs, memory), at, token, host, names)
        shown = address(host, at)
        if not is_loopback(host):
            reporter.warn(
                f"{parameter('host', host)}: whoever gets hold of the address below can change this experiment over "
                "the network, and what is sent is not encrypted; without it, and with an SSH tunnel, neither is so"
            )
        working = False

        def end() -> None:
            nonlocal working
            working = jobs.running()
            _leave_in(_LEAVE_S)
            threading.Thread(target=jobs.close, daemon=True).start()

        # from before the address is told: who reads it may end the app at once
        with contextlib.suppress(KeyboardInterrupt), _polite_kill_as_ctrl_c():
            _print_welcome(f"{shown}/?token={token}", at, os.environ)
            if browser and has_browser(os.environ):
                # the token that works once: a command line can be seen by all users of the machine
                _open_browser(f"{shown}/?token={guard.invite()}")
            _serve(guard, listener, end)
        jobs.close()
        click.echo(
            "\nantrax has ended; all labels and marks are saved"
            + ("; what was being trained or classified goes on when it is started again" if working else "")
        )
    finally:
        listener.close()


def bind(host: str, port: int | None) -> socket.socket:
    """A socket that listens; with no port given, at 8090 or the next one that is free.

    Raises
    ------
    OptionError
        The port is taken, or the host is none of this machine's.
    """
    from antrax.app.connections import BACKLOG

    try:
        # the first that can be had: an address has one, a name may have one for IPv4 and one for IPv6
        family, kind, protocol, _, place = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OptionError(f"{parameter('host', host)}: {reason}; give an address of this machine") from None
    for number in range(FIRST_PORT, FIRST_PORT + _PORTS) if port is None else [port]:
        listener = socket.socket(family, kind, protocol)
        try:
            # On Windows the option of that name would let two programs share a port; there, exclusive is the word.
            option = "SO_EXCLUSIVEADDRUSE" if sys.platform == "win32" else "SO_REUSEADDR"
            listener.setsockopt(socket.SOL_SOCKET, getattr(socket, option), 1)
            listener.bind((place[0], number, *place[2:]))
            # listening from here on, so that a browser that is too early waits
            listener.listen(BACKLOG)
            return listener
        except OSError as error:
            listener.close()
            if error.errno == errno.EADDRNOTAVAIL:
                raise OptionError(f"{parameter('host', host)}: this machine does not have that address") from None
            if port is not None:
                raise OptionError(
                    f"{parameter('port', port)}: {_why(error)}; give another one, or leave {parameter('port')} away to "
                    "have a free one chosen"
                ) from None
    last = FIRST_PORT + _PORTS - 1
    raise OptionError(f"all ports from {FIRST_PORT} to {last} are taken; name a free one: {parameter('port')}")


def _why(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "another program, perhaps another antrax, listens there"
    if error.errno == errno.EACCES:
        return "not allowed"
    return str(error.strerror or error)


def address(host: str, port: int) -> str:
    """Address of the app for a browser, without path."""
    if host in ("0.0.0.0", "::", ""):
        host = socket.gethostname()
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def has_browser(environment: Mapping[str, str]) -> bool:
    """Whether a browser can be opened on a screen of this machine."""
    if over_ssh(environment):
        return False
    graphical = "DISPLAY" in environment or "WAYLAND_DISPLAY" in environment
    return graphical or sys.platform in ("win32", "darwin")


def over_ssh(environment: Mapping[str, str]) -> bool:
    """Whether the program was started over SSH."""
    return "SSH_CONNECTION" in environment or "SSH_TTY" in environment


def tunnel(port: int, environment: Mapping[str, str]) -> str:
    """The command that makes the app's port one of another machine, to be typed there."""
    connection = environment.get("SSH_CONNECTION", "").split()
    port_option = f"-p {connection[3]} " if len(connection) == 4 and connection[3] != "22" else ""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container may run as a user without a name
        user = "USER"
    # the address by which the person got here; a machine's own name often means nothing elsewhere
    here = connection[2] if len(connection) == 4 else socket.gethostname()
    return f"ssh -N -L {port}:127.0.0.1:{port} {port_option}{user}@{here}"


def _print_welcome(url: str, port: int, environment: Mapping[str, str]) -> None:
    click.echo(f"antrax is ready at {click.style(url, bold=True)}")
    if over_ssh(environment):
        click.echo(
            "You are here by SSH. To open the page on your own computer, first type in a terminal there:\n"
            f"  {tunnel(port, environment)}"
        )
    else:
        click.echo(click.style(f"from another computer, first type there: {tunnel(port, environment)}", dim=True))
    click.echo("stop with Ctrl-C")
    sys.stdout.flush()


def _machine_names() -> frozenset[str]:
    """Names under which this machine may be called from the network."""
    name = socket.gethostname()
    return frozenset({name, name.partition(".")[0], f"{name.partition('.')[0]}.local", socket.getfqdn()})


def _open_browser(url: str) -> None:
    def run() -> None:
        with contextlib.suppress(Exception):  # optional: the address is printed anyway
            webbrowser.open(url)

    threading.Thread(target=run, name="browser", daemon=True).start()


def _serve(guard: Guard, listener: socket.socket, on_end: Callable[[], None]) -> None:
    """Serve until a signal to end comes, which may be raised as `KeyboardInterrupt`; `on_end` is called at once."""
    import uvicorn

    from antrax.app.connections import BACKLOG, limited_protocol

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            # pages that are still open are no news, and cut off requests no errors
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL + 1)
            on_end()
            await super().shutdown(sockets)

    config = uvicorn.Config(
        guard,
        # those that are always there, so that all users have the same server
        loop="asyncio",
        http=limited_protocol(),
        backlog=BACKLOG,
        ws="none",
        interface="asgi3",
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_S,
    )

    Server(config).run([listener])


@contextlib.contextmanager
def _polite_kill_as_ctrl_c() -> Iterator[None]:
    """Make SIGTERM raise `KeyboardInterrupt`, as Ctrl-C does."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _leave_in(seconds: float) -> None:
    def leave() -> None:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os._exit(0)

    timer = threading.Timer(seconds, leave)
    timer.daemon = True
    timer.start()
