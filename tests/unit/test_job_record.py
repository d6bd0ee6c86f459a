"""What the next start of the app knows of a job that the end of the app interrupted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from antrax.app.jobs.manager import Jobs
from antrax.app.jobs.record import JobRecord
from antrax.io.session import open_session

SESSION = Path("/data/some.ants/session")


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "memory" / "jobs.json"


def killed_app(path: Path) -> None:
    """Another process, which began a training and is dead now."""
    code = (
        "import sys; from pathlib import Path; from antrax.app.jobs.record import JobRecord; "
        "JobRecord(Path(sys.argv[1])).add(Path(sys.argv[2]), 'train', {'epochs': 20, 'scratch': False})"
    )
    subprocess.run([sys.executable, "-c", code, str(path), str(SESSION)], check=True)


def test_a_job_of_an_app_that_ended_is_told_with_its_options(path):
    killed_app(path)
    told = JobRecord(path).interrupted(SESSION)
    assert told is not None
    assert (told["kind"], told["options"]) == ("train", {"epochs": 20, "scratch": False})
    assert JobRecord(path).interrupted(SESSION.with_name("other")) is None


def test_what_was_forgotten_is_told_no_more(path):
    killed_app(path)
    JobRecord(path).remove(SESSION)
    assert JobRecord(path).interrupted(SESSION) is None


def test_a_job_that_another_app_is_at_is_not_interrupted(path):
    killed_app(path)
    entries = json.loads(path.read_text())
    machine, pid, started = entries[str(SESSION)]["process"].split("-")
    entries[str(SESSION)]["process"] = f"{'0' * 8 if machine != '0' * 8 else '1' * 8}-{pid}-{started}"
    path.write_text(json.dumps(entries))
    assert JobRecord(path).interrupted(SESSION) is None


@pytest.mark.parametrize("text", ["", "[]", "{", '{"/data/some.ants/session": 3}', '{"/data/some.ants/session": {}}'])
def test_a_damaged_record_is_no_record(path, text):
    path.parent.mkdir()
    path.write_text(text)
    assert JobRecord(path).interrupted(SESSION) is None
    JobRecord(path).add(SESSION, "classify", {})
    assert JobRecord(path).interrupted(SESSION) is not None


def test_without_a_place_nothing_is_remembered():
    record = JobRecord(None)
    record.add(SESSION, "train", {})
    assert record.interrupted(SESSION) is None


def test_the_end_of_the_app_is_remembered_and_the_end_of_a_job_is_not(small_demo, tmp_path):
    session = open_session(small_demo.directory)
    first = Jobs(tmp_path)
    first.start(session, "train", {"epochs": 7})
    first.close()
    told = Jobs(tmp_path).interrupted(session)
    assert told is not None
    assert told["options"]["epochs"] == 7
    second = Jobs(tmp_path)
    second.start(session, "train", {"epochs": 7})
    assert second.interrupted(session) is None
    second.stop(session)
    assert Jobs(tmp_path).interrupted(session) is None
