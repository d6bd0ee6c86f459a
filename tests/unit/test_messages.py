"""Messages name parameters as Python does; the command line and the page show options instead."""

import ast
import pickle
import re
from pathlib import Path

import click
import pytest

import antrax
import antrax.errors
from antrax.cli.main import cli, main
from antrax.errors import OptionError
from antrax.messages import named_parameter, option_of, parameter, with_command_line_options

PACKAGE = Path(antrax.__file__).parent


@pytest.mark.parametrize(
    ("named", "in_python", "on_the_command_line"),
    [
        (parameter("epochs", 0), "`epochs=0`", "--ne 0"),
        (parameter("scratch", True), "`scratch=True`", "--scratch"),
        (parameter("pretrained", False), "`pretrained=False`", "--no-pretrained"),
        (parameter("target_size"), "`target_size=…`", "--target-size"),
        (parameter("arch", "custom"), "`arch='custom'`", "--arch custom"),
        (parameter("modelfile", Path("a model.json")), "`modelfile='a model.json'`", "--modelfile a model.json"),
        (parameter("max_error", 0.010000000001), "`max_error=0.01`", "--max-error 0.01"),
        (parameter("drop", ["A", "B"]), "`drop=['A', 'B']`", "--drop A --drop B"),
        (parameter("rename", {"A": "B"}), "`rename={'A': 'B'}`", "--rename A=B"),
        (parameter("name", "a`b=1`"), "`name='a?b=1?'`", "--name a?b=1?"),
        (parameter("name", None), "`name=None`", "--name"),
    ],
)
def test_a_parameter_is_named_as_python_does_and_as_the_command_line_does(named, in_python, on_the_command_line):
    assert named == in_python
    assert with_command_line_options(f"see {named}, or not") == f"see {on_the_command_line}, or not"


def test_other_words_between_backticks_stay_as_they_are():
    for text in ("`antrax demo DIR --colony` writes one", "the folder `examples`", "`Epochs=1`", "a ` b=1"):
        assert with_command_line_options(text) == text
        assert named_parameter(text) is None


# Of no parameter that a message names: the demo's is a number of movies.
NOT_NAMED = {("info", "as_json"), ("status", "as_json"), ("suggest", "as_csv"), ("demo", "movies")}


def test_messages_call_every_option_as_the_command_line_does():
    known = set()
    for command in cli.commands.values():
        for option in command.params:
            if (
                isinstance(option, click.Option)
                and option.expose_value
                and (command.name, option.name) not in NOT_NAMED
            ):
                assert option_of(option.name) in option.opts, (command.name, option.name)
                known.add(option.name)
                if option.secondary_opts:
                    assert with_command_line_options(parameter(option.name, False)) in option.secondary_opts
    assert {"epochs", "workers", "movies", "session", "pretrained"} <= known


LONG_OPTION = re.compile(r"(?<![\w-])--[a-z]")


def test_no_message_below_the_command_line_names_its_options():
    """Who works in Python has no `--scratch`; `antrax.messages.parameter` names it for both."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        if path.parent.name in ("cli", "commands"):
            continue
        source = path.read_text(encoding="utf-8")
        if not LONG_OPTION.search(source):
            continue
        tree = ast.parse(source)
        docstrings = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in docstrings:
                continue
            # whole commands may be told of
            if LONG_OPTION.search(re.sub(r"`antrax [^`]*`|pip install .*", "", node.value)):
                found.append(f"{path.relative_to(PACKAGE)}:{node.lineno}: {node.value}")
    # where the names are made, and where command lines are written for a cluster
    elsewhere = [line for line in found if not line.startswith(("messages.py", "cluster/", "cluster\\"))]
    assert elsewhere == []


@pytest.mark.parametrize(
    ("values", "arguments", "in_python", "on_the_command_line"),
    [
        ({"epochs": 0}, ["--ne", "0"], "`epochs=0`: train for", "--ne 0: train for"),
        ({"name": "a/b"}, ["--name", "a/b"], "`name='a/b'`: give", "--name a/b: give"),
        (
            {"arch": "custom"},
            ["--arch", "custom"],
            "`arch='custom'`: name the file that describes the network, with `modelfile='MODEL.json'`",
            "--arch custom: name the file that describes the network, with --modelfile MODEL.json",
        ),
        (
            {"drop": ["A"], "scratch": True},
            ["--drop", "A", "--scratch"],
            "`drop=['A']` changes an existing classifier; leave `scratch=True` away",
            "--drop A changes an existing classifier; leave --scratch away",
        ),
        (
            {"pretrained": False},
            ["--no-pretrained"],
            "`pretrained=False` goes with `arch='MobileNetV2'`",
            "--no-pretrained goes with --arch MobileNetV2",
        ),
        ({"multi_weight": 0.0}, ["--multi-weight", "0"], "`multi_weight=0`: give", "--multi-weight 0: give"),
    ],
)
def test_an_option_that_cannot_be_is_named_as_it_was_given(
    tmp_path, capsys, values, arguments, in_python, on_the_command_line
):
    with pytest.raises(ValueError, match=re.escape(in_python)) as raised:
        antrax.train(tmp_path, antrax.TrainOptions(**values))
    assert isinstance(raised.value, OptionError)
    assert raised.value.parameter == next(iter(values))
    with pytest.raises(SystemExit) as ended:
        main(["train", str(tmp_path), *arguments])
    assert ended.value.code == 1
    assert f"error: {on_the_command_line}" in capsys.readouterr().err


def test_the_options_of_classify_and_solve_are_named_likewise(tmp_path):
    for work, options in (
        (antrax.classify, antrax.ClassifyOptions(max_error=2.0)),
        (antrax.solve, antrax.SolveOptions(max_error=2.0)),
    ):
        with pytest.raises(OptionError, match=r"`max_error=2`: give a share") as raised:
            work(tmp_path, options)
        assert raised.value.parameter == "max_error"


def test_errors_survive_pickling_with_what_they_carry():
    for error in vars(antrax.errors).values():
        if not isinstance(error, type) or not issubclass(error, antrax.AntraxError):
            continue
        takes_report = error.__name__ in ("ClassificationError", "SolvingError")
        arguments = ["`epochs=0`: no", *(["a report"] if takes_report else [])]
        made = error(*arguments)
        back = pickle.loads(pickle.dumps(made))
        assert (type(back), str(back)) == (error, "`epochs=0`: no")
        if takes_report:
            assert back.report == "a report"
    assert pickle.loads(pickle.dumps(OptionError("`epochs=0`: no"))).parameter == "epochs"
