"""Text as editors, spreadsheets and shells of all systems write it."""

from __future__ import annotations

import codecs
import os
import re
import unicodedata
import warnings
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antrax.escapes import printable
from antrax.io.text import (
    GuessedTextWarning,
    NotTextError,
    decode_text,
    guess_notice,
    read_json,
    read_text,
    tell_guesses,
)

TEXT = "Müller\tant_labels\nÅsa B\tother_labels\n"
WESTERN = [
    *(
        "Müller",
        "Åsa",
        "café",
        "naïve",
        "O’Brien",
        "“quoted”",
        "25 °C",
        "Željko",
        "œuvre",
        "ÄÖÜäöüß",
        "5 µm ± 2",
        "n°3",
    ),
    *("Zoë’s", "España", "Ærøskøbing", "«été»", "m²", "Straße–1", "testÜbung", "l’été", "10€", "Ljubljana Šiška"),
]
MARKS = {"utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE, "utf-8": codecs.BOM_UTF8}
# what no text has, and characters that one encoding cannot hold
plain = st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufeff") | st.sampled_from("\t\n")


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_any_usual_encoding_and_line_end_is_read(encoding: str, ending: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore" if encoding == "cp1252" else "error")
        assert decode_text(TEXT.replace("\n", ending).encode(encoding)) == TEXT


@pytest.mark.parametrize(
    "text",
    WESTERN,
)
def test_western_text_is_read_and_shown_so_that_a_person_can_see_whether_it_is_right(text: str) -> None:
    words = re.escape(repr(next(word for word in text.split() if not word.isascii())))
    with pytest.warns(GuessedTextWarning, match=f"a.csv is not in UTF-8 and was read as Windows-1252: .*{words}"):
        assert decode_text(text.encode("cp1252"), "a.csv") == text


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("mac_roman", "Müller blaugrün Käse Größe café Åsa hôtel naïve Køb garçon"),
        ("gbk", "蚂蚁 红 蓝 红色 绿点 蚁后"),
        ("big5", "紅"),
        ("shift_jis", "アリ 赤 青い"),
        ("euc_jp", "アリ"),
        ("euc_kr", "개미"),
        ("cp1251", "муравей красный Муравей"),
        ("koi8_r", "красный"),
        ("cp1253", "μυρμήγκι κόκκινο"),
        ("cp1250", "Żółw łódka"),
        ("cp437", "Müller Größe Käse"),
        ("cp850", "Müller Køb Größe"),
    ],
)
def test_text_of_another_encoding_is_refused_where_it_cannot_be_western(encoding: str, words: str) -> None:
    for word in words.split():
        with pytest.raises(NotTextError) as raised:
            decode_text(f"{word}\tant_labels\n".encode(encoding))
        assert "encoding" in raised.value.strerror and "save it as UTF-8" in raised.value.strerror


@cache
def letters_of(encoding: str) -> list[str]:
    """The letters that an encoding has (`st.characters(codec=…)` takes seconds to find them in a fresh checkout)."""
    letters = (chr(code) for code in range(0x10000) if unicodedata.category(chr(code)) in {"Lu", "Ll", "Lo"})
    return [letter for letter in letters if letter != "\u3164" and letter.encode(encoding, "ignore")]


@pytest.mark.parametrize("encoding", ["mac_roman", "gbk", "cp1251", "cp1250", "cp437", "koi8_r", "euc_kr"])
@given(data=st.data())
def test_no_letters_of_another_encoding_are_read_without_a_word(encoding: str, data: st.DataObject) -> None:
    content = data.draw(st.text(st.sampled_from(letters_of(encoding)), min_size=1)).encode(encoding)
    try:
        content.decode()
    except UnicodeDecodeError:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            try:
                text = decode_text(content)
            except NotTextError:
                return
        (warning,) = told
        assert printable(text[:60]) in str(warning.message)


def test_where_numbers_count_names_in_an_unknown_encoding_are_told_and_read_over(tmp_path: Path) -> None:
    path = tmp_path / "movies_info.txt"
    path.write_bytes("index name\n7 蚂蚁\x815\n".encode("gbk", "replace") + b"\x81\n")
    with pytest.raises(NotTextError):
        read_text(path)
    with pytest.warns(GuessedTextWarning, match=r"movies_info\.txt: its encoding is not known: words like 'ÂìÒÏ"):
        text = read_text(path, only_numbers=True)
    assert text.startswith("index name\n7 ")


def test_a_program_tells_once_of_each_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    told: list[str] = []
    path = tmp_path / "labels.csv"
    path.write_bytes("Müller".encode("cp1252"))
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        tell_guesses(told.append)
        for _ in range(3):
            read_text(path)
    assert told == [guess_notice(path)]
    path.write_text("Müller", encoding="utf-8")
    assert guess_notice(path) is None


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
        (b"caf\xe9 \x81", "nor Windows-1252 (at byte 6, which that does not have)"),
        ("caf\x9f".encode(), "control character 0x9f"),  # Mac Roman that was taken for Latin-1 and saved as UTF-8
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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
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
