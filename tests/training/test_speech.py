# SPDX-License-Identifier: GPL-3.0-or-later
"""Phones become visemes, visemes become mouths; synthesisers, where installed, speak with known timing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.sound import phones
from training.factors import MOUTH
from training.speech import augment, corpus
from training.speech.sentences import sentence
from training.speech.synth import RATE, SpeechUnavailable, Utterance, Voice, available, speak
from training.speech.visemes import UNITS, VISEMES, mouth_track, timed

needs_flite = pytest.mark.skipif(not available("flite"), reason="flite is not installed")
needs_espeak = pytest.mark.skipif(not available("espeak"), reason="espeak-ng is not installed")


def unit(track: np.ndarray, name: str) -> np.ndarray:
    return track[:, UNITS.index(name)]


def test_units_are_the_mouth_factors_in_order() -> None:
    assert tuple(f.name for f in MOUTH) == UNITS
    assert len(UNITS) == 12


def test_every_phone_of_both_tables_is_a_known_viseme() -> None:
    for table in (phones.FLITE, phones.ESPEAK):
        assert {v for pair in table.values() for v in pair} <= set(VISEMES)


@pytest.mark.parametrize(
    ("phone", "visemes"),
    [
        ("b", ("p",)),
        ("u:", ("uw",)),
        ("oU", ("oh", "uw")),
        ("_::", ("silence",)),
        ("tS", ("sh",)),
        ("~", None),
    ],
)
def test_espeak_marks_are_stripped_until_a_sound_is_known(
    phone: str, visemes: tuple[str, ...] | None
) -> None:
    assert phones.from_espeak(phone) == visemes


def test_the_same_letter_is_another_vowel_in_english() -> None:
    assert phones.from_espeak("a", english=True) == ("ae",)
    assert phones.from_espeak("a", english=False) == ("aa",)


def test_a_diphthong_moves_from_its_first_shape_to_its_second() -> None:
    first, second = phones.spread(phones.from_flite("ow"), 1.0, 1.2)
    assert first == ("oh", 1.0, pytest.approx(1.11))
    assert second == ("uw", pytest.approx(1.11), 1.2)


@pytest.mark.parametrize("offset", [0.0, 0.007, 0.013, 0.02, 0.031])
def test_lips_reach_full_press_in_the_shortest_b_wherever_it_falls(offset: float) -> None:
    rows = [
        ("aa", 0.1 + offset, 0.25 + offset),
        ("p", 0.25 + offset, 0.29 + offset),
        ("aa", 0.29 + offset, 0.5),
    ]
    track = mouth_track(timed(rows), 14)
    assert unit(track, "press").max() == 1.0
    closed = int(unit(track, "press").argmax())
    assert unit(track, "jaw_open")[closed] == 0.0
    assert unit(track, "jaw_open")[:closed].max() > 0.4
    assert unit(track, "jaw_open")[closed:].max() > 0.4


def test_the_vowel_between_two_closures_opens() -> None:
    track = mouth_track(timed([("p", 0.2, 0.28), ("aa", 0.28, 0.42), ("p", 0.42, 0.5)]), 16)
    between = slice(7, 11)
    assert unit(track, "jaw_open")[between].max() > 0.45
    assert unit(track, "press")[between].min() < 0.2


def test_silence_is_a_closed_and_still_mouth() -> None:
    assert mouth_track(timed([]), 10).max() == 0.0
    track = mouth_track(timed([("silence", 0, 0.6), ("aa", 0.6, 0.8), ("silence", 0.8, 1.6)]), 40)
    assert track[:10].max() < 0.01
    assert track[26:].max() < 0.01


def test_neighbours_share_their_rounding_with_a_closure() -> None:
    boo = mouth_track(timed([("p", 0.2, 0.26), ("uw", 0.26, 0.5)]), 13)
    bee = mouth_track(timed([("p", 0.2, 0.26), ("iy", 0.26, 0.5)]), 13)
    assert unit(boo, "pucker")[5] > unit(bee, "pucker")[5] + 0.02
    assert unit(boo, "press")[5] == unit(bee, "press")[5] == 1.0


def test_effort_opens_the_jaw_further_and_leaves_closures_alone() -> None:
    rows = timed([("aa", 0.2, 0.4), ("p", 0.4, 0.5)])
    soft, loud = (mouth_track(rows, 15, np.full(15, e)) for e in (0.6, 1.2))
    assert unit(loud, "jaw_open").max() == pytest.approx(2 * unit(soft, "jaw_open").max(), rel=1e-4)
    np.testing.assert_array_equal(unit(loud, "press"), unit(soft, "press"))


def test_sentences_repeat_for_the_same_seed_and_are_full_of_lip_sounds() -> None:
    first, again = ([sentence(np.random.default_rng(s)) for s in range(40)] for _ in range(2))
    assert first == again
    assert len(set(first)) == 40
    text = "".join(first)
    assert sum(text.count(c) for c in "bmp") > 0.06 * len(text)


@needs_flite
def test_flite_says_when_its_lips_close() -> None:
    said = speak("Papa may be home.", Voice("flite", "slt"))
    assert 0.8 < len(said.samples) / RATE < 3
    assert said.samples.dtype == np.float32
    starts, ends = said.visemes[:, 1], said.visemes[:, 2]
    assert (ends >= starts).all()
    np.testing.assert_allclose(starts[1:], ends[:-1], atol=1e-6)
    closures = said.visemes[said.visemes[:, 0] == VISEMES.index("p")]
    assert len(closures) == 5  # p p m b m
    assert vowels_are_louder(said)


@needs_espeak
@pytest.mark.parametrize("name", ["en-us", "en-us+f3", "de+m2", "fr"])
def test_espeak_says_when_each_sound_begins_in_any_voice(name: str) -> None:
    said = speak("bumble papa mama", Voice("espeak", name))
    assert np.isin(said.visemes[:, 0], [VISEMES.index("p")]).sum() >= 5
    assert said.visemes[-1, 2] <= len(said.samples) / RATE + 0.05
    assert vowels_are_louder(said)


def vowels_are_louder(said: Utterance) -> bool:
    """Timing check: by the visemes' own times, vowels must carry far more energy than silences."""
    energy = {"silence": [0.0], "vowel": [0.0]}
    for number, start, end in said.visemes:
        name = VISEMES[int(number)]
        kind = "silence" if name == "silence" else "vowel" if name[0] in "aeiou" else ""
        if kind and end - start > 0.02:
            energy[kind].append(float(np.square(said.samples[int(start * RATE) : int(end * RATE)]).mean()))
    return np.mean(energy["vowel"]) > 20 * np.mean(energy["silence"])


@needs_espeak
def test_a_faster_voice_takes_less_time_and_the_same_call_repeats() -> None:
    slow, fast, again = (
        speak("a very long sentence", Voice("espeak", "en-us", speed=s)) for s in (0.8, 1.4, 1.4)
    )
    assert len(fast.samples) < 0.75 * len(slow.samples)
    np.testing.assert_allclose(fast.visemes, again.visemes, atol=0.002)


@needs_flite
def test_an_unknown_flite_voice_is_named() -> None:
    with pytest.raises(SpeechUnavailable, match="nobody"):
        speak("hello", Voice("flite", "nobody"))


@needs_espeak
def test_an_unknown_espeak_voice_is_named() -> None:
    with pytest.raises(SpeechUnavailable, match="qx-nowhere"):
        speak("hello", Voice("espeak", "qx-nowhere"))


@needs_espeak
def test_a_corpus_is_made_once_the_same_each_time_and_read_back(tmp_path: Path) -> None:
    voices = [(Voice("espeak", "en-us+m1"), 3), (Voice("espeak", "qx-nowhere"), 2)]
    missing = corpus.make(tmp_path / "one", voices, workers=1)
    assert len(missing) == 1
    assert "qx-nowhere" in missing[0]
    path = tmp_path / "one" / "espeak-en-us+m1.npz"
    stamp = path.stat().st_mtime_ns
    recordings = corpus.load(path)
    assert recordings.key == "espeak-en-us+m1"
    assert len(recordings) == 3
    corpus.make(tmp_path / "two", voices[:1], workers=1)
    again = corpus.load(tmp_path / "two" / path.name)
    for i in range(3):
        np.testing.assert_array_equal(recordings[i].samples, again[i].samples)
        np.testing.assert_array_equal(recordings[i].visemes, again[i].visemes)
        assert recordings[i].visemes[-1, 2] == pytest.approx(len(recordings[i].samples) / RATE, abs=0.05)
    with pytest.raises(IndexError):
        recordings[3]
    corpus.make(tmp_path / "one", voices[:1], workers=1)
    assert path.stat().st_mtime_ns == stamp


# --- augmentation --------------------------------------------------------------------------------


def spoken(seconds: float = 1.0) -> Utterance:
    time = np.arange(int(seconds * RATE)) / RATE
    wave = (0.3 * np.sign(np.sin(2 * np.pi * 200 * time))).astype(np.float32)
    return Utterance(wave, timed([("aa", 0.2, 0.6), ("p", 0.6, 0.7)]))


def strongest(samples: np.ndarray) -> float:
    return float(np.abs(np.fft.rfft(samples)).argmax() * RATE / len(samples))


@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_a_resized_throat_moves_pitch_and_timing_alike(factor: float) -> None:
    said = augment.resized(spoken(), factor)
    assert len(said.samples) == pytest.approx(RATE / factor, abs=2)
    assert strongest(said.samples) == pytest.approx(200 * factor, rel=0.02)
    np.testing.assert_allclose(said.visemes[:, 1:], spoken().visemes[:, 1:] / factor, rtol=1e-6)


def test_effort_joins_loudness_and_articulation() -> None:
    said = spoken(4.0)
    samples, effort = augment.effort(said, np.random.default_rng(2))
    assert len(effort) == 100
    loudness = np.sqrt(np.square(samples.reshape(100, 640)).mean(1))
    assert np.corrcoef(np.log(loudness), effort)[0, 1] > 0.9
    assert effort.std() > 0.02


@pytest.mark.parametrize("seed", range(8))
def test_a_recording_keeps_its_length_stays_finite_and_repeats(seed: int) -> None:
    samples = spoken().samples
    one, two = (augment.recorded(samples, np.random.default_rng(seed)) for _ in range(2))
    assert one.shape == samples.shape
    assert one.dtype == np.float32
    assert np.isfinite(one).all()
    assert np.abs(one).max() <= 1
    assert one.std() > 1e-4
    np.testing.assert_array_equal(one, two)


def test_a_room_and_a_codec_change_the_sound_but_keep_its_level() -> None:
    samples = spoken().samples
    for change in (augment.reverberated, augment.coded):
        changed = change(samples, np.random.default_rng(0))
        assert not np.array_equal(changed, samples)
        assert np.sqrt(np.square(changed).mean()) == pytest.approx(
            np.sqrt(np.square(samples).mean()), rel=0.4
        )


def test_noise_has_unit_strength_and_a_breath_fades_in_and_out() -> None:
    rng = np.random.default_rng(0)
    assert augment.noise(16000, rng).std() == pytest.approx(1, rel=1e-3)
    breath = np.abs(augment.breath(16000, rng))
    assert breath[:800].mean() < 0.3 * breath[7000:9000].mean()
    assert breath[-800:].mean() < 0.3 * breath[7000:9000].mean()
