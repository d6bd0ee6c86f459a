"""The page's own code, checked by Node.js; and that page and server have the same rules and types."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import antrax
from antrax.defaults import EPOCHS
from antrax.errors import AntraxError
from antrax.io.labels_file import edit_labels, labels_digest
from antrax.io.session import open_session

PAGE = Path(__file__).parents[1] / "page"
_OLDEST = (20, 19)  # reads the page's modules as modules without being told
CASES = json.loads((PAGE / "label_names.json").read_text(encoding="utf-8"))


def node() -> str:
    """Node.js, or the test is skipped."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("there is no Node.js; the page needs none, only these tests do")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    number = re.match(r"v(\d+)\.(\d+)", version)
    assert number, version
    if (int(number[1]), int(number[2])) < _OLDEST:
        pytest.skip(f"Node.js {version.strip()} is older than {'.'.join(map(str, _OLDEST))}")
    return found


def test_the_logic_of_the_page():
    done = subprocess.run([node(), "--test"], cwd=PAGE, capture_output=True, text=True, encoding="utf-8", timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("check", [["node_modules/typescript/bin/tsc", "--project", "tsconfig.json"], ["strict.js"]])
def test_the_page_reads_and_sends_only_what_the_contract_has(check):
    if not (PAGE / "node_modules" / "typescript").is_dir():
        pytest.skip("TypeScript is not installed: npm ci in tests/page")
    build = PAGE / "build"
    build.mkdir(exist_ok=True)
    subprocess.run([sys.executable, PAGE / "make_types.py", build / "messages.d.ts"], check=True)
    done = subprocess.run([node(), *check], cwd=PAGE, capture_output=True, text=True, encoding="utf-8", timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("case", CASES, ids=[f"{case['label']!r} as {case['category']}" for case in CASES])
def test_page_and_server_refuse_the_same_labels(make_session, case):
    session = open_session(make_session().parent)
    rows = [(other, case["category"]) for other in case["others"]] + [(case["label"], case["category"])]
    digest = labels_digest(session.layout.labels_file)
    if case["fine"]:
        assert case["label"] in edit_labels(session.layout, rows, digest).all
    else:
        with pytest.raises(AntraxError):
            edit_labels(session.layout, rows, digest)


def test_the_usual_length_of_a_training_on_the_page_is_the_default() -> None:
    forms = (Path(antrax.__file__).parent / "app" / "static" / "js" / "dialogs" / "jobforms.js").read_text("utf-8")
    assert re.findall(r"USUAL_EPOCHS = (\d+);", forms) == [str(EPOCHS)]
