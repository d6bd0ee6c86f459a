"""Two processes do not work on the same files, one that died does not block, and whoever waits is told for whom."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from antrax.errors import LockedError
from antrax.io.atomic import remove_dead_parts, replacing
from antrax.io.locks import announce, claim, claims, only_writer
from antrax.io.processes import ProcessTag, parse_tag, start_time, this_process
from tests.fixtures.processes import python

CLAIM = """
import sys
from pathlib import Path
from antrax.io.locks import claim, claims, only_writer
with {call}:
    print("held", flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def other_process(call: str) -> Iterator[subprocess.Popen[str]]:
    """A process that holds a lock until its input ends."""
    with python("-c", CLAIM.format(call=call)) as process:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.stdin.close()
        process.wait()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_second_writer_is_told_who_the_first_is(tmp_path: Path) -> None:
    lock = tmp_path / ".trainset.lock"
    with other_process(f"only_writer(Path({str(lock)!r}), task='antrax train')") as other:
        with pytest.raises(LockedError, match=rf"antrax train \(process {other.pid} on .+, since 20\d\d-"):
            with only_writer(lock, patience=0):
                pass
    with only_writer(lock, patience=0):
        assert names(tmp_path) == [".trainset.lock", ".trainset.lock.holder"]
    assert names(tmp_path) == [".trainset.lock"]


def test_a_writer_waits_for_one_that_ends_in_time(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with other_process(f"only_writer(Path({str(lock)!r}))") as other:
        assert other.stdin is not None
        threading.Timer(0.2, other.stdin.close).start()
        with only_writer(lock, patience=30):
            assert other.wait() == 0


@pytest.mark.parametrize("call", ["only_writer({!r} / 'lock')", "claim({!r}, 'classify', [1])"])
def test_a_holder_that_was_killed_does_not_block(tmp_path: Path, call: str) -> None:
    with other_process(call.format(tmp_path).replace("PosixPath", "Path").replace("WindowsPath", "Path")) as other:
        other.kill()
        other.wait()
        with only_writer(tmp_path / "lock", patience=0), claim(tmp_path, "classify", [1]):
            pass
    assert names(tmp_path) in ([], ["lock"])


def test_claims_on_other_parts_do_not_meet(tmp_path: Path) -> None:
    with other_process(f"claim(Path({str(tmp_path)!r}), 'classify', [1, 2, 5], task='antrax classify')") as other:
        with claim(tmp_path, "classify", [3, 4]):
            pass
        with claim(tmp_path, "other", [1]):
            pass
        with pytest.raises(LockedError, match=rf"antrax classify \(process {other.pid} .* on 2, 5, too"):
            with claim(tmp_path, "classify", [2, 3, 5]):
                pass
        assert len(names(tmp_path)) == 2
    assert names(tmp_path) == []


def test_of_claims_made_at_the_same_moment_no_two_are_held(tmp_path: Path) -> None:
    inside, most, refused = 0, 0, 0
    count = threading.Lock()
    start = threading.Barrier(4)

    def run() -> None:
        nonlocal inside, most, refused
        start.wait()
        for _ in range(5):
            try:
                with claim(tmp_path, "classify", [1]):
                    with count:
                        inside += 1
                        most = max(most, inside)
                    with count:
                        inside -= 1
            except LockedError:
                with count:
                    refused += 1

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert refused < 20
    assert names(tmp_path) == []


def test_who_is_at_work_is_told_without_changing_anything(tmp_path: Path) -> None:
    assert claims(tmp_path / "missing", "classify", tidy=False) == []
    with other_process(f"claim(Path({str(tmp_path)!r}), 'classify', [1, 2])") as other:
        there = names(tmp_path)
        (holder,) = claims(tmp_path, "classify", tidy=False)
        assert (holder.process.pid, holder.parts) == (other.pid, (1, 2))
        assert claims(tmp_path, "solve", tidy=False) == []
        assert names(tmp_path) == there
        other.kill()
        other.wait()
        assert claims(tmp_path, "classify", tidy=False) == []
        assert names(tmp_path) == there


def test_a_lock_without_a_readable_note_blocks_all_the_same(tmp_path: Path) -> None:
    with other_process(f"claim(Path({str(tmp_path)!r}), 'classify', [1])"):
        (note,) = tmp_path.glob("*.holder")
        note.write_text("{")
        with pytest.raises(LockedError, match="another program"):
            with claim(tmp_path, "classify", [7]):
                pass


def test_a_claim_that_died_before_it_had_its_lock_is_removed(tmp_path: Path) -> None:
    dead = ProcessTag(this_process().machine, this_process().pid, 1)
    (tmp_path / ".classify.aa.holder").write_text(
        f'{{"task": "x", "host": "h", "process": "{dead}", "since": "", "parts": [1]}}'
    )
    with claim(tmp_path, "classify", [1]):
        pass
    assert names(tmp_path) == []


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="needs a file system that lets nobody write: Linux's /sys")
def test_where_no_lock_can_be_had_work_is_not_refused() -> None:
    with only_writer(Path("/sys/kernel/lock"), patience=0), claim(Path("/sys/kernel"), "classify", [1]):
        pass


def test_a_process_is_known_dead_only_where_that_is_sure() -> None:
    me = this_process()
    assert parse_tag(str(me)) == me
    assert not me.is_surely_dead()
    assert ProcessTag(me.machine, me.pid, me.started + 1).is_surely_dead()  # its number was used again
    assert not ProcessTag("ffffffff", 999_999, 1).is_surely_dead()  # of another machine
    with python("-c", "") as ended:
        tag = ProcessTag(me.machine, ended.pid, start_time(ended.pid) or 0)
        if os.name == "posix":
            os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
            assert tag.is_surely_dead()  # a zombie
        ended.wait()
        assert tag.is_surely_dead()


def test_what_killed_processes_left_half_written_is_removed_and_nothing_else(tmp_path: Path) -> None:
    me = this_process()
    dead = f".a.csv.{ProcessTag(me.machine, me.pid, 1)}-00ff00ff.part"
    others = [
        f".b.csv.{ProcessTag('ffffffff', 1, 1)}-00ff00ff.part",
        ".c.csv.00ff00ff.part",
        "d.part",
        f"e.{ProcessTag(me.machine, me.pid, 1)}-00ff00ff.part",
    ]
    for name in (dead, *others):
        (tmp_path / name).touch()
    with replacing(tmp_path / "mine.csv") as temporary:
        assert remove_dead_parts(tmp_path) == [tmp_path / dead]
        assert temporary.exists()
    assert names(tmp_path) == sorted([*others, "mine.csv"])
    assert remove_dead_parts(tmp_path / "missing") == []


def test_a_name_as_long_as_names_can_be_is_written(tmp_path: Path) -> None:
    path = tmp_path / ("ä" * 125 + ".csv")
    with replacing(path) as temporary:
        temporary.write_text("x")
    assert path.read_text() == "x"


def test_what_killed_processes_announced_is_removed_by_the_next_one(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from antrax.io.locks import announce\n"
        "with announce(Path(sys.argv[1]), 'classify'): os.kill(os.getpid(), 9)"
    )
    for _ in range(2):
        subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert len(left) == 2, left  # the second one removed what the first left
    # one that was killed before it had its lock
    next(tmp_path.glob("*.lock")).unlink()
    with announce(tmp_path, "classify"):
        assert not set(left) & {path.name for path in tmp_path.iterdir()}
    assert list(tmp_path.iterdir()) == []
