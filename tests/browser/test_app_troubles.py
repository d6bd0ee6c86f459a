"""The app in a real browser when something goes wrong, or somebody wants it to."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import expect

from antrax.io.session import Session
from tests.browser.driver import App, Tab, exported, free_port, images_of

# ---- what goes wrong


def test_a_crash_of_the_app_loses_nothing(session: Session, start_app: Callable[..., App], visit: Callable[..., Tab]):
    # of no other test's app, which would take a port that is free for the moment: these begin at 8090
    app = start_app(session.experiment, "--port", free_port(20_000 + os.getpid() % 10_000))
    tab = visit(app)
    before = tab.shown()
    tab.order("In time")
    first = tab.other_than(before)
    tab.press("ArrowRight")
    second = tab.other_than(first)
    tab.press("ArrowLeft")
    tab.shows(first)
    app.crash()
    tab.expects("ERR_CONNECTION_(REFUSED|RESET)", "403 ")  # what was under way is reset
    tab.type_label("GG")
    tab.press("Enter")
    tab.shows(second)  # fetched before
    banner = tab.find("#banner")
    expect(banner).to_contain_text("The server does not answer")
    tab.type_label("OP")
    tab.press("Enter")
    expect(tab.find(".pending")).to_contain_text("2 exports")
    assert exported(session) == {}

    again = start_app(session.experiment, "--port", app.port)
    expect(banner).to_contain_text("in a NEW tab and leave this one open: 2 exports still wait here")
    other = visit(again, tab)
    other.shown()
    expect(banner).to_be_hidden()
    tab.saved()
    counts = {name: len(images_of(session, name)) for name in (first, second)}
    assert exported(session) == {first: {"GG": counts[first]}, second: {"OP": counts[second]}}
    tab.shown()


@pytest.fixture
def small_disk(session: Session) -> Iterator[Path]:
    """The folder of the training set on a file system of its own; needs the right to mount."""
    folder = session.classifier_dir
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("mounting a small file system is not allowed here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_is_told_and_the_app_goes_on(session: Session, small_disk: Path, tab: Tab):
    ballast = os.open(small_disk / "ballast", os.O_WRONLY | os.O_CREAT)
    with contextlib.suppress(OSError):
        while True:
            os.write(ballast, b"x" * 4096)
    os.close(ballast)
    tab.expects("400 .*/export")
    first = tab.shown()
    tab.type_label("GG")
    tab.press("Enter")
    second = tab.other_than(first)
    message = tab.told(f"{first} not exported")
    assert exported(session) == {}
    (small_disk / "ballast").unlink()
    message.get_by_role("button", name="Try again").click()
    tab.said("GG")
    tab.type_label("OP")
    tab.press("Enter")
    tab.other_than(second)
    tab.saved()
    assert {name: list(labels) for name, labels in exported(session).items()} == {first: ["GG"], second: ["OP"]}


def test_an_experiment_that_vanishes_is_told_and_comes_back(session: Session, tab: Tab):
    tab.expects("40. ")
    name = tab.shown()
    away = session.experiment.rename(session.experiment.with_name("elsewhere"))
    tab.type_label("GG")
    tab.press("Enter")
    tab.told("not exported")
    away.rename(session.experiment)
    tab.find(".toast").get_by_role("button", name="Try again").first.click()
    tab.said("GG")
    assert list(exported(session)) == [name]


# ---- safety


ATTACK = """<!doctype html><title>waiting</title><body><script>
const at = 'http://127.0.0.1:PORT';
const json = JSON.stringify({ tracklet: 'NAME', frames: null, label: 'GG', client: 'x' });
const attempts = {
  read: () => fetch(at + '/api/places', { credentials: 'include' }).then((answer) => answer.text()),
  post: () => fetch(at + 'PATH', { method: 'POST', credentials: 'include', body: json,
    headers: { 'Content-Type': 'application/json', 'X-Antrax': '1' } }).then((answer) => answer.text()),
  blind: () => fetch(at + 'PATH', { method: 'POST', mode: 'no-cors', credentials: 'include', body: json })
    .then((answer) => answer.text()).then((text) => text || Promise.reject(new Error('nothing to read'))),
  image: () => new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = resolve;
    image.onerror = () => reject(new Error('no image'));
    image.src = at + 'SHEET';
  }),
  script: () => new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.onload = resolve;
    script.onerror = () => reject(new Error('no script'));
    script.src = at + '/static/js/theme.js';
    document.body.append(script);
  }),
};
(async () => {
  const told = [];
  for (const [name, attempt] of Object.entries(attempts)) await attempt().then(() => told.push(name), () => {});
  const frame = document.createElement('iframe');
  frame.name = 'frame';
  document.body.append(frame);
  const form = document.createElement('form');
  Object.assign(form, { method: 'post', enctype: 'text/plain', action: at + 'PATH', target: 'frame' });
  const field = document.createElement('input');
  Object.assign(field, { name: json.slice(0, -1) + ', "a": "', value: '"}' });
  form.append(field);
  document.body.append(form);
  frame.onload = () => { document.title = 'done ' + told.join(' '); };
  form.submit();
})();
</script>"""


@pytest.fixture
def other_site() -> Iterator[Callable[[str], int]]:
    """A function that serves a page on another port and gives the port."""
    served: list[ThreadingHTTPServer] = []

    def serve(html: str) -> int:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(html.encode())

            def log_message(self, *_: object) -> None:
                pass

        served.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=served[-1].serve_forever, daemon=True).start()
        return int(served[-1].server_port)

    yield serve
    for server in served:
        server.shutdown()
        server.server_close()


def test_a_page_of_another_origin_can_neither_read_nor_change_anything(
    session: Session, app: App, tab: Tab, visit: Callable[..., Tab], other_site: Callable[[str], int]
):
    name = tab.shown()
    sheet = tab.page.evaluate(
        "performance.getEntriesByType('resource').map((e) => e.name).find((n) => /[/]sheet[?]/.test(n))"
    )
    path = sheet.removeprefix(app.root)
    words = {"PORT": str(app.port), "NAME": name, "PATH": path.partition("/sheet")[0] + "/export", "SHEET": path}
    port = other_site(re.sub("|".join(words), lambda found: words[found[0]], ATTACK))
    for host in ("127.0.0.1", "localhost"):  # to the browser the first is the same site, and gets the cookie
        attacker = visit(f"http://{host}:{port}/", tab)
        attacker.expects("")  # the browser complains of each attempt
        attacker.page.wait_for_function("document.title.startsWith('done')")
        assert attacker.page.title() == "done"
        assert exported(session) == {}
    tab.type_label("OP")
    tab.press("Enter")
    tab.saved()
    assert exported(session) == {name: {"OP": len(images_of(session, name))}}


def test_the_page_opens_with_the_right_token_alone_and_forgets_it(app: App, visit: Callable[..., Tab]):
    for address in (f"{app.root}/", f"{app.root}/?token=wrong"):
        stranger = visit(address)
        stranger.expects("403 ")
        expect(stranger.find("body")).to_contain_text("use the whole one, with its token")
        assert stranger.find("script, #topbar").count() == 0
    tab = visit(app, stranger)
    tab.shown()
    assert app.address.partition("token=")[2] not in tab.page.url + tab.page.content()
