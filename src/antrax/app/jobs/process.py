"""Process of a background job: `python -m antrax.app.jobs.process train|classify|group`.

It reads a line of JSON from standard input, and writes a line of JSON to standard output for each event. When standard
input ends, it ends: so it does not outlive the app, however that ended. See `antrax.app.jobs`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from antrax.errors import AntraxError, ClassificationError, explain_mistake
from antrax.io.locks import only_writer
from antrax.io.text import tell_guesses
from antrax.messages import with_command_line_options
from antrax.progress import Reporter, Update
from antrax.stalls import StallWatch, watched

if TYPE_CHECKING:
    from antrax.classification.report import ClassifyResult
    from antrax.io.session import Session
    from antrax.training.run import TrainResult

# Seconds that a stopped job may take to clean up before it is killed.
GRACE_S = 1.5
_TELL_EVERY_S = 0.2
# Lower priority than the page's server.
_NICENESS = 5


class _Stopped(BaseException):
    """The app wants this to end."""


class _Lines(Reporter):
    """Reporter that writes events as lines of JSON."""

    def __init__(self, output: BinaryIO) -> None:
        self._output = output
        self._lock = threading.Lock()

    def tell(self, event: str, **values: object) -> None:
        """Write an event; a closed pipe is ignored, because this process is then about to end."""
        shown = {
            key: with_command_line_options(value) if isinstance(value, str) else value for key, value in values.items()
        }
        line = json.dumps({"event": event, **shown}).encode() + b"\n"
        with self._lock, contextlib.suppress(OSError):
            self._output.write(line)
            self._output.flush()

    def say(self, message: str) -> None:
        """A line about what was done."""
        self.tell("message", text=message)

    def warn(self, message: str) -> None:
        """A line that starts with `warning:`."""
        self.tell("message", text=f"warning: {message}")

    def stages(self, shares: Mapping[str, float]) -> None:
        """Report the stages."""
        self.tell("stages", shares=dict(shares))

    @contextlib.contextmanager
    def bar(self, title: str, total: int | None, unit: str) -> Iterator[Update]:
        """Report the progress at intervals, and where the work stands still."""
        told = 0.0
        last: dict[str, Any] = {"title": title, "done": 0, "total": total, "unit": unit, "note": ""}

        watch = StallWatch(title, self.warn)

        def update(done: int, note: str = "", total: int | None = None) -> None:
            nonlocal told
            watch.went_on()
            last.update(done=done, note=note, total=total if total is not None else last["total"])
            if time.monotonic() - told >= _TELL_EVERY_S:
                told = time.monotonic()
                self.tell("progress", **last)

        self.tell("progress", **last)
        with watched(watch):
            yield update
        self.tell("progress", **last)


def main() -> int:
    """Run the job given on standard input; the exit status is 0 if the outcome could be reported."""
    reporter = _Lines(_private_output())
    tell_guesses(reporter.warn)
    request = json.loads(sys.stdin.buffer.readline() or "null")
    if request is None:
        return 0
    _end_with_standard_input()
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    try:
        try:
            _work(sys.argv[1], request, reporter)
            _ignore_stop()
        except _Stopped:
            _ignore_stop()
            reporter.tell("stopped")
            return 0
    except ClassificationError as error:
        failed = error.report
        _tell_report(failed, reporter)
        for failure in failed.failures[1:]:
            reporter.warn(failure)
        reporter.tell("failed", message=_one_line(error))
    except (AntraxError, MemoryError, OSError) as error:
        reporter.tell("failed", message=_one_line(error))
    except Exception as error:
        reporter.tell("failed", message=explain_mistake(error))
    else:
        reporter.tell("done")
    return 0


def _work(kind: str, request: dict[str, Any], reporter: _Lines) -> None:
    from antrax.io.session import open_session

    session = open_session(request["experiment"], request["session"])
    reporter.tell("progress", title="starting", done=0, total=None, unit="", note="")
    work = {"train": "training", "classify": "classification", "group": "grouping"}[kind]
    with _claimed(session, f"a {work} started from the page"):
        if kind == "train":
            _train(session, request["options"], reporter)
        elif kind == "classify":
            _classify(session, request["options"], reporter)
        else:
            _group(session, request["options"], reporter)


def _train(session: Session, options: dict[str, Any], reporter: _Lines) -> None:
    from antrax.training.record import shortcomings
    from antrax.training.run import TrainOptions, train

    # An experiment that holds a folder `examples` of its own would be taken for a training set.
    own = session.layout.classifier.examples.is_dir()
    result: TrainResult = train(
        session.classifier_dir if own else session.experiment,
        TrainOptions(epochs=options["epochs"], scratch=options["scratch"]),
        session=session.name,
        reporter=reporter,
    )
    reporter.say(f"classifier: {result.path}")
    reporter.say(f"record: {result.record}")
    if result.evaluation:
        reporter.say(
            f"held out: {int(result.evaluation.tracklets.sum())} tracklets that the network never saw, "
            f"{result.evaluation.image_accuracy:.1%} of their images and {result.evaluation.tracklet_accuracy:.1%} of "
            "tracklets right"
        )
    # the page shows the last line when the training is over
    for warning in shortcomings(result.classifier.record):
        reporter.warn(warning)


def _classify(session: Session, options: dict[str, Any], reporter: _Lines) -> None:
    from antrax.classification.run import ClassifyOptions, classify

    report = classify(
        session.experiment,
        ClassifyOptions(
            session=session.name,
            movies=options["movies"],
            missing=options["missing"],
            max_error=options["max_error"],
            classifier=options["classifier"],
        ),
        reporter=reporter,
    )
    _tell_report(report, reporter)


def _group(session: Session, options: dict[str, Any], reporter: _Lines) -> None:
    from antrax.grouping.run import GroupOptions, group

    for line in group(session, GroupOptions(options["groups"]), reporter=reporter).summary()[::-1]:
        reporter.say(line)  # the page shows the last one when the grouping is over


def _tell_report(report: ClassifyResult, reporter: Reporter) -> None:
    from antrax.classification.report import OUTCOMES

    for experiment in report.experiments:
        movies = _counted(len(experiment.movies), "movie")
        if not experiment.movies:
            if not experiment.failures:
                reporter.say("nothing was left to classify")
            continue
        total = experiment.tracklets.total()
        shares = ", ".join(f"{experiment.tracklets[name]:,} {name}" for name in OUTCOMES.values())
        reporter.say(f"{movies} classified: {_counted(total, 'tracklet')}, of which {shares}")
        images = experiment.images.total()
        reporter.say(
            f"{_counted(images, 'image')} in {report.seconds:.1f} s, {images / max(report.seconds, 1e-9):,.0f} "
            f"images/s on {report.device}"
        )


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if text and isinstance(error, AntraxError) else f"{type(error).__name__}: {text}".removesuffix(": ")


def _claimed(session: Session, task: str) -> contextlib.AbstractContextManager[None]:
    """A block in which no other page trains, classifies or groups here; raises `LockedError` where one does."""
    if not session.classifier_dir.is_dir():
        return contextlib.nullcontext()
    return only_writer(session.layout.classifier.job_lock, patience=0, task=task)


def _private_output() -> BinaryIO:
    """Standard output for the events alone: whatever else writes there from now on goes to standard error."""
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return output


def _stop(*_: object) -> None:
    raise _Stopped


def _ignore_stop() -> None:
    """Ignore further requests to stop, while the outcome is reported."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _end_with_standard_input() -> None:
    """Stop when standard input ends; by force where that takes too long."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        if hasattr(signal, "pthread_kill"):
            # sent to the main thread, it also ends a wait for the workers
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
        else:
            signal.raise_signal(signal.SIGTERM)
        time.sleep(GRACE_S)
        end_group()

    threading.Thread(target=watch, daemon=True).start()


def end_group() -> None:
    """End this process and its workers at once."""
    if hasattr(os, "killpg"):
        os.killpg(0, signal.SIGKILL)
    else:
        system = Path(os.environ.get("SYSTEMROOT", "C:/Windows")) / "System32"
        subprocess.run([system / "taskkill.exe", "/F", "/T", "/PID", str(os.getpid())], capture_output=True)
    os._exit(1)


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    # torch and onnxruntime may take seconds to leave, or a thread of theirs may not
    os._exit(status)
