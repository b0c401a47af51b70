# SPDX-License-Identifier: GPL-3.0-or-later
"""When each word and phone of a transcript is said, in several languages; other texts are not believed."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from core.sound import phones, pronunciation
from core.sound.alignment import LONGEST, NotAligned, aligned, available
from core.sound.mel import RATE
from core.sound.transcript import words_of
from training.speech import synth
from training.speech.synth import Voice, speak
from training.speech.visemes import VISEMES

needs_voice = pytest.mark.skipif(
    not (available() and synth.available("espeak") and pronunciation.program()),
    reason="needs pocketsphinx and espeak-ng",
)
ENGLISH = "My mother bought some bread and butter, and five people came by very often."
ABROAD = {
    "de": "Meine Mutter und mein Bruder haben am Abend mit dem Baby gebadet, und das ist gut für sie.",
    "fr": "Ma mère et mon papa ne veulent pas partir en bateau avec vous, et je pense que c'est bien.",
    "es": "Mi mamá no está en casa, pero el perro y los gatos están por aquí y son muy buenos.",
    "pl": "Moja mama nie jest w domu, ale pies i kot są na podwórku, bo to jest po południu.",
    "tr": "Annem ve babam bu akşam evde değil ama köpek ve kedi bahçede çok mutlu.",
}


def said(text: str, voice: str) -> synth.Utterance:
    return speak(text, Voice("espeak", voice))


def closures(utterance: synth.Utterance) -> np.ndarray:
    rows = utterance.visemes[utterance.visemes[:, 0] == VISEMES.index("p")]
    return rows[:, 1:].mean(axis=1)


@needs_voice
@pytest.mark.parametrize(("voice", "text"), [("en-us", ENGLISH), *ABROAD.items()])
def test_closures_of_a_text_are_found_where_the_voice_makes_them(voice: str, text: str) -> None:
    utterance = said(text, voice)
    found = aligned(utterance.samples, words_of(text))
    assert [phone.start for phone in found] == sorted(phone.start for phone in found)
    assert len([phone for phone in found if phone.word]) >= 0.6 * len(words_of(text))
    shut = np.array([(p.start + p.end) / 2 for p in found if phones.from_name(p.name) == ("p",)])
    near = np.abs(closures(utterance)[:, None] - shut[None]).min(axis=1)
    assert (near < 0.08).mean() >= 0.75 and np.median(near) < 0.05


@needs_voice
@pytest.mark.parametrize("text", ["de", "es", "other", "none"])
def test_a_text_that_is_not_what_is_said_is_refused_in_one_sentence(text: str) -> None:
    texts = ABROAD | {
        "other": "The committee has not decided whether a quick vote on Thursday is what they want.",
        "none": "Xylophone zigzag jukebox.",
    }
    with pytest.raises(NotAligned, match="not what is said"):
        aligned(said(ENGLISH, "en-us").samples, words_of(texts[text]))


@needs_voice
@pytest.mark.parametrize("kind", ["silence", "noise", "music"])
def test_a_sound_without_its_words_is_refused(kind: str) -> None:
    time = np.arange(3 * RATE) / RATE
    sounds = {
        "silence": np.zeros(len(time)),
        "noise": 0.1 * np.random.default_rng(0).normal(size=len(time)),
        "music": 0.2 * sum(np.sin(2 * np.pi * f * time) for f in (220, 277, 330)) * (np.sin(12 * time) > 0),
    }
    with pytest.raises(NotAligned):
        aligned(sounds[kind].astype(np.float32), words_of(ENGLISH))


@needs_voice
def test_half_an_hour_needs_subtitles_and_with_them_each_word_stays_in_its_times() -> None:
    one = said(ENGLISH, "en-us").samples
    gap = np.zeros(RATE, np.float32)
    long = np.concatenate([one, gap] * (int(LONGEST * RATE / (len(one) + RATE)) + 1))
    with pytest.raises(NotAligned, match="without times"):
        aligned(long, words_of(ENGLISH * 30))
    begin = (len(one) + len(gap)) / RATE
    times = [f"00:00:{t:06.3f}".replace(".", ",") for t in (begin, begin + len(one) / RATE)]
    found = aligned(long, words_of(f"1\n{times[0]} --> {times[1]}\n{ENGLISH}\n"))
    assert begin - 0.5 < found[0].start and found[-1].end < begin + len(one) / RATE + 0.5


@needs_voice
def test_words_beside_the_dictionary_are_spelled_by_the_program() -> None:
    text = "Bumblewick Pomperty brought my brother's mipple to Mabbington before breakfast."
    found = aligned(said(text, "en-us").samples, words_of(text))
    assert {"Bumblewick", "Pomperty", "mipple"} & {phone.word for phone in found}


def test_the_language_is_told_by_script_and_frequent_words() -> None:
    assert {name: pronunciation.language_of(text.split()) for name, text in ABROAD.items()} == {
        name: name for name in ABROAD
    }
    others = {"ru": "Доброе утро", "el": "Καλημέρα", "ja": "母はいません", "cmn": "早上好", "en": "Zigzag !"}
    assert {pronunciation.language_of(text.split()) for text in others.values()} == set(others)


def test_the_program_is_only_looked_for_in_absolute_folders_and_its_absence_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / ("espeak-ng.exe" if os.name == "nt" else "espeak-ng")
    fake.write_text("#!/bin/sh\necho broken\n")
    fake.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    for path in ("", ".", os.pathsep):
        monkeypatch.setenv("PATH", path)
        assert pronunciation.program() is None and pronunciation.spoken(["word"], "de") is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert pronunciation.program() == fake
    assert pronunciation.spoken(["two", "words"], "de") is None  # one line for two


@needs_voice
def test_a_text_without_words_and_a_language_that_there_is_not_are_no_errors() -> None:
    assert pronunciation.spoken(["papa"], "de") == [[(p, p) for p in ("p", "aa", "p", "aa")]]
    assert pronunciation.spoken(["papa"], "xx") is None
    with pytest.raises(NotAligned, match="no words"):
        aligned(np.zeros(RATE, np.float32), words_of("..."))
