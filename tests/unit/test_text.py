"""Text as editors, spreadsheets and shells of all systems write it."""

from __future__ import annotations

import codecs
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antrax.io.text import NotTextError, decode_text, read_json, read_text

TEXT = "Müller\tant_labels\nÅsa B\tother_labels\n"
MARKS = {"utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE, "utf-8": codecs.BOM_UTF8}
# what no text has, and characters that one encoding cannot hold
plain = st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufeff") | st.sampled_from("\t\n")


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_any_usual_encoding_and_line_end_is_read(encoding: str, ending: str) -> None:
    assert decode_text(TEXT.replace("\n", ending).encode(encoding)) == TEXT


@given(st.text(plain), st.sampled_from(["\n", "\r\n", "\r"]), st.sampled_from(sorted(MARKS)))
def test_text_with_a_byte_order_mark_is_read_back_whatever_it_holds(text: str, ending: str, encoding: str) -> None:
    assert decode_text(MARKS[encoding] + text.replace("\n", ending).encode(encoding)) == text


@given(st.text(plain))
def test_utf_8_without_a_mark_is_read_back_whatever_it_holds(text: str) -> None:
    assert decode_text(text.encode()) == text


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1))
def test_western_utf_16_without_a_mark_is_told_by_its_zeros(text: str) -> None:
    assert decode_text(text.encode("utf-16-le")) == text
    assert decode_text(text.encode("utf-16-be")) == text


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (TEXT.encode("utf-16")[:-1], "no complete text in UTF-16-LE"),
        (codecs.BOM_UTF16_LE + b"\x00\xd8a\x00", "no complete text in UTF-16-LE (at byte 3)"),
        (codecs.BOM_UTF16_BE + b"\xdc\x00", "no complete text in UTF-16-BE"),
        ("Müller Å".encode()[:-1], "no complete text in UTF-8"),
        (b"M\xc3\xbcller \xff", "no complete text in UTF-8"),
        (b"caf\xe9 \x81", "no complete text in CP1252"),
        (b"AB\x00\x00\x00", "control character 0x00"),
        (b"AB\x1b[31m", "control character 0x1b"),
        (b"\x89HDF\r\n\x1a\n\xff\xfe", "control character 0x1a"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "control character 0x1a"),
    ],
)
def test_what_is_damaged_or_no_text_is_told(content: bytes, why: str) -> None:
    with pytest.raises(NotTextError) as raised:
        decode_text(content)
    assert why in raised.value.strerror


def test_the_end_mark_of_dos_is_no_part_of_the_text() -> None:
    assert decode_text(b"AB\r\n\x1a") == "AB\n"


@given(st.binary())
def test_any_bytes_are_text_without_control_characters_or_are_refused(content: bytes) -> None:
    try:
        text = decode_text(content)
    except NotTextError:
        return
    assert not any(character < " " for character in text.replace("\t", "").replace("\n", ""))
    text.encode()  # no lone surrogate came through


def test_a_line_of_ten_million_characters_is_read(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_bytes(("a" * 10_000_000).encode("utf-16"))
    assert len(read_text(path)) == 10_000_000


def test_a_file_that_is_too_large_or_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "large.txt").write_bytes(b"a" * 101)
    with pytest.raises(OSError, match="too large"):
        read_text(tmp_path / "large.txt", most=100)
    with pytest.raises(OSError, match="it is a folder"):
        read_text(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_text(tmp_path / "none.txt")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(OSError, match="named pipe"):
        read_text(tmp_path / "pipe.txt")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_json_is_read_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.json").write_bytes('{"name": "Müller"}'.encode(encoding))
    assert read_json(tmp_path / "a.json") == {"name": "Müller"}


@pytest.mark.parametrize("content", ["[" * 100_000, '{"a":' * 100_000, "1" * 10_000, "{", "", "nul"])
def test_json_that_no_program_wrote_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(NotTextError, match="no JSON"):
        read_json(tmp_path / "a.json")
