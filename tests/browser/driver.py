"""The app in a real browser: Chromium, a running `antrax extract-trainset`, and what a person does at it.

Every test fails on what it did not announce with `Tab.expects`: an error in the browser's console, an error in the
page, an answer with a status of 400 or more, anything that the app writes to its standard error.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Locator, Page, Response, expect

from antrax.io.examples import list_examples
from antrax.io.names import parse_tracklet_name
from antrax.io.session import Session
from antrax.io.stacks import open_stack

AXE = Path(__file__).parents[1] / "page" / "node_modules" / "axe-core" / "axe.min.js"
# Of a machine that is busy with other work; nothing is told by how long it takes.
PATIENCE_S = 60
# Somewhat longer than the page wants images to be seen before anything acts on them.
LOOK_MS = 400
_SHOWN = """() => {
    const montage = document.getElementById('montage');
    return montage.getAttribute('aria-busy') === 'false' && montage.dataset.tracklet || null;
}"""
# Whether the page would let a key act on the tracklet: its images are on the screen for long enough.
_CAN_ACT = "async () => (await import('/static/js/views/tracklet.js')).canAct()"
_RUN_AXE = """async () => {
    const { violations } = await axe.run(document, { resultTypes: ['violations'] });
    return violations.map(({ id, nodes }) => [id, nodes.map(({ target, failureSummary }) =>
      `${target.join(' ')}: ${failureSummary.replace(/\\s+/g, ' ').slice(0, 220)}`)]);
}"""
# Controls that cannot be brought into sight as a person would, by scrolling: their name and where they are.
_OUT_OF_REACH = """() => {
    const over = [...document.querySelectorAll('dialog[open], .menu')].at(-1);
    const selector = 'button, input, select, summary, [role=tab]';
    const controls = [...(over ?? document).querySelectorAll(selector)].filter((each) => each.checkVisibility());
    const lost = [];
    for (const control of controls) {
        if (control.closest('.toast')) continue;
        control.scrollIntoView({ block: 'center', inline: 'nearest', behavior: 'instant' });
        const { left, right, top, bottom } = control.getBoundingClientRect();
        const x = (left + right) / 2, y = (top + bottom) / 2;
        const isInside = left >= -1 && top >= -1 && right <= innerWidth + 1 && bottom <= innerHeight + 1;
        const hit = isInside ? document.elementFromPoint(x, y) : null;
        const isPart = (one, other) => one.contains(other) || other.contains(one);
        const isFree = hit && (isPart(control, hit) || hit.closest('label')?.contains(control));
        const name = control.getAttribute('aria-label') || control.textContent || control.id;
        if (!isFree) lost.push(`${name.trim()} at ${[left, top, right, bottom].map(Math.round)}`);
    }
    return [controls.length, lost];
}"""
# Where the images of a montage lie, by the page's own rules: in screen pixels, from the upper left of its canvas.
_GRID = """async ([id, count, size, scale]) => {
    const { arrange } = await import('/static/js/views/grid.js');
    const canvas = document.querySelector(`#${id} canvas.montage-canvas`);
    const { left, top, pitch, factor, columns, cell } = arrange({ count, size, scale }, canvas.width, canvas.height,
      devicePixelRatio);
    return { left, top, pitch, factor, columns, cell };
}"""
# Name and pixels in one and the same moment.
_PIXELS = """([grid, count, size]) => {
    const canvas = document.querySelector('#montage canvas.montage-canvas');
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    const { left, top, pitch, factor, columns } = grid;
    const pixels = [];
    for (let i = 0; i < count; i += 1)
      for (let y = 0; y < size; y += 1)
        for (let x = 0; x < size; x += 1) {
          const column = left + (i % columns) * pitch + x * factor + Math.floor(factor / 2);
          const row = top + Math.floor(i / columns) * pitch + y * factor + Math.floor(factor / 2);
          const at = 4 * (row * canvas.width + column);
          pixels.push(data[at], data[at + 1], data[at + 2]);
        }
    return [document.querySelector('h1.head-name').textContent, pixels];
}"""


# ---- the app


class App:
    """`antrax extract-trainset`, running."""

    def __init__(self, experiments: Path, cache: Path, *options: object) -> None:
        command = [sys.executable, "-m", "antrax", "extract-trainset", experiments, "--no-browser", *options]
        cache.mkdir(exist_ok=True)
        self.errors_file = cache / "stderr.txt"
        with self.errors_file.open("ab") as errors:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, "ANTRAX_CACHE": str(cache), "PYTHONFAULTHANDLER": "1"},
            )
        assert self.process.stdout
        found = re.search(r"http://127\.0\.0\.1:(\d+)/\S+", self.process.stdout.readline())
        if not found:  # what was left of it would make other tests fail
            self.crash()
        assert found, self.errors_file.read_text()
        self.address, self.port = found[0], int(found[1])
        self.root = f"http://127.0.0.1:{self.port}"

    def end(self) -> None:
        """End it as Ctrl-C does. Fails where it had ended by itself."""
        if self.process.returncode is None:
            by_itself = self.process.poll()
            self.process.terminate()
            self.process.communicate(timeout=PATIENCE_S)
            assert by_itself is None, f"ended by itself, with {by_itself}: {self.errors_file.read_text()}"
        assert self.errors_file.read_text() == ""

    def crash(self) -> None:
        """End it as a power cut does."""
        self.process.kill()
        self.process.communicate(timeout=PATIENCE_S)


def free_port(start: int) -> int:
    """The first port from `start` on at which nobody listens."""
    for port in range(start, start + 1000):
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
    raise OSError("no port is free")


# ---- the browser


class Tab:
    """A tab of the browser, with a person before it."""

    def __init__(self, page: Page, look_ms: int = LOOK_MS) -> None:
        self.page = page
        self.look_ms = look_ms
        self._announced: list[str] = []
        self._troubles: list[str] = []
        page.set_default_timeout(PATIENCE_S * 1000)
        page.on("response", self._on_response)
        page.on("pageerror", lambda error: self._troubles.append(f"page: {error}"))
        page.on("console", lambda message: self._on_console(message.type, message.text, message.location["url"]))

    def _on_response(self, response: Response) -> None:
        if response.status >= 400:
            self._troubles.append(f"{response.status} {response.url}")

    def _on_console(self, kind: str, text: str, url: str) -> None:
        # an answer's status is noted as such
        if kind == "error" and not text.startswith("Failed to load resource: the server responded"):
            self._troubles.append(f"console: {text} {url}")

    def expects(self, *troubles: str) -> None:
        """Announce troubles: regular expressions, each of which must come true at least once."""
        self._announced += troubles

    def check(self) -> None:
        """Fail on troubles that were not announced, and on those that did not come."""
        surprises = [text for text in self._troubles if not any(re.search(known, text) for known in self._announced)]
        assert not surprises, f"not announced: {surprises}"
        missed = [known for known in self._announced if not any(re.search(known, text) for text in self._troubles)]
        assert not missed, f"announced, but did not come: {missed}; there were: {self._troubles}"

    # -- what is on the screen

    def find(self, selector: str) -> Locator:
        """Elements by their selector."""
        return self.page.locator(selector)

    def button(self, name: str | re.Pattern[str], within: str = "body") -> Locator:
        """A button by its whole name."""
        exact = isinstance(name, str)
        return self.find(within).get_by_role("button", name=name, exact=exact)

    def shown(self) -> str:
        """The tracklet on the screen, once all its visible images are painted and could be seen."""
        self.page.wait_for_function(_SHOWN, polling="raf")
        self.look()
        return str(self.page.evaluate(_SHOWN))

    def look(self) -> None:
        """Look at the images on the screen, long enough for the page to let keys act on them."""
        self.until(lambda: self.page.evaluate(_CAN_ACT))

    def other_than(self, before: str) -> str:
        """The tracklet on the screen, once it is another one."""
        self.page.wait_for_function(f"(before) => ![null, before].includes(({_SHOWN})())", arg=before, polling="raf")
        return self.shown()

    def look_at_examples(self) -> None:
        """Look at the images of the gallery as long as the page asks for."""
        expect(self.find("dialog .gallery-area")).to_have_attribute("aria-busy", "false")
        self.page.wait_for_timeout(self.look_ms)

    def shows(self, tracklet: str) -> None:
        """Wait for the images of a tracklet on the screen."""
        self.page.wait_for_function(f"(wanted) => ({_SHOWN})() === wanted", arg=tracklet, polling="raf")
        self.look()

    def chosen_label(self) -> str | None:
        """The label that an export would use."""
        pressed = self.find("#panel-label .label[aria-pressed=true]")
        return pressed.get_attribute("data-label") if pressed.count() else None

    def place(self, i: int, count: int, size: int, montage: str = "frames-all") -> tuple[float, float]:
        """Where the middle of an image lies on the page. For a montage that fits all of its images."""
        grid = self.page.evaluate(_GRID, [montage, count, size, "fit"])
        box = self.find(f"#{montage}").bounding_box()
        assert box
        middle = grid["cell"] / 2
        x = box["x"] + grid["left"] + (i % grid["columns"]) * grid["pitch"] + middle
        return x, box["y"] + grid["top"] + (i // grid["columns"]) * grid["pitch"] + middle

    def painted(self, count: int, size: int) -> tuple[str, NDArray[np.uint8]]:
        """The name in the head, and the images in the montage at the same moment: (count, size, size, 3)."""
        grid = self.page.evaluate(_GRID, ["montage", count, size, "fit"])
        name, pixels = self.page.evaluate(_PIXELS, [grid, count, size])
        return name, np.array(pixels, np.uint8).reshape(count, size, size, 3)

    def violations(self) -> list[Any]:
        """What axe-core finds on the page as it is."""
        if not self.page.evaluate("typeof axe !== 'undefined'"):
            self.page.add_script_tag(content=AXE.read_text(encoding="utf-8"))
        found: list[Any] = self.page.evaluate(_RUN_AXE)
        return found

    def out_of_reach(self) -> list[str]:
        """Controls that cannot be brought into sight as a person would, by scrolling: their name and where they are."""
        self.until(lambda: self.page.evaluate(_OUT_OF_REACH)[0])
        lost: list[str] = self.page.evaluate(_OUT_OF_REACH)[1]
        return lost

    # -- what the person does

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def type_label(self, label: str) -> None:
        """Choose a label by typing it, with the focus in no field."""
        # a list of labels that was just saved comes a moment later
        expect(self.find(f'#panel-label .label[data-label="{label}"]')).to_have_count(1)
        self.press(*label.lower())
        expect(self.find(f'#panel-label .label[data-label="{label}"]')).to_have_attribute("aria-pressed", "true")

    def saved(self) -> None:
        """Wait until no export is under way."""
        expect(self.find("#panel-label .pending")).to_have_count(0)

    def said(self, text: str | re.Pattern[str]) -> None:
        """Wait for a message about the last export."""
        expect(self.find(".last-message")).to_contain_text(text)

    def told(self, text: str | re.Pattern[str]) -> Locator:
        """Wait for a short message at the edge; it is given back."""
        message = self.find("#toasts .toast").filter(has_text=text)
        expect(message.last).to_be_visible()
        return message.last

    def checked(self, tracklets: int) -> None:
        """Wait until the statistics count so many checks."""
        expect(self.find(".rates [role=status]")).to_have_text(re.compile(rf"^{tracklets or 'No'}\b"))

    def go_to(self, tracklet: str) -> None:
        """Show a tracklet by its name."""
        self.press("Shift+G")
        self.find("dialog input").fill(tracklet)
        self.press("Enter")
        self.shows(tracklet)

    def filter(self, *choices: str) -> None:
        """Choose in the menu *Tracklets*: 'All movies', 'Movie 2', a label."""
        for choice in choices:
            self.find("#open-tracklets").click()
            self.find(".menu").get_by_role("menuitemradio", name=re.compile(rf"^{re.escape(choice)}\b")).click()
            # open only where there is no such tracklet
            self.until(
                lambda: self.page.evaluate("!document.querySelector('.menu') || document.querySelector('.menu .warn')")
            )
        self.press("Escape")

    def order(self, title: str) -> None:
        """Choose in the menu *Order*."""
        self.find("#open-order").click()
        self.find(".menu").get_by_role("menuitemradio", name=re.compile(title)).click()

    def until(self, condition: Callable[[], Any]) -> None:
        """Wait for something that the browser cannot tell, such as a file."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            self.page.wait_for_timeout(20)


# ---- what is on the disk


def exported(session: Session) -> dict[str, dict[str, int]]:
    """How many images of each tracklet are in the training set, by label."""
    counts: dict[str, dict[str, int]] = {}
    folder = session.classifier_dir / "examples"
    for file in list_examples(folder) if folder.is_dir() else []:
        labels = counts.setdefault(file.tracklet, {})
        labels[file.label] = labels.get(file.label, 0) + 1
    return counts


def counts_of(session: Session, movie: int = 1) -> dict[str, int]:
    """How many images each tracklet of a movie has."""
    (path,) = session.stacks[movie]
    with open_stack(path) as stack:
        return {name.name: stack.count(name.name) for name in stack.tracklets()}


def images_of(session: Session, tracklet: str) -> NDArray[np.uint8]:
    """Images of a tracklet as its stack has them, on white."""
    (path,) = session.stacks[parse_tracklet_name(tracklet).movie]
    with open_stack(path) as stack:
        images = stack.read(tracklet).copy()
    images[(images == 0).all(axis=3)] = 255
    return images
