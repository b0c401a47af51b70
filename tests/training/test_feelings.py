# SPDX-License-Identifier: GPL-3.0-or-later
"""Words and feelings, what is made of them to learn from, and sentences kept for the examination."""

from __future__ import annotations

import numpy as np
import pytest

from core.sound.lexicon import BUCKETS, CUES, FELT, GROUPS, cues, feelings_of, letters, vocabulary
from training.evaluation.feeling import written_sentences
from training.speech import feelings, sayings
from training.speech.synth import Voice, available


def names(word: str) -> set[str]:
    return {FELT[number] for number in feelings_of(word)}


def test_words_say_their_feeling_with_any_ending_and_in_any_case() -> None:
    assert names("furious") == names("FURIOUS") == names("furiously") == {"angry"}
    assert names("crying") == names("cries") | {"sad"} == {"sad"}
    assert "happy" in names("celebrated") and "disgusted" in names("stinking")
    assert names("table") == set()


def test_every_feeling_has_some_fifty_words() -> None:
    assert min(len(words) for words in vocabulary().values()) >= 45
    assert tuple(vocabulary()) == FELT


def test_a_word_carries_what_stands_around_it() -> None:
    def told(word: str, after: str = "") -> set[str]:
        return {name for name, value in zip(CUES, cues(word, after)) if value}

    assert told("happy", "!") == {"happy", "known", "!", "ends"}
    assert told("not") == {"not"} == told("didn't")
    assert told("very") == {"more"}
    assert told("STAIRS", "?") == {"shouted", "?", "ends"}
    assert told("well", "...") == {"...", "ends"}


def test_related_words_share_letters_and_hashes_repeat_everywhere() -> None:
    assert letters("terrify") == letters("Terrify")
    assert len(letters("a")) == len(letters("incomprehensible")) == GROUPS
    assert all(0 <= place < BUCKETS for place in letters("incomprehensible"))
    shared = set(letters("fearful")) & set(letters("fearfully"))
    assert len(shared) >= 3 > len(set(letters("fearful")) & set(letters("bicycle")))
    assert letters("hello")[0] == 1390  # crc32 of "<hello>", not Python's hash, which changes by process


def test_texts_repeat_by_seed_and_speak_of_their_feeling() -> None:
    one, again = (
        [sayings.said_with(name, np.random.default_rng(3)) for name in feelings.CLASSES] for _ in range(2)
    )
    assert one == again
    rng = np.random.default_rng(0)
    for name in FELT:
        texts = [sayings.said_with(name, rng)[0] for _ in range(60)]
        assert len(set(texts)) > 40
        found = [any(name in names(word.strip(".,!?")) for word in text.split()) for text in texts]
        assert np.mean(found) > 0.4
        assert not any("{" in text for text in texts)


def test_nobody_trains_on_the_sentences_of_the_examination() -> None:
    rng = np.random.default_rng(1)
    made = {sayings.said_with(name, rng)[0].lower() for name in feelings.CLASSES for _ in range(300)}
    asked = written_sentences()
    assert len(asked) == 64 and {feeling for _, feeling in asked} == set(feelings.CLASSES)
    assert not {sentence.lower() for sentence, _ in asked} & made


@pytest.mark.skipif(not available("espeak"), reason="needs espeak-ng")
def test_sadness_is_slower_softer_and_flatter_than_joy() -> None:
    from core.sound.prosody import FEATURES, prosody

    voice, heard = Voice("espeak", "en-us+f2"), {}
    for name in ("sad", "happy"):
        sound = feelings.say("The train leaves the station.", voice, name, 1.0, np.random.default_rng(0))
        table = prosody(sound, len(sound) // 640)
        voiced = table[:, FEATURES.index("voiced")] > 0.5
        loud = float(np.sqrt(np.square(sound).mean()))
        heard[name] = (len(sound), loud, float(table[voiced, FEATURES.index("pitch")].std()))
    assert heard["sad"][0] > 1.2 * heard["happy"][0]
    assert heard["sad"][1] < 0.5 * heard["happy"][1]
    assert heard["sad"][2] < 0.7 * heard["happy"][2]
