"""What `import antrax` gives."""

import inspect
import shutil
import subprocess
import sys

import pandas as pd
import pytest

import antrax
from antrax.io.session import open_session


def test_every_exported_name_is_there():
    assert sorted(antrax.__all__) == sorted(antrax._SOURCES)
    for name in antrax.__all__:
        assert getattr(antrax, name).__doc__, name


def test_importing_loads_no_heavy_library():
    script = "import sys, antrax; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "onnxruntime", "pandas", "matplotlib", "rich"} & set(loaded)


def test_all_errors_are_antrax_errors():
    import antrax.errors

    errors = [
        value for value in vars(antrax.errors).values() if isinstance(value, type) and issubclass(value, Exception)
    ]
    assert len(errors) > 8
    assert all(issubclass(error, antrax.AntraxError) for error in errors)


def test_a_script_needs_no_guard_for_the_workers(trained, tmp_path):
    session = trained.copy(tmp_path)
    script = tmp_path / "script.py"
    script.write_text(
        "import antrax\n"
        f"antrax.classify({str(session.experiment)!r}, antrax.ClassifyOptions(workers=2, device='cpu', movies=[3]))\n"
        f"print(len(antrax.read_results(antrax.open_session({str(session.experiment)!r}))))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == sum(1 for _ in antrax.iter_tracklets(session, [3]))


def test_what_reads_a_session_takes_an_experiments_folder_too(shared_colony, tmp_path):
    folder = shutil.copytree(shared_colony, tmp_path / "colony")
    session = open_session(folder)
    folder = str(folder)
    pd.testing.assert_frame_equal(antrax.read_results(folder), antrax.read_results(session))
    pd.testing.assert_frame_equal(antrax.read_positions(folder), antrax.read_positions(session))
    assert antrax.export_positions(folder, "csv") == antrax.export_positions(session, "csv")
    (figure,) = antrax.plot_positions(folder, figures=["presence"], formats=["svg"], folder=folder)
    assert str(figure.parent) == folder
    tracklet = next(antrax.iter_tracklets(folder))
    assert tracklet == next(antrax.iter_tracklets(session))
    name = tracklet.name.name
    pd.testing.assert_frame_equal(
        antrax.read_frame_probabilities(folder, 1, name), antrax.read_frame_probabilities(session, 1, name)
    )
    with pytest.raises(antrax.AntraxError, match="does not exist"):
        antrax.read_results("nowhere")


def test_warnings_are_heard_where_no_reporter_is_given():
    code = (
        "import antrax, antrax.progress\n"
        "antrax.Reporter().say('not shown')\n"
        "antrax.Reporter().warn('look \\x1b[31mhere')\n"
        "import logging; logging.basicConfig(level='INFO', force=True)\n"
        "antrax.Reporter().say('shown')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "look \\x1b[31mhere\nINFO:antrax:shown\n"


def test_paths_may_be_texts(tmp_path):
    with pytest.raises(antrax.AntraxError, match="does not exist"):
        antrax.read_classifier(str(tmp_path / "x.h5"))
    with pytest.raises(antrax.AntraxError, match="does not exist"):
        antrax.train(str(tmp_path / "x"))
    made = antrax.generate_experiment(str(tmp_path / "made"), movies=1, tracklets=16, max_frames=2, examples=10)
    assert made.directory == tmp_path / "made"
    assert antrax.open_session(str(made.directory)).stacks


def test_no_public_function_takes_only_one_kind_of_path():
    for name in antrax.__all__:
        if inspect.isfunction(function := getattr(antrax, name)):
            for parameter in inspect.signature(function).parameters.values():
                assert "Path" not in str(parameter.annotation).replace("os.PathLike[str]", ""), f"{name}: {parameter}"


def test_an_option_that_cannot_be_is_a_value_error(tmp_path):
    with pytest.raises(ValueError, match="at least one epoch"):
        antrax.train(tmp_path, antrax.TrainOptions(epochs=0))
