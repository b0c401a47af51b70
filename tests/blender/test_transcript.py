# SPDX-License-Identifier: GPL-3.0-or-later
"""The transcript of a take: typed, in a text block or in a file, and only where it is asked for."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

pytest.importorskip("bpy", reason="needs the bpy module (Python 3.11)")

WITH_FEELINGS = """
import sys, torch
from core.checkpoints import checkpoint
from training.factors import channels, emotions
from core.models.speech_to_expression import SpeechToExpression
loaded = checkpoint.load(sys.argv[1])
torch.manual_seed(1)
presets = {name: tuple(values) for name, values in emotions().items()}
meta = checkpoint.Meta("feeling", channels=tuple(channels()), emotions=presets)
feeling = SpeechToExpression()
checkpoint.save(sys.argv[2], loaded.model, meta, loaded.audio_to_mouth, speech_to_expression=feeling)
"""


@pytest.fixture
def settings(edtalk):
    import bpy

    return bpy.context.scene.edtalk


def ordered(part):
    import bpy

    return part("takes.request").order_from(bpy.context, None)


def test_what_is_typed_goes_along_only_while_the_emotion_is_automatic(part, settings) -> None:
    settings.transcript = " I am so happy! "
    assert (ordered(part).motion["emotion"], ordered(part).motion["text"]) == ("", "")
    settings.emotion = "happy"
    assert ordered(part).motion["text"] == ""
    settings.emotion = "auto"
    assert (ordered(part).motion["emotion"], ordered(part).motion["text"]) == ("auto", "I am so happy!")


def test_a_text_block_counts_before_the_field_and_a_file_is_named_whole(part, settings) -> None:
    import bpy

    settings.emotion = "auto"
    settings.transcript = "//lines.srt"
    assert Path(ordered(part).motion["text"]).is_absolute() and ordered(part).motion["text"].endswith(
        "lines.srt"
    )
    block = bpy.data.texts.new("lines")
    block.write("First line.\nSecond line.\n")
    settings.transcript_text = block.name
    assert ordered(part).motion["text"] == "First line.\nSecond line."
    settings.stillness = 0.75
    assert ordered(part).motion["stillness"] == pytest.approx(0.75)
    assert ordered(part).motion["articulation"] == 1
    settings.articulation = 0.5
    assert ordered(part).motion["articulation"] == pytest.approx(0.5)
    assert ordered(part).motion["strength"] == (1, 1, 1, 1)
    settings.strength = (0.5, 1, 1, 0)
    assert ordered(part).motion["strength"] == (0.5, 1, 1, 0)


def test_settings_of_a_new_face_keep_the_transcript(part, settings) -> None:
    import bpy

    settings.emotion, settings.transcript = "auto", "Hello."
    settings.transcript_text = bpy.data.texts.new("lines").name
    face = part("face.rig").make_rig(bpy.context.scene, "anna")
    part("settings.properties").copy_settings(settings, face.edtalk)
    assert (face.edtalk.emotion, face.edtalk.transcript) == ("auto", "Hello.")
    assert face.edtalk.transcript_text == "lines"


def test_a_take_with_an_automatic_emotion_has_an_expression_that_moves(
    part, settings, server_python, tiny_checkpoint, portrait, voice, tmp_path
) -> None:
    import bpy

    from tests.conftest import ROOT

    checkpoint = tmp_path / "feeling.safetensors"
    command = [server_python, "-c", WITH_FEELINGS, str(tiny_checkpoint), str(checkpoint)]
    subprocess.run(command, check=True, cwd=ROOT)
    addon = bpy.context.preferences.addons["bl_ext.user_default.edtalk"].preferences
    addon.python = server_python
    settings.portrait, settings.audio = str(portrait), str(voice)
    settings.checkpoint, settings.folder = str(checkpoint), str(tmp_path / "takes")
    settings.use_crop, settings.crop = True, (0, 0, 64)
    settings.size, settings.idle = 64, 0.0
    settings.emotion, settings.transcript = "auto", "What a wonderful, happy day!"
    assert bpy.ops.edtalk.generate_take() == {"FINISHED"}
    (motion,) = (tmp_path / "takes").glob("*/motion.npz")
    weights, _ = part("pictures.take_folder").load_motion(motion)
    expression = weights[:, 26:36]
    assert expression[:, :7].std(axis=0).max() > 0.01
    assert expression[:, 7:].std(axis=0).max() < 1e-6
