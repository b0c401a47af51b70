# SPDX-License-Identifier: GPL-3.0-or-later
"""The mouth of the shipped network: with a transcript, in many languages, and where the sound is poor."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.engine import pipeline
from core.engine.articulation import articulated, readout_of
from core.engine.engine import Engine
from core.models.audio_to_mouth import FULL, mouth_from_audio
from core.motion import visemes
from core.motion.lips import UNITS
from core.pictures import image
from core.sound import alignment, pronunciation
from core.sound.alignment import Phone
from tests.support import small
from training.speech import synth
from training.speech.synth import Voice, speak
from training.speech.visemes import VISEMES

ROOT = Path(__file__).parents[2]
JAW, PRESS, TEETH = (UNITS.index(name) for name in ("jaw_open", "press", "lip_teeth"))
ENGLISH = "My mother bought some bread and butter, and five people came by very often."
LANGUAGES = {
    "en-us": ENGLISH,
    "de": "Meine Mutter und mein Bruder haben am Abend gebadet.",
    "fr": "Ma mère et mon papa ne veulent pas partir en bateau.",
    "es": "Mi mamá no está en casa, pero el perro está aquí.",
    "it": "Buongiorno, mia madre non è in casa.",
    "pt": "A minha mãe não está em casa hoje.",
    "pl": "Moja mama nie jest w domu, ale pies jest.",
    "ru": "Моей мамы нет дома, но собака во дворе.",
    "tr": "Annem ve babam bu akşam evde değil.",
    "sv": "Min mamma är inte hemma idag.",
    "cs": "Moje máma není doma.",
    "id": "Ibu saya tidak ada di rumah.",
    "cmn": "我妈妈今天不在家",
}
needs_espeak = pytest.mark.skipif(not synth.available("espeak"), reason="espeak-ng is not installed")
needs_words = pytest.mark.skipif(
    not (alignment.available() and synth.available("espeak") and pronunciation.program()),
    reason="needs pocketsphinx and espeak-ng",
)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    with small.one_thread():
        yield


@pytest.fixture(scope="module")
def shipped() -> Engine:
    return Engine.from_checkpoint(None, "cpu")


@pytest.fixture(scope="module")
def portrait(shipped: Engine) -> pipeline.Portrait:
    return pipeline.prepare_portrait(shipped, image.load(ROOT / "demo" / "portrait.png"))


def follows(engine: Engine, utterance: synth.Utterance, samples: np.ndarray) -> float:
    """Pearson's r of the drawn jaw with the aperture that the synthesiser's own phones ask for."""
    assert engine.audio_to_mouth is not None
    net, samples = engine.audio_to_mouth, samples.astype(np.float32)
    drawn = articulated(net, mouth_from_audio(net, samples), samples, readout_of(engine.audio_id))[:, JAW]
    rows = [(VISEMES[int(kind)], start, end) for kind, start, end in utterance.visemes]
    return float(np.corrcoef(drawn, visemes.spoken(rows, len(drawn)).aperture)[0, 1])


@needs_espeak
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_mouth_moves_with_the_voice_in_many_languages(shipped: Engine, language: str) -> None:
    utterance = speak(LANGUAGES[language], Voice("espeak", language))
    assert follows(shipped, utterance, utterance.samples) > 0.6


@needs_espeak
@pytest.mark.parametrize("fault", ["music", "hum", "clipping", "telephone", "hiss"])
@pytest.mark.parametrize("language", ["en-us", "es"])
def test_music_hum_clipping_a_telephone_and_hiss_leave_the_mouth_with_the_voice(
    shipped: Engine, language: str, fault: str
) -> None:
    utterance = speak(LANGUAGES[language], Voice("espeak", language))
    voice = utterance.samples
    level, time = float(np.sqrt(np.mean(voice**2))), np.arange(len(voice)) / 16000
    chord = sum(np.sin(2 * np.pi * f * time) for f in (110, 220, 277, 330)) * (0.6 + 0.4 * np.sin(12 * time))
    spectrum, hertz = np.fft.rfft(voice), np.fft.rfftfreq(len(voice), 1 / 16000)
    sounds = {
        "music": voice + 0.1 * level * chord,
        "hum": voice + level * (0.7 * np.sin(2 * np.pi * 50 * time) + 0.2 * np.sin(2 * np.pi * 150 * time)),
        "clipping": np.clip(voice, -1.2 * level, 1.2 * level),
        "telephone": np.fft.irfft(spectrum * ((hertz > 300) & (hertz < 3400)), len(voice)),
        "hiss": voice + 0.12 * level * np.random.default_rng(0).normal(size=len(voice)),
    }
    clean = follows(shipped, utterance, voice)
    assert follows(shipped, utterance, sounds[fault]) > clean - 0.15


@needs_words
def test_with_its_words_the_mouth_closes_on_each_closure_and_follows_the_voice_more(
    shipped: Engine, portrait: pipeline.Portrait, tmp_path: Path
) -> None:
    utterance = speak(ENGLISH, Voice("espeak", "en-us"))
    soundfile.write(tmp_path / "line.wav", utterance.samples, 16000)
    told = pipeline.analyze(shipped, portrait, audio=tmp_path / "line.wav", text=ENGLISH)
    assert told.warnings == () and {"mother", "butter", "people"} <= {phone.word for phone in told.phones}
    units = told.motion.mouth[:, : len(UNITS)] / FULL
    for names, unit in ((("m", "p", "b"), PRESS), (("f", "v"), TEETH)):
        for phone in told.phones:
            if phone.name in names:
                step = int((phone.start + phone.end) / 2 * 25)
                assert units[step, unit] > 0.85, phone
    again = pipeline.analyze(shipped, portrait, audio=tmp_path / "line.wav", said=told.phones)
    np.testing.assert_array_equal(again.motion.weights, told.motion.weights)


@needs_words
@pytest.mark.parametrize("text", ["de", "ru", "other"])
def test_a_transcript_of_something_else_is_one_sentence_and_the_sound_alone(
    shipped: Engine, portrait: pipeline.Portrait, tmp_path: Path, text: str
) -> None:
    soundfile.write(tmp_path / "line.wav", speak(ENGLISH, Voice("espeak", "en-us")).samples, 16000)
    alone = pipeline.analyze(shipped, portrait, audio=tmp_path / "line.wav")
    given = LANGUAGES.get(text, "The committee has not decided whether a vote on Thursday is what they want.")
    told = pipeline.analyze(shipped, portrait, audio=tmp_path / "line.wav", text=given)
    np.testing.assert_array_equal(told.motion.weights, alone.motion.weights)
    (warning,) = told.warnings
    assert warning.startswith("The mouth follows the sound alone") and told.phones == ()


def test_phones_set_by_hand_close_the_mouth_and_unknown_names_change_nothing(
    shipped: Engine, portrait: pipeline.Portrait, tmp_path: Path
) -> None:
    time = np.arange(32000) / 16000
    voice = sum(np.sin(2 * np.pi * 140 * k * time) / k for k in range(1, 20)) * np.abs(np.sin(9 * time))
    soundfile.write(tmp_path / "line.wav", 0.1 * voice, 16000)

    def units(*said: Phone) -> np.ndarray:
        made = pipeline.analyze(shipped, portrait, audio=tmp_path / "line.wav", said=said)
        return made.motion.mouth[:, : len(UNITS)] / FULL

    alone = units()
    shut = units(Phone("m", 1.0, 1.08))
    assert shut[26, PRESS] > 0.85 > alone[26, PRESS] and shut[26, JAW] < 0.05
    np.testing.assert_array_equal(shut[:15], alone[:15])
    np.testing.assert_array_equal(units(Phone("hello", 1.0, 1.1), Phone("", 1.2, 1.3)), alone)
