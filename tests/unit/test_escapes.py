"""What comes out of files is told as text that can be printed, whoever tells it."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from antrax.errors import AntraxError, ClassifierError, OptionError, explain_mistake
from antrax.escapes import printable
from antrax.networks.keras.config import from_keras_config


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Müll (2) – 蚂蚁", "Müll (2) – 蚂蚁"),
        ("conv\x1b[2J\nerror: all is well", "conv\\x1b[2J\\nerror: all is well"),
        ("caf\udce9", "caf\\xe9"),
        ("a\u202eb\u200b\x9b", "a\\u202eb\\u200b\\x9b"),
        ("\ud800", "\\ud800"),
        (r"C:\new", r"C:\new"),
    ],
)
def test_what_cannot_be_seen_is_escaped(text, shown):
    assert printable(text) == shown
    assert printable(shown) == shown


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_any_text_can_be_printed_sent_and_logged_in_one_line(text):
    for shown in (printable(text), str(AntraxError(text)), str(OptionError(text))):
        assert shown.isprintable()
        shown.encode("utf-8")


def test_names_of_layers_are_escaped_in_what_is_said_of_them():
    name = "conv\x1b[2J\r\nerror: done"
    layers = [
        {"class_name": "InputLayer", "config": {"name": "i", "batch_shape": [None, 64, 64, 3]}},
        {"class_name": "Lambda\x1b", "config": {"name": name}},
    ]
    text = json.dumps({"class_name": "Sequential", "config": {"name": "m", "layers": layers}})
    with pytest.raises(ClassifierError) as raised:
        from_keras_config(text)
    assert "Lambda\\x1b" in str(raised.value) or "conv\\x1b" in str(raised.value)
    assert str(raised.value).isprintable()


def test_a_mistake_is_told_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert explain_mistake(ValueError("a\x1b[2J\nb\udcff")).isprintable()


READ = """
import sys
from pathlib import Path
from antrax.images import BadImageError, read_example
for path in map(Path, sys.argv[1:]):
    try:
        read_example(path)
    except BadImageError as error:
        print("refused")
    else:
        print("read")
"""


def test_of_damaged_tables_in_an_image_nothing_is_printed_but_what_we_say(tmp_path):
    """Pillow warns of them on standard error."""
    image = io.BytesIO()
    Image.new("RGB", (30, 30), "red").save(image, "TIFF")
    whole = image.getvalue()
    paths = []
    for number, position in enumerate(range(len(whole) - 120, len(whole), 2)):
        content = bytearray(whole)
        content[position : position + 2] = b"\xff\xff"
        paths.append(tmp_path / f"{number}.tif")
        paths[-1].write_bytes(content)
    for cut in range(20, len(whole), len(whole) // 20):
        paths.append(tmp_path / f"cut{cut}.tif")
        paths[-1].write_bytes(whole[:cut])
    done = subprocess.run([sys.executable, "-c", READ, *paths], capture_output=True, text=True)
    assert done.stderr == ""
    assert len(done.stdout.split()) == len(paths)
    assert {"refused", "read"} == set(done.stdout.split())
