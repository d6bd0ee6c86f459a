"""The documentation names what there is: commands, public names, files, and errors that are really raised."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import antrax
from antrax.cli.main import cli
from antrax.cli.original import COMMANDS
from antrax.messages import option_of

ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "how-to").glob("*.md"), *ROOT.glob("*.md")])
SOURCE = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))


def ids(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_links_between_files_of_the_project_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    missing = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_commands_and_options_that_are_shown_exist(page: Path) -> None:
    for line in re.findall(r"(?m)^antrax ([^\n]+)$|`antrax ([a-z][^`\n]*)`", page.read_text(encoding="utf-8")):
        name, *words = (line[0] or line[1]).split()
        if name in COMMANDS or name == "--version":
            continue
        assert name in cli.commands, line
        options = {option for parameter in cli.commands[name].params for option in parameter.opts}
        unknown = {word for word in words if re.fullmatch(r"--[a-z-]+", word)} - options - {"--help"}
        assert not unknown, line


@pytest.mark.parametrize("page", [path for path in PAGES if path.name != "CHANGELOG.md"], ids=ids)
def test_public_names_that_are_shown_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    names = set(re.findall(r"\bantrax\.([A-Za-z_]+)\(", text)) - {"command"}
    assert names <= set(antrax.__all__)


def test_every_message_that_the_questions_explain_is_one_of_the_package() -> None:
    headings = re.findall(r"(?m)^`(.+)`$", (ROOT / "docs" / "faq.md").read_text(encoding="utf-8"))
    assert len(headings) > 10
    code = re.sub(r'"\s*\n\s*f?"', "", SOURCE)  # texts that go on in the next line
    # as the command line shows them
    code = re.sub(r"\{parameter\('(\w+)'", lambda found: option_of(found[1]) + "{", code)
    for heading in headings:
        for piece in re.split(r"…|`|<m>|: torch |has | on ", heading):
            words = piece.strip(" :")
            assert words in code or words.startswith(("--device", "there is no antrax track")), heading


def test_readme_and_help_name_every_command() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in cli.commands:
        assert f"`antrax {name} " in readme


def test_dependencies_of_the_tests_and_the_documentation_are_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    named = {re.match(r"[\w-]+", one)[0].lower() for one in [*project["dependencies"], *extras["dev"], *extras["docs"]]}
    pinned = {line.split("==")[0] for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()}
    assert named <= pinned


# Names of others (matplotlib's `color`, HTTP's Authorization, a title in a list of papers) stand in backquotes or here.
AMERICAN = re.compile(
    r"(?i)\b(?:colors?|colored|centers?|centered|behaviors?|neighbors?|neighboring|labeled|labeling|gray|favor|modeling"
    r"|canceled|canceling|(?:normal|recogn|initial|optim|minim|maxim|summar|organ|quant|synchron)iz(?:e|es|ed|ing|ation))\b"
)
PYTHON = [path for folder in ("src", "tests", "benchmarks", "docs") for path in sorted((ROOT / folder).rglob("*.py"))]


def prose(path: Path) -> Iterator[str]:
    """Comments and docstrings of a module, or the text of a page, without what stands in backquotes."""
    source = path.read_text(encoding="utf-8")
    if not AMERICAN.search(source):
        return  # telling prose from code takes much longer
    if path.suffix != ".py":
        yield re.sub(r"(?s)```.*?```|`[^`]*`", "", source)
        return
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield re.sub(r"`[^`]*`", "", token.string)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            yield re.sub(r"(?s)`[^`]*`", "", ast.get_docstring(node) or "")


def test_spelling_is_british() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in (*PYTHON, *PAGES)
        for text in prose(path)
        for word in AMERICAN.findall(text)
        if not (path.name == "solving.md" and word == "color")
    ]
    assert found == []
