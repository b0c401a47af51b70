# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way with a small network: voice and clip in, motion out, motion in, frames out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
import torch

from core.engine import pipeline
from core.engine.engine import Engine
from core.models.audio_to_mouth import AudioToMouthConfig, build
from core.motion.motion import Motion
from core.pictures import image, video
from core.pictures.image import Crop, Picture
from core.wire.channels import BANK_SLICES
from core.wire.errors import (
    BadMotion,
    Cancelled,
    CheckpointError,
    InputError,
    NoFace,
    UnreadableAudio,
    UnreadableVideo,
)
from tests.support import small
from training import factors

ASTRONAUT = Path(__file__).parents[2] / "demo" / "astronaut.png"
MOUTH, POSE, EXPRESSION = BANK_SLICES["mouth"], BANK_SLICES["pose"], BANK_SLICES["expression"]
CROP = Crop(142, 37, 165)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    with small.one_thread():
        yield


@pytest.fixture(scope="module")
def engine() -> Engine:
    torch.manual_seed(1)
    listener = build(AudioToMouthConfig(width=16, blocks=2)).eval()
    for parameter in listener.parameters():  # a last layer that starts at zero would say nothing
        torch.nn.init.normal_(parameter, std=0.2)
    return Engine(
        small.model("clean", 64), "cpu", "small-1", factors.channels(), factors.emotions(), listener
    )


@pytest.fixture(scope="module")
def portrait(engine: Engine) -> pipeline.Portrait:
    return pipeline.prepare_portrait(engine, image.load(ASTRONAUT), CROP)


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("voice") / "voice.wav"
    sound = np.random.default_rng(0).normal(0, 0.2, 16000) * np.abs(np.sin(np.arange(16000) * 0.001))
    soundfile.write(path, sound, 16000)
    return path


@pytest.fixture(scope="module")
def driving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of the astronaut drifting to the right, at 30 frames a second."""
    photo = image.load(ASTRONAUT).rgb
    path = tmp_path_factory.mktemp("clip") / "driving.mp4"
    video.write_preview(path, (photo[:256, 100 - k // 2 : 356 - k // 2] for k in range(60)), 30)
    return path


def steps(analysis: pipeline.Analysis) -> np.ndarray:
    return analysis.motion.weights


# --- the portrait ---------------------------------------------------------------------------------


def test_the_face_is_found_unless_a_crop_is_given(engine: Engine, portrait: pipeline.Portrait) -> None:
    found = pipeline.prepare_portrait(engine, image.load(ASTRONAUT))
    assert portrait.crop == CROP
    assert abs(found.crop.x - CROP.x) + abs(found.crop.y - CROP.y) + abs(found.crop.side - CROP.side) < 60
    with pytest.raises(InputError, match="crop"):
        pipeline.prepare_portrait(engine, image.load(ASTRONAUT), Crop(900, 0, 100))


# --- analyze --------------------------------------------------------------------------------------


def test_a_voice_moves_the_mouth_and_nothing_else(
    engine: Engine, portrait: pipeline.Portrait, voice: Path
) -> None:
    motion = pipeline.analyze(engine, portrait, audio=voice).motion
    assert (len(motion), motion.rate, motion.model) == (25, 25.0, "small-1")
    assert motion.mouth[:, :12].std(axis=0).min() > 0
    np.testing.assert_array_equal(motion.pose, np.repeat(portrait.weights[None, POSE], 25, 0))
    np.testing.assert_array_equal(motion.expression, np.repeat(portrait.weights[None, EXPRESSION], 25, 0))


def test_mouth_weights_are_what_the_audio_network_says(
    engine: Engine, portrait: pipeline.Portrait, voice: Path
) -> None:
    from core.models.audio_to_mouth import mouth_from_audio
    from core.sound.audio import load_audio

    assert engine.audio_to_mouth is not None
    said = mouth_from_audio(engine.audio_to_mouth, load_audio(voice))
    np.testing.assert_allclose(pipeline.analyze(engine, portrait, audio=voice).motion.mouth, said, atol=1e-5)


def test_idle_motion_is_added_and_repeatable(
    engine: Engine, portrait: pipeline.Portrait, voice: Path
) -> None:
    calm = steps(pipeline.analyze(engine, portrait, audio=voice))
    lively = steps(pipeline.analyze(engine, portrait, audio=voice, idle_amplitude=1.0, seed=5))
    np.testing.assert_array_equal(
        lively, steps(pipeline.analyze(engine, portrait, audio=voice, idle_amplitude=1.0, seed=5))
    )
    np.testing.assert_array_equal(lively[0], calm[0])
    np.testing.assert_array_equal(lively[:, MOUTH], calm[:, MOUTH])
    assert np.abs(lively[:, POSE] - calm[:, POSE]).max() > 0.01


def test_an_emotion_takes_over_the_expression(
    engine: Engine, portrait: pipeline.Portrait, voice: Path
) -> None:
    happy = pipeline.analyze(engine, portrait, audio=voice, emotion="happy").motion.expression
    np.testing.assert_allclose(happy[:, :7], np.repeat([engine.emotions["happy"][:7]], 25, 0), atol=1e-6)
    np.testing.assert_allclose(happy[:, 7:], np.repeat(portrait.weights[None, 33:36], 25, 0))


def test_a_clip_adds_its_changes_to_the_portraits_own_pose(
    engine: Engine, portrait: pipeline.Portrait, driving: Path
) -> None:
    told: list[tuple[str, int, int]] = []
    motion = pipeline.analyze(
        engine, portrait, driving=driving, idle_amplitude=1.0, progress=lambda *news: told.append(news)
    ).motion
    assert len(motion) == 50  # 60 frames at 30 a second are 50 steps
    np.testing.assert_allclose(motion.pose[0], portrait.weights[POSE], atol=1e-6)
    np.testing.assert_allclose(motion.expression[0], portrait.weights[EXPRESSION], atol=1e-6)
    assert np.abs(motion.pose[-1] - motion.pose[0]).max() > 1e-4
    stages, done, totals = zip(*told)
    assert set(stages) == {"watch"} and set(totals) == {50} and list(done) == sorted(done) and done[-1] == 50


def test_frames_of_a_clip_without_the_face_hold_and_are_named(
    engine: Engine, portrait: pipeline.Portrait, tmp_path: Path
) -> None:
    photo = image.load(ASTRONAUT).rgb
    frames = [photo[:256, 100 - k // 2 : 356 - k // 2] for k in range(25)]
    video.write_preview(tmp_path / "plain.mp4", frames, 25)
    video.write_preview(tmp_path / "black.mp4", [0 * frames[0]] * 15 + frames, 25)
    plain, late = (
        pipeline.analyze(engine, portrait, driving=tmp_path / name) for name in ("plain.mp4", "black.mp4")
    )
    assert not plain.warnings and "0.0 to 0.6 s" in late.warnings[0]
    rest = steps(late)[:12]
    np.testing.assert_allclose(rest, np.repeat(rest[:1], 12, axis=0), atol=1e-4)
    spread = np.abs(steps(plain)).max()
    np.testing.assert_allclose(steps(late)[20:36], steps(plain)[5:21], atol=0.1 * spread)


def test_a_clips_own_sound_stays_where_it_is_beside_its_pictures(
    engine: Engine, portrait: pipeline.Portrait, driving: Path, voice: Path, tmp_path: Path
) -> None:
    def clip(delay: float) -> Path:
        path = tmp_path / f"{delay}.mkv"
        with av.open(str(driving)) as source, av.open(str(path), "w") as container:
            pictures = container.add_stream_from_template(source.streams.video[0])
            sound = container.add_stream("pcm_s16le", rate=16000, layout="mono")
            samples = (soundfile.read(voice)[0] * 32767).astype(np.int16)[None]
            frame = av.AudioFrame.from_ndarray(samples, "s16", "mono")
            frame.sample_rate, frame.pts, frame.time_base = 16000, round(delay * 16000), Fraction(1, 16000)
            for packet in source.demux(video=0):
                if packet.dts is not None:
                    packet.stream = pictures
                    container.mux(packet)
            container.mux(sound.encode(frame))
            container.mux(sound.encode(None))
        return path

    at_once, late = (pipeline.analyze(engine, portrait, audio=c, driving=c) for c in (clip(0.0), clip(1.0)))
    mouth = BANK_SLICES["mouth"]
    np.testing.assert_allclose(steps(late)[25:48, mouth], steps(at_once)[:23, mouth], atol=5e-3)
    np.testing.assert_allclose(steps(late)[:25, 20:26], steps(at_once)[:25, 20:26], atol=1e-4)
    assert not at_once.warnings and "1.00 s after its pictures" in late.warnings[0]
    alone = pipeline.analyze(engine, portrait, audio=clip(1.0))
    np.testing.assert_allclose(steps(alone)[:23, mouth], steps(at_once)[:23, mouth], atol=5e-3)


def test_the_clip_gives_the_mouth_only_without_a_voice(
    engine: Engine, portrait: pipeline.Portrait, driving: Path, voice: Path
) -> None:
    heard = pipeline.analyze(engine, portrait, audio=voice).motion
    seen = pipeline.analyze(engine, portrait, driving=driving).motion
    both = pipeline.analyze(engine, portrait, audio=voice, driving=driving).motion
    np.testing.assert_allclose(both.mouth[:25], heard.mouth, atol=1e-5)
    np.testing.assert_allclose(both.pose, seen.pose, atol=1e-5)
    assert not np.allclose(seen.mouth[:25], heard.mouth, atol=1e-3)


def test_the_shorter_track_returns_softly_to_the_portrait(
    engine: Engine, portrait: pipeline.Portrait, driving: Path, tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).normal(0, 0.3, 16000 * 5)
    soundfile.write(tmp_path / "long.wav", noise, 16000)
    motion = pipeline.analyze(engine, portrait, audio=tmp_path / "long.wav", driving=driving).motion
    assert len(motion) == 125
    np.testing.assert_allclose(motion.pose[50:55], np.repeat(motion.pose[49:50], 5, 0), atol=1e-6)
    np.testing.assert_allclose(motion.pose[-1], portrait.weights[POSE], atol=1e-6)
    jumps = np.abs(np.diff(motion.pose[49:], axis=0)).max()
    assert jumps < 0.1 * np.abs(motion.pose[49] - portrait.weights[POSE]).max() + 1e-6


def test_a_still_picture_is_where_the_face_goes_to(engine: Engine, portrait: pipeline.Portrait) -> None:
    motion = pipeline.analyze(engine, portrait, driving=ASTRONAUT).motion
    assert len(motion) == 50
    np.testing.assert_allclose(motion.weights[0], portrait.weights, atol=1e-5)
    found = pipeline.prepare_portrait(engine, image.load(ASTRONAUT))
    np.testing.assert_allclose(motion.weights[-1], found.weights, atol=1e-4)


def test_bad_input_is_one_sentence(
    engine: Engine, portrait: pipeline.Portrait, tmp_path: Path, voice: Path
) -> None:
    wall = [np.full((64, 64, 3), 90, np.uint8)] * 5
    video.write_preview(tmp_path / "wall.mp4", wall, 25)
    soundfile.write(tmp_path / "silent.wav", np.zeros(8000), 16000)
    cases: list[tuple[type[Exception], str, dict[str, Any]]] = [
        (InputError, "nothing to animate from", {}),
        (NoFace, "first 2 seconds of wall", {"driving": tmp_path / "wall.mp4"}),
        (UnreadableVideo, "sound file", {"driving": voice}),
        (UnreadableAudio, "no sound file", {"audio": tmp_path / "none.wav"}),
        (InputError, "no emotion", {"audio": voice, "emotion": "joyful"}),
    ]
    for kind, sentence, given in cases:
        with pytest.raises(kind, match=sentence):
            pipeline.analyze(engine, portrait, **given)
    assert "is silent" in pipeline.analyze(engine, portrait, audio=tmp_path / "silent.wav").warnings[0]


@pytest.mark.parametrize("kind", ["hum", "hiss", "chord"])
def test_a_recording_in_which_nobody_speaks_is_said(
    engine: Engine, portrait: pipeline.Portrait, tmp_path: Path, voice: Path, kind: str
) -> None:
    time = np.arange(32000) / 16000
    tones = {"hum": (50, 100, 150), "chord": (220, 277, 330), "hiss": ()}[kind]
    sound = 0.05 * sum(np.sin(2 * np.pi * hertz * time) for hertz in tones)
    sound = sound + np.random.default_rng(0).normal(0, 0.05 if kind == "hiss" else 1e-4, 32000)
    soundfile.write(tmp_path / "nobody.wav", sound, 16000)
    (warning,) = pipeline.analyze(engine, portrait, audio=tmp_path / "nobody.wav").warnings
    assert "No voice was heard in nobody.wav" in warning
    assert pipeline.analyze(engine, portrait, audio=voice).warnings == ()


def test_doubts_about_the_face_are_told_with_the_take(
    engine: Engine, portrait: pipeline.Portrait, voice: Path
) -> None:
    assert pipeline.analyze(engine, portrait, audio=voice).warnings == ()
    doubtful = replace(portrait, doubts=("The face may be none",))
    assert pipeline.analyze(engine, doubtful, audio=voice).warnings == ("The face may be none",)


def test_a_checkpoint_that_cannot_listen_says_so(portrait: pipeline.Portrait, voice: Path) -> None:
    deaf = Engine(small.model("clean", 64), "cpu", "deaf-1")
    with pytest.raises(CheckpointError, match="deaf-1 cannot listen"):
        pipeline.analyze(deaf, portrait, audio=voice)


def test_cancelling_stops_between_batches(engine: Engine, portrait: pipeline.Portrait, driving: Path) -> None:
    def cancel(stage: str, done: int, total: int) -> None:
        raise Cancelled("Cancelled")

    with pytest.raises(Cancelled):
        pipeline.analyze(engine, portrait, driving=driving, progress=cancel)


def test_a_long_sound_says_how_far_it_is_and_can_be_cancelled(
    engine: Engine, portrait: pipeline.Portrait, tmp_path: Path
) -> None:
    long, told = tmp_path / "long.wav", []
    soundfile.write(long, np.random.default_rng(0).normal(0, 0.2, 45 * 16000), 16000)

    def tell(stage: str, done: int, total: int) -> None:
        told.append((stage, done, total))
        if len(told) == 6:
            raise Cancelled("Cancelled")

    pipeline.analyze(engine, portrait, audio=long, progress=tell)
    assert told == [("listen", done, 1125) for done in (0, 500, 1000, 1125)]
    with pytest.raises(Cancelled):
        pipeline.analyze(engine, portrait, audio=long, progress=tell)
    assert told[4:] == [("listen", 0, 1125), ("listen", 500, 1125)]


# --- decode ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def take(portrait: pipeline.Portrait) -> Motion:
    weights = portrait.weights + np.random.default_rng(0).normal(0, 1, (6, 36)).astype(np.float32)
    return Motion(weights, model="small-1", numbers=np.arange(10, 16))


def frames(engine: Engine, portrait: pipeline.Portrait, motion: Motion, **more: Any) -> dict[int, Picture]:
    return dict(pipeline.decode(engine, portrait, motion, **more))


def test_frames_come_in_order_with_their_numbers_and_size(
    engine: Engine, portrait: pipeline.Portrait, take: Motion
) -> None:
    made = frames(engine, portrait, take, size=96)
    assert list(made) == [10, 11, 12, 13, 14, 15]
    assert {picture.rgb.shape for picture in made.values()} == {(96, 96, 3)}
    assert {picture.rgb.dtype for picture in made.values()} == {np.dtype(np.uint8)}


def test_a_frame_is_the_same_whichever_others_are_asked_for(
    engine: Engine, portrait: pipeline.Portrait, take: Motion
) -> None:
    together = frames(engine, portrait, take, size=96)
    for number in (15, 11):
        alone = frames(engine, portrait, take, numbers=[number], size=96)
        np.testing.assert_array_equal(alone[number].rgb, together[number].rgb)
    shuffled = frames(engine, portrait, take, numbers=[14, 10, 12], size=96)
    assert list(shuffled) == [14, 10, 12]
    np.testing.assert_array_equal(shuffled[12].rgb, together[12].rgb)


def test_pasting_changes_the_face_and_leaves_the_rest_of_the_portrait_alone(
    engine: Engine, portrait: pipeline.Portrait, take: Motion
) -> None:
    made = frames(engine, portrait, take, numbers=[12], composite="paste")[12].rgb
    original = portrait.picture.rgb
    assert made.shape == original.shape
    outside = np.ones(original.shape[:2], bool)
    outside[CROP.y : CROP.y + CROP.side, CROP.x : CROP.x + CROP.side] = False
    np.testing.assert_array_equal(made[outside], original[outside])
    assert np.abs(made[~outside].astype(int) - original[~outside]).mean() > 0.5


def test_16_bit_frames_are_the_8_bit_ones_with_more_levels(
    engine: Engine, portrait: pipeline.Portrait, take: Motion
) -> None:
    deep = frames(engine, portrait, take, numbers=[12], size=96, depth=16)[12]
    plain = frames(engine, portrait, take, numbers=[12], size=96)[12]
    assert deep.rgb.dtype == np.uint16 and len(np.unique(deep.rgb)) > 2 * 256
    assert np.abs(deep.to_depth(8).rgb.astype(int) - plain.rgb).max() <= 1


def test_detail_is_carried_over_only_when_asked_for(
    engine: Engine, portrait: pipeline.Portrait, take: Motion
) -> None:
    sharp = frames(engine, portrait, take, numbers=[12], size=160)[12].rgb.astype(float)
    soft = frames(engine, portrait, take, numbers=[12], size=160, detail_transfer=False)[12].rgb.astype(float)

    def fineness(picture: np.ndarray) -> float:
        return float(np.abs(np.diff(picture, axis=1)).mean())

    assert fineness(sharp) > 1.1 * fineness(soft)


def test_a_cut_out_portrait_gives_cut_out_frames(engine: Engine, take: Motion) -> None:
    photo = image.load(ASTRONAUT).rgb
    alpha = np.zeros(photo.shape[:2], np.uint8)
    alpha[80:160, 185:265] = 255
    cut = pipeline.prepare_portrait(engine, Picture(photo, alpha), CROP)
    crop = frames(engine, cut, take, numbers=[12], size=96)[12]
    assert crop.alpha is not None and crop.alpha.shape == (96, 96)
    assert crop.alpha.max() == 255 and crop.alpha.min() == 0
    whole = frames(engine, cut, take, numbers=[12], composite="paste")[12]
    assert whole.alpha is not None and whole.alpha.max() == 255 and not whole.alpha[:30].any()


def test_the_untouched_portrait_is_framed_like_its_frames(portrait: pipeline.Portrait) -> None:
    still = portrait.untouched(165)
    np.testing.assert_array_equal(still.rgb, portrait.picture.rgb[37 : 37 + 165, 142 : 142 + 165])
    assert portrait.untouched(96, "paste", 16).rgb.shape == portrait.picture.rgb.shape
    assert portrait.untouched(96, "paste", 16).depth == 16


def test_motion_of_another_checkpoint_or_without_the_number_is_refused_at_once(
    engine: Engine, portrait: pipeline.Portrait, take: Motion
) -> None:
    with pytest.raises(BadMotion, match="made for the checkpoint other-2, not for small-1"):
        pipeline.decode(engine, portrait, Motion(take.weights, model="other-2"))
    with pytest.raises(BadMotion, match="no frame 9 and 1 others"):
        pipeline.decode(engine, portrait, take, numbers=[9, 10, 99])


# --- heads that go with the voice, and faces with what is meant -----------------------------------


@pytest.fixture(scope="module")
def feeling(engine: Engine) -> Engine:
    from core.models.audio_to_pose import AudioToPose, AudioToPoseConfig
    from core.models.speech_to_expression import SpeechToExpression, SpeechToExpressionConfig

    torch.manual_seed(6)
    pose = AudioToPose(AudioToPoseConfig(width=16, context=8, couplings=2, hidden=8)).eval()
    expression = SpeechToExpression(SpeechToExpressionConfig(width=16, letters=8)).eval()
    return Engine(
        small.model("clean", 64),
        "cpu",
        "small-2",
        factors.channels(),
        factors.emotions(),
        engine.audio_to_mouth,
        audio_to_pose=pose,
        speech_to_expression=expression,
        warnings=("Something is missing",),
    )


def test_a_head_goes_with_the_voice_by_seed_amplitude_and_stillness(
    feeling: Engine, portrait: pipeline.Portrait, voice: Path
) -> None:
    def head(**settings: Any) -> np.ndarray:
        taken = pipeline.analyze(feeling, portrait, audio=voice, **settings)
        assert taken.warnings == (("Something is missing",) if settings.get("idle_amplitude") else ())
        return taken.motion.pose - portrait.weights[POSE]

    assert not head().any()
    calm, same, other, wide, still = (
        head(idle_amplitude=amplitude, seed=seed, stillness=stillness)
        for amplitude, seed, stillness in (
            *((0.4, 1, 0.2), (0.4, 1, 0.2), (0.4, 2, 0.2)),
            *((0.8, 1, 0.2), (0.4, 1, 0.9)),
        )
    )
    np.testing.assert_array_equal(calm, same)
    assert np.abs(calm - other).max() > 1e-3 < np.abs(calm - still).max()
    assert np.abs(wide).max() > 1.2 * np.abs(calm).max()
    np.testing.assert_allclose(calm[0], 0, atol=1e-6)


def test_an_automatic_emotion_follows_voice_and_transcript(
    feeling: Engine, portrait: pipeline.Portrait, voice: Path, driving: Path
) -> None:
    def face(**settings: Any) -> np.ndarray:
        return pipeline.analyze(feeling, portrait, **settings).motion.expression

    heard = face(audio=voice, emotion="auto")
    happy, sad = (face(audio=voice, emotion="auto", text=text) for text in ("So happy!", "So very sad..."))
    assert np.abs(heard - portrait.weights[EXPRESSION])[:, :7].max() > 1e-3
    assert np.abs(happy - sad).max() > 1e-3 < np.abs(happy - heard).max()
    np.testing.assert_array_equal(heard[:, 7:], np.repeat(portrait.weights[None, EXPRESSION], 25, 0)[:, 7:])
    plain = face(audio=voice, idle_amplitude=0.0)
    np.testing.assert_array_equal(face(audio=voice, text="So happy!"), plain)  # a text alone is for the mouth
    np.testing.assert_array_equal(
        face(audio=voice, emotion="happy", text="So sad..."), face(audio=voice, emotion="happy")
    )
    assert len(face(driving=driving, text="So happy!")) == 50


def test_a_checkpoint_that_cannot_feel_says_so_and_a_clip_alone_means_nothing(
    engine: Engine, feeling: Engine, portrait: pipeline.Portrait, voice: Path, driving: Path
) -> None:
    with pytest.raises(CheckpointError, match="small-1 cannot tell feelings"):
        pipeline.analyze(engine, portrait, audio=voice, emotion="auto")
    with pytest.raises(InputError, match="neither a voice nor a transcript"):
        pipeline.analyze(feeling, portrait, driving=driving, emotion="auto")
