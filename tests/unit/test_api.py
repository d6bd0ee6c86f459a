"""What `import antrax` gives."""

import subprocess
import sys

import antrax


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
