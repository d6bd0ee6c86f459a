"""Graphics cards that are there and do not do, drives that fail, workers that die: each is told as what it is."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from loky.backend.fork_exec import fork_exec

from antrax.batch import describe_failure
from antrax.errors import DeviceError, OutputError
from antrax.io import workers
from antrax.io.atomic import write_atomically
from antrax.io.regular_files import open_regular, read_regular
from antrax.networks import devices
from antrax.networks.backends import torch_network
from antrax.networks.backends.torch_network import TorchPredictor
from antrax.networks.initial import initial_weights
from antrax.networks.registry import find
from antrax.training import loop
from antrax.training.run import TrainOptions, train
from tests.fixtures.training_tools import Listener


@pytest.fixture
def a_gpu(monkeypatch):
    """A torch that sees a GPU; here nothing can be computed on it, as with a driver that is too old."""
    monkeypatch.setattr(devices, "version", lambda name: "2.9.0+cu128")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)


def test_a_gpu_that_cannot_be_used_is_passed_over_and_that_is_said(a_gpu):
    told = []
    assert devices.choose_device("auto", told.append) == "cpu"
    (line,) = told
    assert line.startswith("torch sees a GPU (cuda) and cannot use it (") and line.endswith(
        "the processor computes instead"
    )
    assert "\n" not in line


def test_a_gpu_that_was_asked_for_and_cannot_be_used_is_an_error(a_gpu):
    with pytest.raises(DeviceError, match=r"`device='cuda'`: torch sees it and cannot use it \(.*take `device='cpu'`"):
        devices.choose_device("cuda")


def test_a_gpu_that_computes_wrongly_is_not_used(a_gpu, monkeypatch):
    monkeypatch.setattr(torch, "ones", lambda shape, device: torch.zeros(shape))
    told = []
    assert devices.choose_device("auto", told.append) == "cpu"
    assert "its results are wrong" in told[0]


def test_a_gpu_that_computes_is_used(a_gpu, monkeypatch):
    monkeypatch.setattr(devices, "try_device", lambda device: None)
    assert devices.choose_device("auto", pytest.fail) == devices.choose_device("cuda") == "cuda"


def test_a_gpu_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(DeviceError, match=r"`device='cuda'`: torch .* finds none on this machine; it has .*cpu"):
        devices.choose_device("cuda")


def test_threads_that_wait_leave_their_processors_to_others_unless_the_user_says_otherwise():
    said: dict[str, str] = {}
    devices.share_busy_processors(said)
    assert said == {"GOMP_SPINCOUNT": "3000"}
    for own in ({"OMP_WAIT_POLICY": "ACTIVE"}, {"GOMP_SPINCOUNT": "7"}):
        said = dict(own)
        devices.share_busy_processors(said)
        assert said == own


@pytest.mark.parametrize(("there", "training"), [(1, 1), (2, 2), (3, 2), (16, 15)])
def test_of_more_than_two_processors_one_is_left_to_make_batches(monkeypatch, there, training):
    monkeypatch.setattr(loop, "processors", lambda: there)
    told: list[int] = []
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    monkeypatch.setattr(torch, "set_num_threads", told.append)
    with pytest.raises(KeyError), loop._threads_for_training():
        raise KeyError
    assert told == [training, 4]


# --- several graphics cards


def test_workers_take_turns_with_the_cards(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert devices.graphics_cards("cuda") == 3
    cards = [devices.card_of_worker("cuda", worker) for worker in range(5)]
    assert cards == ["cuda:0", "cuda:1", "cuda:2", "cuda:0", "cuda:1"]


@pytest.mark.parametrize("device", ["cpu", "mps", "cuda:1"])
def test_a_device_without_a_choice_stays_what_it_is(device):
    assert devices.graphics_cards(device) == 1
    assert devices.card_of_worker(device, 4) == device


# --- memory of a graphics card


@pytest.fixture
def predictor():
    graph = find("small").build(24, 3, "white")
    return TorchPredictor(graph, initial_weights(graph, "white", 0), "cpu")


def short_of_memory(monkeypatch, most):
    """A card that has room for so many images."""
    forward, sizes = torch_network.Network.forward, []

    def limited(self, images):
        sizes.append(len(images))
        if len(images) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return forward(self, images)

    monkeypatch.setattr(torch_network.Network, "forward", limited)
    return sizes


def test_batches_are_halved_until_they_fit_and_the_answers_are_the_same(predictor, monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (50, 24, 24, 3), np.uint8)
    whole = predictor(images)
    assert predictor.notice is None
    sizes = short_of_memory(monkeypatch, 7)
    assert np.allclose(predictor(images), whole, atol=1e-5)
    assert sizes[:4] == [50, 25, 12, 6]
    assert "smaller" in (predictor.notice or "")
    sizes.clear()
    predictor(images)
    assert max(sizes) == 6  # it is not tried again and again


def test_a_card_without_room_for_one_image_is_an_error_with_advice(predictor, monkeypatch):
    short_of_memory(monkeypatch, 0)
    with pytest.raises(DeviceError, match=r"not enough memory for this network; end other programs .* `device='cpu'`"):
        predictor(np.zeros((3, 24, 24, 3), np.uint8))


@pytest.mark.slow
def test_a_training_makes_smaller_pieces_of_its_batches_and_says_so_once(
    make_examples, tmp_path, short_training, monkeypatch
):
    names = [f"{label}/e.trj_id{n}_ti1_1_tf1_9.{f}.png" for label in ("BB", "NoAnt") for n in range(6) for f in (1, 2)]
    folder = make_examples(tmp_path / "set", names, size=24)
    sizes = short_of_memory(monkeypatch, 5)
    listener = Listener()
    result = train(folder, TrainOptions(epochs=1, device="cpu"), reporter=listener)
    assert len([text for text in listener.warned if "smaller" in text]) == 1
    assert sizes[:3] == [16, 8, 4]
    assert all(np.isfinite(value).all() for value in result.classifier.weights.values())
    short_of_memory(monkeypatch, 0)
    with pytest.raises(DeviceError, match="not enough memory for this network"):
        train(folder, TrainOptions(epochs=1, device="cpu", scratch=True))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried…"), "memory ran out on the graphics card"),
        (
            RuntimeError("CUDA error: launch failure\nCompile with …"),
            "there was an error of the graphics card",
        ),
        (MemoryError(), "memory ran out; use fewer workers"),
        (OSError(errno.EIO, "Input/output error"), "its drive fails or was disconnected (Input/output error)"),
        (OSError("Unable to read (file read failed: errno = 5, error message = 'x')"), "its drive fails"),
        (OSError(errno.EACCES, "Permission denied"), "cannot be read: Permission denied"),
    ],
)
def test_what_fails_is_told_as_what_it_is(error, said):
    line = describe_failure(error, "images_1.mat")
    assert said in line and "mistake in antrax" not in line and "\n" not in line


# --- drives


def test_a_drive_that_fails_is_named_in_reading_and_in_writing(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text("a")

    def fails(*_, **__):
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    with monkeypatch.context() as during:
        during.setattr("os.open", fails)
        for read in (open_regular, read_regular):
            with pytest.raises(OSError) as raised:
                read(path)
            assert raised.value.strerror == "Input/output error; its drive fails or was disconnected, so check that"
    for step in ("os.fsync", "pathlib.Path.replace"):
        with monkeypatch.context() as during:
            during.setattr(step, fails)
            with pytest.raises(OutputError, match=r"a\.csv cannot be written: Input/output error; its drive fails"):
                write_atomically(path, "b")
    assert path.read_text() == "a"
    assert [file.name for file in tmp_path.iterdir()] == ["a.csv"]


# --- workers


def die_once(number, mark):
    if number == 3 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die(number):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_work_of_a_worker_that_was_killed_is_done_again(tmp_path):
    found = list(workers.map_in_workers(2, die_once, range(6), [tmp_path / "mark"] * 6))
    assert found == list(range(6))
    assert (tmp_path / "mark").exists()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_work_that_no_worker_survives_is_an_error_and_says_what_to_do():
    with pytest.raises(
        DeviceError, match="a worker process was killed, most likely because memory ran out; use `workers=1`"
    ):
        list(workers.map_in_workers(2, die, range(4)))


CRASH = """
import ctypes, sys
from antrax.io.workers import make_executor

def crash():
    ctypes.string_at(0)

executor = make_executor(1)
try:
    executor.submit(crash).result()
except Exception as error:
    print(type(error).__name__)
executor.shutdown(wait=False, kill_workers=True)
"""


def test_a_worker_that_crashes_prints_no_stack():
    done = subprocess.run([sys.executable, "-c", CRASH], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("TerminatedWorkerError\n", "")


def slow_start(path):
    assert len(workers.open_parcel(path)) == 4_000_000


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_worker_that_is_killed_before_it_has_read_anything_does_not_make_the_parent_wait(monkeypatch):
    """Large arguments would fill the pipe that they come through, and nobody would empty it."""
    forked = []

    def fork_and_kill(command, fds, env=None):
        pid = fork_exec(command, fds, env=env)
        if not forked:
            os.kill(pid, signal.SIGKILL)
        forked.append(pid)
        return pid

    monkeypatch.setattr("loky.backend.fork_exec.fork_exec", fork_and_kill)
    with workers.Parcel(bytes(4_000_000)) as parcel:
        executor = workers.make_executor(2, slow_start, (parcel.path,))
        outcome = []

        def run():
            try:
                outcome.append(executor.submit(abs, -1).result())
            except Exception as error:
                outcome.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(120)
        assert outcome
        executor.shutdown(wait=False, kill_workers=True)
    assert not parcel.path.exists()


def test_what_a_killed_run_left_for_its_workers_is_removed_by_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code = (
        "import os, signal; from antrax.io.workers import Parcel\n"
        "with Parcel([1]) as parcel: os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "TMPDIR": str(tmp_path)})
    (left,) = tmp_path.iterdir()
    with workers.Parcel({"a": 1}) as parcel:
        assert workers.open_parcel(parcel.path) == {"a": 1}
        assert not left.exists()
    assert list(tmp_path.iterdir()) == []
