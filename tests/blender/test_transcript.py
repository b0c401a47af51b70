# SPDX-License-Identifier: GPL-3.0-or-later
"""The transcript of a take: typed, in a text block or in a file; its words and phones as marks."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.desk import Desk

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


def test_what_is_typed_goes_along_with_every_emotion(part, settings) -> None:
    settings.transcript = " I am so happy! "
    for chosen, sent in (("NONE", ""), ("happy", "happy"), ("auto", "auto")):
        settings.emotion = chosen
        assert (ordered(part).motion["emotion"], ordered(part).motion["text"]) == (sent, "I am so happy!")


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


# ------------------------------------------------------------------------------------------------ marks

MOUTH = "mouth_04"  # press


def phone(name: str, start: float, end: float, word: str = "") -> dict:
    return {"name": name, "start": start, "end": end, "word": word}


SAID = (phone("m", 0.2, 0.28, "mama"), phone("aa", 0.28, 0.4), phone("m", 0.4, 0.5), phone("aa", 0.5, 0.6))


@pytest.fixture
def marked(part, edtalk):
    """An action of a take that begins at frame 101, at 25 frames a second, with marks."""
    import bpy

    action = bpy.data.actions.new("take")
    action["edtalk_begin"], action["edtalk_rate"] = 101.0, 25.0
    part("face.word_marks").land(action, (*SAID, phone("p", 0.8, 0.9, "pa")))
    return action


def test_phones_become_markers_of_the_action_and_come_back_to_the_millisecond(part, marked) -> None:
    marks = part("face.word_marks")
    names = [marker.name for marker in marked.pose_markers]
    assert names == ["mama m", "aa", "m", "aa", "-", "pa p", "-"]
    assert [marker.frame for marker in marked.pose_markers][:2] == [106, 108]
    assert not marks.are_moved(marked) and marks.span(marked) is None
    assert marks.phones_of(marks.now(marked)) == (*SAID, phone("p", 0.8, 0.9, "pa"))


def test_a_moved_a_renamed_a_deleted_and_a_new_marker_are_heeded(part, marked) -> None:
    marks = part("face.word_marks")
    marked.pose_markers[2].frame += 1
    assert marks.are_moved(marked) and marks.span(marked)[0] <= 110 - 12
    found = marks.phones_of(marks.now(marked))
    assert found[2]["name"] == "m" and found[2]["start"] == found[1]["end"] == pytest.approx(0.42)
    assert found[0] == SAID[0]
    marked.pose_markers[2].frame -= 1
    assert not marks.are_moved(marked)
    marked.pose_markers[1].name = "uw"
    assert marks.phones_of(marks.now(marked))[1]["name"] == "uw"
    marked.pose_markers.remove(marked.pose_markers[1])
    assert marks.phones_of(marks.now(marked))[0]["end"] == pytest.approx(0.4)
    marked.pose_markers.new("hello hh").frame = 130
    assert marks.phones_of(marks.now(marked))[-1]["word"] == "pa"  # the last mark has no end
    assert marks.are_moved(marked)


def test_marks_go_with_the_keys_to_another_frame_rate_and_are_then_not_moved(part, marked) -> None:
    marks, retime = part("face.word_marks"), part("takes.retime")
    slot = marked.slots.new(id_type="OBJECT", name="face")
    retime._stretch_action(marked, slot, 100.5, 2.0)
    marked["edtalk_rate"] = 50.0
    assert [marker.frame for marker in marked.pose_markers][:2] == [112, 116]
    assert not marks.are_moved(marked)
    assert marks.phones_of(marks.now(marked))[:4] == SAID


@pytest.mark.parametrize("kept", ["", "{}", "[1]", '[["m"]]', "[[null, 0, 0]]", '[["m", "x", 1]]'])
def test_what_is_kept_beside_the_markers_may_be_anything(part, marked, kept: str) -> None:
    marks = part("face.word_marks")
    marked["edtalk_marks"] = kept
    marks.are_moved(marked), marks.span(marked)
    assert [row["name"] for row in marks.phones_of(marks.now(marked))][:2] == ["m", "aa"]
    marks.land(marked, ())
    assert "edtalk_marks" not in marked


def test_the_mouth_follows_a_mark_after_render_changed_and_hand_keys_stay(
    part, tmp_path, portrait, voice, server_python
) -> None:
    import bpy

    desk = Desk(part, tmp_path, portrait, voice, Path(), server_python)
    bpy.context.scene.edtalk.checkpoint = ""  # only the network that ships is read as curves
    bpy.context.scene.edtalk.idle = 0.0
    face = desk.generate()
    marks, action = part("face.word_marks"), part("face.take_action").take_of(face)
    curves = part("face.fcurves").curves_in(action, part("face.take_action").slot_of(action, face)).fcurves
    press = curves.find(f'pose.bones["mouth"]["{MOUTH}"]', index=0)
    marks.land(action, (phone("aa", 0.1, 0.4, "ah"), phone("m", 0.4, 0.5), phone("aa", 0.5, 0.9)))
    hand = press.keyframe_points[5]
    hand.type, kept = "KEYFRAME", hand.co.y
    before = [key.co.y for key in press.keyframe_points]
    assert bpy.ops.edtalk.show_marks.poll()
    next(marker for marker in action.pose_markers if marker.name == "m").frame -= 5
    assert part("takes.status").count(face, bpy.context) > 3
    desk.render_changed()
    after = [key.co.y for key in press.keyframe_points]
    closed = round(0.25 * 25)
    assert max(a - b for a, b in zip(after, before)) > 0.5
    assert after[closed] - before[closed] > 0.5
    assert press.keyframe_points[5].co.y == kept
    assert not marks.are_moved(action) and part("takes.status").count(face, bpy.context) == 0
