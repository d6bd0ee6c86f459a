"""`antrax demo --colony`, `export` and `plot` as a user meets them."""

import pandas as pd

from .test_cli import antrax_command, one_line_error


def test_a_colony_without_images_is_made_in_one_go_and_says_what_is_wrong_with_its_options(tmp_path):
    done = antrax_command("demo", tmp_path / "c", "--colony", "--animals", 3, "--frames", 30, "--no-images")
    assert done.returncode == 0, done.stderr
    assert "0 images" in done.stderr
    assert (tmp_path / "c" / "truth_positions.h5").is_file()
    assert "deaths is 17; it must be between 0 and 16" in one_line_error(
        "demo", tmp_path / "d", "--colony", "--deaths", 17
    )


def test_positions_of_the_real_session_are_exported_and_plotted(real_session, tmp_path):
    out = tmp_path / "positions.csv"
    done = antrax_command("export", real_session, "--to", "csv", "--movlist", 1, "--out", out)
    assert done.returncode == 0, done.stderr
    assert f"written: {out}" in done.stderr.replace("\n", "")
    assert pd.read_csv(out)["id"].nunique() == 16
    done = antrax_command(
        "plot", real_session, "--movlist", 1, "--figure", "contacts", "--format", "png", "--out", tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "contacts.png").is_file()


def test_what_is_not_solved_cannot_be_exported_or_plotted(tmp_path):
    antrax_command("demo", tmp_path / "c", "--colony", "--animals", 2, "--frames", 10, "--no-images")
    for command in (["export", tmp_path / "c", "--to", "csv"], ["plot", tmp_path / "c"]):
        assert "has no positions; type `antrax solve" in one_line_error(*command)
    assert "does not exist" in one_line_error("plot", tmp_path / "nowhere")
