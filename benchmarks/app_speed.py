"""How fast the app is in a real browser, on an experiment of 100,000 tracklets.

    python benchmarks/app_speed.py [--movies 100] [--tracklets 100000] [--delay 0]

Makes up the experiment (most of its tracklets are hard links to the images of a few: what costs time is their number
and length, not their pixels), starts `antrax extract-trainset` on it as a user would, opens it in Chromium and
prints a table:

- start: from the command to the address on the terminal, and to the first tracklet on the screen; the first time, and
  when the listing is remembered;
- next: from the key to the images of the next tracklet on the screen, with 600 images in each, at reading pace, as
  fast as the page follows, and at random places (nothing fetched ahead);
- surroundings: the same with the pane of surroundings open, and from the key until it is filled;
- pixels: bytes that a tracklet of 600 images takes, beside its raw pixels;
- memory: of the server and of the page after all this.

`--delay` adds so many milliseconds to each request, as an SSH tunnel does. Needs Playwright (`pip install -e .[dev]`)
and Chromium (`ANTRAX_CHROMIUM`, by default /usr/bin/chromium).
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import psutil
from playwright.sync_api import Browser, Page, Request, sync_playwright

from antrax.demo import generate_experiment
from antrax.io.session import open_session

LONG = 600
# Every so many tracklets is a long one; the others take the lengths that the demo's have.
LONG_EVERY = 2
CHROMIUM = os.environ.get("ANTRAX_CHROMIUM", "/usr/bin/chromium")
# In the page: time from a key's event until the images of another tracklet are all painted.
WATCH = """
window.antraxKeyTime = 0;
addEventListener('keydown', (event) => { window.antraxKeyTime = event.timeStamp; }, true);
window.antraxShown = () => {
  const montage = document.getElementById('montage');
  return montage && montage.getAttribute('aria-busy') === 'false' ? montage.dataset.tracklet : null;
};
window.antraxWait = (before) => new Promise((resolve) => {
  const look = () => {
    const shown = window.antraxShown();
    const done = () => resolve([shown, performance.now() - window.antraxKeyTime]);
    if (shown && shown !== before) requestAnimationFrame(done);
    else requestAnimationFrame(look);
  };
  look();
});
window.antraxSurrounded = (before) => new Promise((resolve) => {
  const around = document.getElementById('around');
  const look = () => {
    const shown = window.antraxShown();
    if (shown && shown !== before && around.getAttribute('aria-busy') === 'false')
      resolve(performance.now() - window.antraxKeyTime);
    else requestAnimationFrame(look);
  };
  look();
});
"""


def make_experiment(folder: Path, movies: int, tracklets: int) -> Path:
    """An experiment of so many tracklets, from the images of a small demo."""
    made = generate_experiment(folder / "source", seed=1, movies=2, tracklets=60, max_frames=LONG)
    source = open_session(made.directory)
    experiment = folder / "large"
    shutil.copytree(source.path / "parameters", experiment / "session" / "parameters")
    images = experiment / "session" / "images"
    images.mkdir(parents=True)
    (experiment / "session" / "tracklets").mkdir()
    per_movie = tracklets // movies
    rows = ["index subdir name movfile fps nframes fi ff"]
    with h5py.File(source.stacks[1][0], "r") as stack:
        names = list(stack)
        longest = np.concatenate([stack[name][()] for name in names if stack[name].ndim == 4])[:LONG]
        for movie in range(1, movies + 1):
            trdata = experiment / "session" / "tracklets" / f"trdata_{movie}.mat"
            with (
                h5py.File(images / f"images_{movie}.mat", "w", libver="latest") as file,
                h5py.File(trdata, "w", libver="latest") as places,
            ):
                for name in names:
                    stack.copy(name, file, f"source_{name}")
                file.create_dataset("source_long", data=longest, chunks=(64, *longest.shape[1:]), compression="gzip")
                first = 1
                for number in range(per_movie):
                    chosen = "long" if number % LONG_EVERY == 0 else names[number % len(names)]
                    dataset = file[f"source_{chosen}"]
                    count = dataset.shape[0] if dataset.ndim == 4 else 1
                    name = f"trj_id{number % 400 + 1}_ti{movie}_{first}_tf{movie}_{first + count - 1}"
                    file[name] = dataset
                    if f"source_{count}" not in places:
                        places[f"source_{count}"] = _walk(count)
                    places[name] = places[f"source_{count}"]
                    first += 3
                rows.append(
                    f"{movie} 1_{movies} m{movie} m{movie}.mp4 10 {first} {(movie - 1) * first + 1} {movie * first}"
                )
    (experiment / "session" / "parameters" / "movies_info.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return experiment


def _walk(frames: int) -> np.ndarray:
    """Measurements of a blob that walks slowly to the right."""
    data = np.zeros((17, frames), np.float32)
    data[1], data[2], data[3], data[16] = 300 + np.arange(frames) / 10, 300, 20, 0.1
    return data


class App:
    """`antrax extract-trainset`, running."""

    def __init__(self, experiment: Path, cache: Path) -> None:
        environment = {**os.environ, "ANTRAX_CACHE": str(cache)}
        command = [
            sys.executable,
            "-m",
            "antrax",
            "extract-trainset",
            str(experiment),
            "--no-browser",
            "--port",
            "8790",
        ]
        self.started = time.perf_counter()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := re.search(r"http://\S+", line):
                self.address = found[0]
                break
        self.told_s = time.perf_counter() - self.started

    def memory_mb(self) -> float:
        """Memory of the server that no other process shares."""
        return float(psutil.Process(self.process.pid).memory_full_info().uss) / 1e6

    def __enter__(self) -> App:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(20)


def open_page(browser: Browser, app: App, delay: float) -> tuple[Page, float]:
    """The page with its first tracklet, and how long that took since the command."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.add_init_script(WATCH)
    if delay:
        network = page.context.new_cdp_session(page)
        network.send("Network.enable")
        network.send(
            "Network.emulateNetworkConditions",
            {"offline": False, "latency": delay, "downloadThroughput": -1, "uploadThroughput": -1},
        )
    page.goto(app.address)
    page.evaluate("window.antraxWait(null)")
    return page, time.perf_counter() - app.started


def press(page: Page, key: str, pause_s: float, times: int) -> list[float]:
    """Milliseconds from the key to the images, for so many presses."""
    measured = []
    for _ in range(times):
        before = page.evaluate("window.antraxShown()")
        waiting = page.evaluate_handle("(before) => ({ done: window.antraxWait(before) })", before)
        page.keyboard.press(key)
        _, milliseconds = page.evaluate("(waiting) => waiting.done", waiting)
        measured.append(float(milliseconds))
        time.sleep(pause_s)
    return measured


def go_to(page: Page, places: list[int]) -> list[float]:
    """Milliseconds from Enter in *Go to* to the images of a tracklet that nothing was fetched of before."""
    measured = []
    for place in places:
        before = page.evaluate("window.antraxShown()")
        page.keyboard.press("Shift+G")
        page.locator("dialog[open] input").fill(str(place))
        waiting = page.evaluate_handle("(before) => ({ done: window.antraxWait(before) })", before)
        page.keyboard.press("Enter")
        _, milliseconds = page.evaluate("(waiting) => waiting.done", waiting)
        measured.append(float(milliseconds))
        time.sleep(1.0)
    return measured


def surroundings(page: Page, times: int) -> list[float]:
    """Milliseconds from the key until the surroundings of the next tracklet are on the screen."""
    measured = []
    for _ in range(times):
        before = page.evaluate("window.antraxShown()")
        waiting = page.evaluate_handle("(before) => ({ done: window.antraxSurrounded(before) })", before)
        page.keyboard.press("ArrowRight")
        measured.append(float(page.evaluate("(waiting) => waiting.done", waiting)))
        time.sleep(0.3)
    return measured


def row(what: str, values: list[float], unit: str, digits: int = 0) -> None:
    """A line of the table."""
    ordered = sorted(values)
    worst = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    print(f"{what:<58}{statistics.median(ordered):>9.{digits}f}{worst:>9.{digits}f}{ordered[-1]:>9.{digits}f}  {unit}")


def choose_longest(page: Page) -> None:
    """Go through the longest tracklets first."""
    before = page.evaluate("window.antraxShown()")
    page.keyboard.press("Shift+O")
    page.get_by_role("menuitemradio", name=re.compile("Longest")).click()
    page.evaluate("(before) => window.antraxWait(before)", before)
    time.sleep(1.0)


def bytes_of_a_tracklet(page: Page) -> tuple[int, int]:
    """What the browser received for the images of one long tracklet, and the raw pixels of the same."""
    received: dict[str, int] = {}

    def note(request: Request) -> None:
        if "/sheet" in request.url:
            received[request.url] = request.sizes()["responseBodySize"]

    page.on("requestfinished", note)
    press(page, "ArrowRight", 0.7, 10)
    page.remove_listener("requestfinished", note)
    tracklets = {re.search(r"tracklet=([^&]+)", url)[1] for url in received}  # type: ignore[index]
    return sum(received.values()) // len(tracklets), LONG * 48 * 48 * 3


def main() -> None:
    """Make the experiment, run the app on it, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--movies", type=int, default=100)
    parser.add_argument("--tracklets", type=int, default=100_000)
    parser.add_argument("--delay", type=float, default=0, help="milliseconds added to each request")
    parser.add_argument("--repeat", type=int, default=5, help="starts measured")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="antrax-bench-") as folder, sync_playwright() as playwright:
        experiment = make_experiment(Path(folder), options.movies, options.tracklets)
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        print(
            f"{options.tracklets:,} tracklets in {options.movies} movies, {options.delay:.0f} ms added to each request"
        )
        print(f"{'':<58}{'median':>9}{'95 %':>9}{'worst':>9}")
        measure(browser, experiment, Path(folder), options)
        browser.close()


def measure(browser: Browser, experiment: Path, folder: Path, options: Any) -> None:
    """All figures."""
    for title in ("started for the first time", "started again"):
        told, usable = [], []
        for number in range(options.repeat):
            cache = folder / (f"cache{number}" if "first" in title else "cache0")
            with App(experiment, cache) as app:
                page, seconds = open_page(browser, app, options.delay)
                told.append(app.told_s)
                usable.append(seconds)
                page.close()
        row(f"{title}: address printed", told, "s", 2)
        row(f"{title}: first tracklet on the screen", usable, "s", 2)
    with App(experiment, folder / "cache0") as app:
        page, _ = open_page(browser, app, options.delay)
        choose_longest(page)
        sent, raw = bytes_of_a_tracklet(page)
        print(
            f"bytes sent for {LONG} images of 48 pixels: {sent / 1e3:,.0f} kB, "
            f"raw pixels {raw / 1e3:,.0f} kB (ratio {sent / raw:.2f})"
        )
        row(f"next tracklet of {LONG} images, reading (0.7 s each)", press(page, "ArrowRight", 0.7, 40), "ms")
        row("next, as fast as the page follows", press(page, "ArrowRight", 0.0, 40), "ms")
        row("back, as fast as the page follows", press(page, "ArrowLeft", 0.0, 40), "ms")
        row("anywhere, nothing fetched ahead", go_to(page, list(range(100, 480, 38))), "ms")
        page.keyboard.press("/")
        page.wait_for_selector("#around[aria-busy=false]")
        row("next with the surroundings open, reading", press(page, "ArrowRight", 0.7, 40), "ms")
        row("from the key to the surroundings", surroundings(page, 30), "ms")
        page.keyboard.press("/")
        press(page, "ArrowRight", 0.0, 300)
        heap = page.evaluate("performance.memory ? performance.memory.usedJSHeapSize : 0") / 1e6
        memory = f"server {app.memory_mb():.0f} MB, page's JavaScript {heap:.0f} MB"
        print(f"memory after 400 tracklets of {LONG} images: {memory}")


if __name__ == "__main__":
    main()
