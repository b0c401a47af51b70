# SPDX-License-Identifier: GPL-3.0-or-later
"""Sound and mouth stay together over ten minutes, at frame rates that divide nothing: vowels at known times
go through the whole road (file, server, the model that ships, curves, scene frames), and the mouth must open
when they are heard.

A frame is seen from its own time until the next one's, so the mouth of frame f is compared with the sound at
the middle of that time. The mouth is heard in steps of 1/25 s; whatever the frame rate, the take as a whole
must be neither early nor late, and no vowel by more than half a frame, or half a step and a little.
"""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.blender, pytest.mark.slow]

RATE = 16000
DEMO = Path(__file__).resolve().parents[2] / "demo"
START = 101
AHEAD = 0.025  # seconds: lips begin to part before the voice, so the middle of their movement may be earlier


def vowel(seconds: float = 0.12) -> np.ndarray:
    """An "ah" that swells and fades: harmonics of 130 Hz under three formants."""
    count = int(seconds * RATE)
    tones = 130.0 * np.arange(1, 40)
    formants = ((700, 150, 1.0), (1200, 200, 0.6), (2600, 250, 0.15))
    loud = 0.02 + sum(share / (1 + ((tones - place) / width) ** 2) for place, width, share in formants)
    waves = np.cos(2 * np.pi * tones * (np.arange(count)[:, None] / RATE)) @ loud
    swell = np.sin(np.pi * np.arange(count) / count) ** 2
    return 0.5 * swell * waves / np.abs(waves).max()


def click_track(path: Path, seconds: float) -> np.ndarray:
    """Writes a WAV of vowels two seconds apart, give or take, and gives back when each is in full sound."""
    random = np.random.default_rng(0)
    samples = 1e-4 * random.normal(size=int(seconds * RATE))
    sound, times = vowel(), []
    for at in np.arange(1.0, seconds - 1.0, 2.0) + random.uniform(
        0, 0.4, len(np.arange(1.0, seconds - 1.0, 2.0))
    ):
        first = int(at * RATE)
        samples[first : first + len(sound)] += sound
        times.append((first + len(sound) / 2) / RATE)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return np.array(times)


def openings(mouth: np.ndarray, numbers: np.ndarray, fps: float, times: np.ndarray) -> np.ndarray:
    """When the mouth opens for each vowel: the middle of its movement, seconds after the take's begin."""
    away = np.linalg.norm(mouth - np.median(mouth, axis=0), axis=1)
    seen = (numbers - START + 0.5) / fps
    found = []
    for time in times:
        near = np.abs(seen - time) < 0.5
        moved = np.where(away[near] > 0.4 * away[near].max(), away[near], 0.0)
        assert moved.max() > 0.1, f"the mouth did not move at {time:.1f} s"
        found.append(float((moved * seen[near]).sum() / moved.sum()))
    return np.array(found)


@pytest.fixture
def take(part, tmp_path: Path, server_python: str):
    """Analyses a click track on a face of a scene with some frame rate; no frame is drawn."""
    import bpy

    bpy.context.preferences.addons["bl_ext.user_default.edtalk"].preferences.python = server_python

    def make(seconds: float, fps: int, base: float):
        times, scene = click_track(tmp_path / "clicks.wav", seconds), bpy.context.scene
        scene.render.fps, scene.render.fps_base = fps, base
        words = [
            "generate",
            "--portrait",
            str(DEMO / "portrait.png"),
            "--audio",
            str(tmp_path / "clicks.wav"),
        ]
        asked = [*words, "--start", str(START), "--idle", "0", "--no-render"]
        assert part("batch.command").main([*asked, "--out", str(tmp_path / "takes")]) == 0
        (face,) = part("face.rig").faces_in(scene)
        return face, times

    return make


def in_step(part, face, times: np.ndarray) -> np.ndarray:
    """Mouth and sound are together at the scene's frame rate; gives back how late the mouth is, in seconds
    for each vowel.
    """
    import bpy

    scene = bpy.context.scene
    fps = part("settings.timing").scene_rate(scene.render.fps, scene.render.fps_base)
    pictures = part("takes.apply").sample(face, scene, fps)
    late = openings(pictures.weights[:, :20], pictures.numbers, fps, times) - times
    assert -AHEAD < late.mean() < 0.01, f"the mouth is {1000 * late.mean():+.1f} ms late at {fps:.3f} fps"
    worst = np.abs(late).max()
    assert worst < max(0.5 / fps, 0.025) + AHEAD, f"a vowel is {1000 * worst:.0f} ms off at {fps:.3f} fps"
    drift = np.polyfit(times, late, 1)[0] * np.ptp(times)
    # few vowels scatter more than many: what drifts is seen over ten minutes
    assert abs(drift) < (0.008 if np.ptp(times) > 300 else 0.025), (
        f"mouth and sound are {1000 * drift:.1f} ms further apart at the end"
    )
    return late


RATES = {"12": (12, 1.0), "23.976": (24, 1.001), "24": (24, 1.0), "25": (25, 1.0)}
RATES |= {"29.97": (30, 1.001), "30": (30, 1.0), "60": (60, 1.0)}


def test_after_ten_minutes_the_mouth_is_within_half_a_frame_at_every_rate(part, take) -> None:
    """Generated at 23.976 frames a second, then fitted to each of the others in turn."""
    import bpy

    face, times = take(600.0, 24, 1.001)
    assert len(times) == 299 and times[-1] > 590
    fps = 24 / 1.001
    late = in_step(part, face, times)
    assert abs(late[-1]) * fps < 0.5, f"the last vowel is {1000 * late[-1]:.0f} ms off"
    assert (face.edtalk.take.first, face.edtalk.take.last) == (START, START + 14386 - 1)  # 600 s * 23.976
    strips = part("pictures.sequencer").find_strips(bpy.context.scene, face.edtalk.take.name)
    assert all(strip.frame_final_start == START for strip in strips)
    for strip in strips:
        assert abs(strip.frame_final_duration - 600 * fps) <= 1, f"{strip.type} strip"

    render = bpy.context.scene.render
    for rate in RATES.values():
        render.fps, render.fps_base = rate
        assert bpy.ops.edtalk.fit_take() == {"FINISHED"}
        in_step(part, face, times)


@pytest.mark.parametrize("rate", RATES)
def test_a_take_generated_at_any_rate_is_in_step(part, take, rate: str) -> None:
    face, times = take(30.0, *RATES[rate])
    in_step(part, face, times)
