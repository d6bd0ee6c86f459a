"""The workflow for Snakemake, here and in SLURM: a bad movie holds up no other, and is done by a second start.

Snakemake is not among the package's dependencies: name its program in ANTRAX_SNAKEMAKE where it is not in the PATH.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from antrax.cluster.status import session_status
from antrax.io.session import Session, open_session
from tests.fixtures.slurm import Slurm
from tests.fixtures.trained import Trained

pytestmark = pytest.mark.slow
WORKFLOW = Path(__file__).parents[2] / "workflow"
PACKAGE = Path(__file__).parents[2] / "src"


@pytest.fixture
def snakemake() -> str:
    program = os.environ.get("ANTRAX_SNAKEMAKE") or shutil.which("snakemake")
    if program is None:
        pytest.skip("Snakemake is not installed (pip install snakemake snakemake-executor-plugin-slurm)")
    return program


@pytest.fixture
def session(trained: Trained, tmp_path: Path) -> Session:
    """Three movies, the second of which cannot be read."""
    trained.copy_to(tmp_path / "my colony")
    made = open_session(tmp_path / "my colony")
    made.layout.file("images", 4).unlink()
    stack = made.layout.file("images", 2)
    stack.rename(tmp_path / "whole.mat")
    stack.write_bytes((tmp_path / "whole.mat").read_bytes()[:1000])
    return made


@pytest.mark.parametrize("executor", ["local", "slurm"])
def test_what_failed_is_shown_and_done_at_the_next_start(
    snakemake, session, tmp_path, monkeypatch, executor, request
) -> None:
    arguments = ["--cores", "2"]
    if executor == "slurm":
        told = subprocess.run([snakemake, "--help"], capture_output=True, text=True).stdout
        if "--slurm-no-account" not in told:
            pytest.skip("Snakemake has no plugin for SLURM (pip install snakemake-executor-plugin-slurm)")
        slurm: Slurm = request.getfixturevalue("slurm")
        # the plugin takes SLURM's variables away from its jobs, and this SLURM is not configured in the usual place
        (tmp_path / "bin").mkdir()
        srun = tmp_path / "bin" / "srun"
        srun.write_text(f'#!/bin/bash\nSLURM_CONF={slurm.folder}/slurm.conf exec {shutil.which("srun")} "$@"\n')
        srun.chmod(0o755)
        monkeypatch.setenv("PATH", f"{srun.parent}:{os.environ['PATH']}")
        arguments = ["--executor", "slurm", "--jobs", "4", "--slurm-status-command", "squeue", "--slurm-no-account"]
        arguments += ["--slurm-init-seconds-before-status-checks", "2", "--default-resources", "slurm_partition=main"]
    folder = tmp_path / "run"
    shutil.copytree(WORKFLOW, folder)

    def start() -> subprocess.CompletedProcess[str]:
        command = [snakemake, *arguments, "--config", f"experiments={session.experiment}", "movies_per_job=2"]
        command += ["cpus=1", "memory_mb=500", f"antrax={sys.executable} -m antrax"]
        environment = {**os.environ, "PYTHONPATH": str(PACKAGE)}
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)

    first = start()
    output = first.stdout + first.stderr
    assert first.returncode == 1, output
    assert "3 movies: 2 done, 1 failed" in output
    assert f"movie 2 failed: {session.layout.file('images', 2)}" in output
    assert f"log: {folder}/logs/1_my-colony/classify_1.log" in output

    (tmp_path / "whole.mat").rename(session.layout.file("images", 2))
    labels = session.layout.file("autoids", 1).stat().st_mtime_ns
    second = start()
    assert second.returncode == 0, second.stdout + second.stderr
    assert "3 movies: 3 done" in (folder / "status.txt").read_text()
    found = session_status(session, "classify")
    assert found is not None and {movie.state.value for movie in found.movies} == {"done"}
    assert session.layout.file("autoids", 1).stat().st_mtime_ns == labels  # what was done was not done again
    third = start()
    assert third.returncode == 0
    assert "rule classify" not in third.stdout + third.stderr
