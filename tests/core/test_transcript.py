# SPDX-License-Identifier: GPL-3.0-or-later
"""Transcripts: words, subtitles, and when each word is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.sound.prosody import FEATURES
from core.sound.transcript import HOLD, Word, laid_out, read, words_of
from core.wire.errors import InputError

SUBTITLES = """1
00:00:01,000 --> 00:00:02,000
<i>Hello</i> there.

2
00:00:03.500 --> 00:00:04.500
Good-bye!
"""


def speech(*stretches: tuple[int, int], steps: int) -> np.ndarray:
    """Prosody that is nothing but speech in some stretches of steps."""
    heard = np.zeros((steps, len(FEATURES)), np.float32)
    for first, last in stretches:
        heard[first:last, FEATURES.index("speech")] = 1
    return heard


def test_words_keep_their_apostrophes_and_what_is_written_behind_them() -> None:
    assert words_of("I can’t, well... Go!") == [
        Word("I"),
        Word("can't", ","),
        Word("well", "..."),
        Word("Go", "!"),
    ]
    assert [word.text for word in words_of("Grüße aus Łódź — 12 mal")] == [
        "Grüße",
        "aus",
        "Łódź",
        "12",
        "mal",
    ]
    assert words_of(" \n—!") == []


def test_subtitles_bring_their_times_and_lose_their_numbers_and_tags() -> None:
    words = words_of(SUBTITLES)
    assert [word.text for word in words] == ["Hello", "there", "Good-bye"]
    assert words[0].within == (1.0, 2.0) and words[2].within == (3.5, 4.5)
    assert [w.within for w in words_of("WEBVTT\n\n00:02.000 --> 00:03.000\nHi")] == [(2.0, 3.0)]


def test_words_are_said_in_order_while_there_is_speech() -> None:
    words = words_of("one two three four")
    place = laid_out(words, speech((10, 50), (60, 100), steps=130), 130)
    assert (place[:10] == -1).all()
    said = place[10:100]
    assert (np.diff(said[said >= 0]) >= 0).all()
    assert set(said[said >= 0]) == {0, 1, 2, 3}
    assert place[52] == place[49] and place[100 + HOLD - 1] == 3 and (place[100 + HOLD :] == -1).all()


def test_a_pause_near_the_end_of_a_sentence_is_where_it_ends() -> None:
    words = words_of("Wonderful celebration yesterday! No.")
    place = laid_out(words, speech((0, 70), (90, 110), steps=110), 110)
    assert place[69] == 2 and place[90] == 3
    without = laid_out(
        words_of("Wonderful celebration yesterday no"), speech((0, 70), (90, 110), steps=110), 110
    )
    assert without[90] == 2


def test_subtitles_stay_within_their_times_and_text_without_sound_fills_everything() -> None:
    place = laid_out(words_of(SUBTITLES), speech((0, 150), steps=150), 150)
    assert (place[:25] == -1).all() and set(place[25:50]) == {0, 1}
    assert (place[88:112] == 2).all()
    assert set(laid_out(words_of("a b c d"), None, 40)) == {0, 1, 2, 3}
    assert (laid_out([], None, 5) == -1).all()
    assert laid_out(words_of("word"), speech(steps=20), 20).tolist() == [0] * 20  # nobody is heard


def test_a_file_is_read_and_what_is_no_text_is_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_text("\ufeffHello.", encoding="utf-8")
    assert read(str(path)) == "Hello."
    assert read("Hello there.") == "Hello there."
    path.write_bytes(b"\xff\xfe\x00\x01\x81")
    with pytest.raises(InputError, match=r"lines\.txt cannot be read"):
        read(str(path))
    with pytest.raises(InputError, match=r"nowhere\.srt"):
        read(str(tmp_path / "nowhere.srt"))
    with pytest.raises(InputError, match="characters"):
        read("a " * 150_000)


def test_utf_16_with_its_mark_is_read(tmp_path: Path) -> None:
    for number, encoding in enumerate(("utf-16", "utf-16-be")):
        path = tmp_path / f"{number}.srt"
        path.write_text("\ufeff" * number + "Größe.", encoding=encoding)
        assert read(str(path)).strip("\ufeff") == "Größe."


def test_the_sentence_about_a_transcript_names_its_true_cause(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no transcript") as missing:
        read(str(tmp_path / "missing.srt"))
    assert "UTF-8" not in missing.value.hint
    (tmp_path / "windows.txt").write_bytes("Grüße".encode("cp1252"))
    with pytest.raises(InputError, match="not text in UTF-8"):
        read(str(tmp_path / "windows.txt"))
    with pytest.raises(InputError, match=r"(?i)folder") as folder:
        (tmp_path / "folder.txt").mkdir()
        read(str(tmp_path / "folder.txt"))
    assert "UTF-8" not in folder.value.hint


@pytest.mark.parametrize("name", ["line.docx", "x.ass", "subs.ttml", "/somewhere/line.unknown"])
def test_the_name_of_another_kind_of_file_is_not_taken_for_words(name: str) -> None:
    with pytest.raises(InputError, match="not plain text"):
        read(name)


def test_a_file_of_any_other_suffix_is_not_taken_for_words_when_it_is_there(tmp_path: Path) -> None:
    (tmp_path / "what I say.notes").write_text("Hello")
    with pytest.raises(InputError, match="not plain text"):
        read(str(tmp_path / "what I say.notes"))


@pytest.mark.parametrize("words", ["Yes.", "I sent you the report.pdf", "Well... no.", "3.5", "end.of.line"])
def test_words_with_dots_stay_words(words: str) -> None:
    assert read(words) == words
