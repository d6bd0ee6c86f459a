"""What is asked of a cluster, how movies are divided into tasks, and the script that says so."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antrax.cluster.chunks import TASK_SECONDS, allot, seconds_of, split_movies, time_limit
from antrax.cluster.jobs import last_error, new_folder, read_job, read_jobs, submit, write_job
from antrax.cluster.options import HpcOptions, parse_hpc_options
from antrax.cluster.script import Script, render
from antrax.errors import ClusterError, OptionError
from antrax.io.layout import ClusterLayout

# --- options


def test_every_option_has_its_place():
    text = "throttle=20, partition=long,email=a@b.org,cpus=8,gpus=a100:1,time=1-12:00:00,mem-per-cpu=4G,"
    assert parse_hpc_options(text + "array-size=900,account=lab_1,max-jobs=50,after=4711") == HpcOptions(
        20, "long", "lab_1", "a@b.org", 8, "a100:1", "1-12:00:00", "4G", 900, 50, "4711"
    )
    assert parse_hpc_options("") == HpcOptions()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "tim=10",
            "there is no 'tim'; there are throttle, partition, email, cpus, gpus, time, mem-per-cpu, array-size",
        ),
        ("time", "time needs a value"),
        ("cpus=4,cpus=5", "cpus stands there twice"),
        ("cpus=0", "cpus=0: expected a number from 1 on"),
        ("cpus=four", "expected a number"),
        ("time=soon", "expected a time such as 2:00:00"),
        ("mem-per-cpu=2GB", "expected memory such as 2G"),
        ("email=me", "expected an address"),
        ("partition=a b", "expected a name"),
        ("account=x\n#SBATCH --uid=0", "expected a name"),
        ("gpus=many", "expected a number such as 1"),
    ],
)
def test_what_cannot_be_meant_is_told(text, told):
    with pytest.raises(OptionError, match=told.replace("'", ".")):
        parse_hpc_options(text)


# --- tasks


def test_tasks_last_minutes_unless_there_would_be_too_many_of_them():
    sizes = dict.fromkeys(range(1, 289), 100_000_000)  # a colony of a report: 288 movies
    seconds = {movie: seconds_of(size, 4) for movie, size in sizes.items()}
    (tasks,) = allot([sum(seconds.values())], [len(seconds)], 1000, 100)
    lengths = [sum(seconds[movie] for movie in chunk) for chunk in split_movies(seconds, tasks)]
    assert TASK_SECONDS / 2 < min(lengths) <= max(lengths) < 1.2 * TASK_SECONDS
    assert allot([10 * TASK_SECONDS * 288] * 6, [288] * 6, 1000, 100) == [16, 16, 17, 17, 17, 17]
    assert allot([10 * TASK_SECONDS * 288], [288], 50, 100) == [50]
    with pytest.raises(OptionError, match=r"max-jobs=2: each of the 3 experiments"):
        allot([1, 1, 1], [1, 1, 1], 1000, 2)


@given(st.lists(st.floats(0.01, 1000), min_size=1, max_size=60), st.integers(1, 60))
def test_every_movie_is_in_one_task_and_no_task_is_empty(lengths, tasks):
    seconds = dict(enumerate(lengths, 1))
    tasks = min(tasks, len(seconds))
    chunks = split_movies(seconds, tasks)
    assert len(chunks) == tasks
    assert all(chunks)
    assert [movie for chunk in chunks for movie in chunk] == list(seconds)
    longest = max(sum(seconds[movie] for movie in chunk) for chunk in chunks)
    assert longest <= 2 * sum(lengths) / tasks + 2 * max(lengths)


def test_a_limit_of_time_leaves_room():
    assert [time_limit(seconds) for seconds in (1, 300, 3600)] == ["1:00:00", "1:00:00", "7:00:00"]


# --- the script


def script_in(folder: Path, **changes) -> Script:
    values = {
        "title": "antrax classify: 5 movies.",
        "name": "antrax classify/E",
        "command": ("python", "-m", "antrax", "classify", "/data/it's here", "--session", "s", "--digest", "abc"),
        "movies": ("1-3", "7,9"),
        "cpus": 4,
        "time": "1:00:00",
    }
    return Script(ClusterLayout.script(folder, "classify"), **{**values, **changes})


def test_the_script_is_plain(tmp_path):
    text = render(script_in(tmp_path), HpcOptions(throttle=3, partition="long", email="a@b.org"), "Written today.")
    directives = [line.removeprefix("#SBATCH --") for line in text.splitlines() if line.startswith("#SBATCH")]
    assert directives == [
        "job-name=antrax-classify-E",
        "array=1-2%3",
        "time=1:00:00",
        "nodes=1",
        "ntasks=1",
        "cpus-per-task=4",
        "mem-per-cpu=2G",
        "partition=long",
        "mail-user=a@b.org",
        "mail-type=END,FAIL",
        f'chdir="{tmp_path}"',
        f'output="{tmp_path}/task_%A_%a.log"',
    ]
    assert text.startswith("#!/bin/bash\n#\n# antrax classify: 5 movies.\n# Written today.\n")
    assert f"#   sbatch {tmp_path / 'classify.sbatch'}\n" in text


def test_a_task_runs_its_own_movies_and_leaves_how_that_ended(tmp_path):
    folder = tmp_path / 'it\'s $HOME [%a] "x"'
    folder.mkdir()
    argued = folder / "arguments"
    program = tmp_path / "program.sh"
    program.write_text(f'#!/bin/bash\nprintf "%s\\n" "$@" > {str(tmp_path)!r}/said; echo "$ANTRAX_LOG"; exit 3\n')
    program.chmod(0o755)
    script = script_in(folder, command=(str(program), "classify", str(argued), "--classifier", "a b"))
    script.path.write_text(render(script, HpcOptions(), "-"), encoding="utf-8")
    environment = {"PATH": "/usr/bin:/bin", "SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "2"}
    done = subprocess.run(["bash", script.path], env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, f"{folder}/task_12_2.log\n"), done.stderr
    assert (tmp_path / "said").read_text().splitlines() == [
        "classify",
        str(argued),
        "--classifier",
        "a b",
        "--movlist",
        "7,9",
    ]
    assert (folder / "task_12_2.exit").read_text() == "3\n"
    outside = subprocess.run(["bash", script.path], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True)
    assert outside.returncode != 0
    assert "submit this script with sbatch" in outside.stderr


def test_a_folder_whose_name_cannot_stand_in_a_script_is_refused(tmp_path):
    with pytest.raises(ClusterError, match="cannot stand in a script"):
        render(script_in(tmp_path / "two\nlines"), HpcOptions(), "-")
    with pytest.raises(ClusterError, match="backslash"):
        render(script_in(tmp_path / "a\\b"), HpcOptions(), "-")


# --- submission, with programs that play sbatch


@pytest.fixture
def job(tmp_path):
    folder = new_folder(ClusterLayout(tmp_path / "logs" / "cluster"), "classify", tmp_path)
    script = script_in(folder)
    write_job(script, HpcOptions(), "classify", [[1, 2, 3], [7, 9]])
    return script


def play_sbatch(folder: Path, monkeypatch: pytest.MonkeyPatch, says: str) -> None:
    folder.mkdir()
    program = folder / "sbatch"
    program.write_text(f"#!/bin/bash\n{says}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_without_sbatch_the_script_is_there_and_what_to_do_is_told(job, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterError, match=r"classify\.sbatch was written, but this machine has no sbatch: .*sbatch /"):
        submit(job.path)
    assert job.path.read_text(encoding="utf-8").startswith("#!/bin/bash\n")
    assert read_job(job.path.parent).number is None


def test_the_number_of_the_job_is_kept(job, tmp_path, monkeypatch):
    play_sbatch(tmp_path / "bin", monkeypatch, 'echo "a note of the site"; echo "4711;cluster"')
    assert submit(job.path) == "4711"
    (found,) = read_jobs(ClusterLayout(tmp_path / "logs" / "cluster"), "classify")
    assert (found.number, [task.movies for task in found.tasks]) == ("4711", [(1, 2, 3), (7, 9)])
    assert not found.is_over


@pytest.mark.parametrize("says", ["echo 'sbatch: error: no such partition' >&2; exit 1", "true", "echo what"])
def test_a_refusal_of_sbatch_is_told_in_its_own_words(job, tmp_path, monkeypatch, says):
    play_sbatch(tmp_path / "bin", monkeypatch, says)
    with pytest.raises(ClusterError, match="was written, but sbatch refused it") as raised:
        submit(job.path)
    assert ("no such partition" in str(raised.value)) is ("partition" in says)


def test_of_a_script_that_was_submitted_again_the_later_tasks_count(job):
    folder = job.path.parent
    for name, content in (
        ("task_9_1.log", "error: first"),
        ("task_9_1.exit", "1\n"),
        ("task_10_1.log", "fine"),
        ("task_10_1.exit", "0\n"),
        ("task_10_2.log", "…"),
        ("task_x_2.log", "not a task"),
    ):
        (folder / name).write_text(content, encoding="utf-8")
    found = read_job(folder)
    assert [(task.log.name, task.exit) for task in found.tasks] == [("task_10_1.log", 0), ("task_10_2.log", None)]


def test_a_job_whose_tasks_are_silent_for_long_is_over_and_its_logs_tell_its_number(job):
    logs = [job.path.parent / f"task_9_{task}.log" for task in (1, 2)]
    for log in logs:
        log.write_text("classifying …\n", encoding="utf-8")
    os.utime(logs[0], (1, 1))
    assert (read_job(job.path.parent).number, read_job(job.path.parent).is_over) == ("9", False)
    os.utime(logs[1], (1, 1))
    assert read_job(job.path.parent).is_over


@pytest.mark.parametrize("content", ["", "{", "[]", '{"command": "classify"}', '{"number": 1, "tasks": [["x"]]}'])
def test_a_folder_without_a_readable_record_is_no_job(job, content):
    ClusterLayout.record(job.path.parent).write_text(content)
    assert read_job(job.path.parent) is None


@pytest.mark.parametrize(
    ("log", "told"),
    [
        ("note: x\nerror: /a/images_2.mat is damaged\n", "/a/images_2.mat is damaged"),
        ("a\n  b  \n\n", "b"),
        ("", "it printed nothing"),
        (
            "slurmstepd: error: *** JOB 4 ON vm CANCELLED AT 2026-11-26T16:00:00 DUE TO TIME LIMIT ***\n",
            "JOB 4 ON vm CANCELLED AT 2026-11-26T16:00:00 DUE TO TIME LIMIT",
        ),
    ],
)
def test_a_log_s_last_error_is_what_it_says_went_wrong(tmp_path, log, told):
    (tmp_path / "log").write_text(log)
    assert last_error(tmp_path / "log") == told
