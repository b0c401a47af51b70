# SPDX-License-Identifier: GPL-3.0-or-later
"""Emotions and handles with a server: from the checkpoint onto the rig, and from the rig into pictures, files
and the live preview.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from core.wire.channels import EMOTIONS, HANDLES
from tests.blender.test_live import Preview
from tests.support.desk import Desk, hashes
from tests.support.faces import direction

pytestmark = [pytest.mark.blender, pytest.mark.slow]

SMILE = np.array(direction(HANDLES.index("smile")))


@pytest.fixture
def desk(part, tmp_path, portrait, voice, playable_checkpoint, server_python) -> Desk:
    return Desk(part, tmp_path, portrait, voice, playable_checkpoint, server_python)


def key(desk: Desk, bone: str, name: str, points: dict[float, float]) -> None:
    """Key a slider by hand, with straight lines between the keys."""
    pose_bone = desk.face.pose.bones[bone]
    for frame, value in points.items():
        pose_bone[name] = value
        pose_bone.keyframe_insert(f'["{name}"]', frame=frame)
    path = desk.part("face.sliders").path_of(bone, name)
    curve = desk.part("face.fcurves").curves_of(desk.face).fcurves.find(path)
    for point in curve.keyframe_points:
        point.interpolation = "LINEAR"


def test_a_generated_face_has_the_checkpoints_sliders_at_rest(desk) -> None:
    face = desk.generate()
    sliders = desk.part("face.sliders")
    wanted = [("emotion", name) for name in EMOTIONS] + [("handle", name) for name in HANDLES]
    assert sliders.names_of(face) == wanted
    assert all(face.pose.bones[bone][name] == 0 for bone, name in wanted)
    assert [handle.direction for handle in sliders.directions_of(face)] == [
        tuple(direction(i)) for i in range(len(HANDLES))
    ]


def test_a_keyed_handle_makes_only_the_frames_it_touches(desk) -> None:
    import bpy

    face = desk.generate()
    before = hashes(desk.frames)
    key(desk, "handle", "smile", {110: 0.0, 112: 1.0, 114: 0.0})
    count = desk.part("takes.status").count
    assert count(face, bpy.context) == 3
    first, states = desk.part("takes.status").states(face)
    stale = desk.part("pictures.frame_record").STALE
    assert [first + i for i, state in enumerate(states) if state == stale] == [111, 112, 113]
    desk.render_changed()
    after = hashes(desk.frames)
    assert {number for number in after if after[number] != before[number]} == {111, 112, 113}
    assert desk.jobs.last().text == "anna_001: 3 of 50 frames rendered again"
    record = desk.part("pictures.frame_record").Rendered(desk.frames)
    motion, _ = desk.part("pictures.take_folder").load_motion(desk.frames / "motion.npz")
    np.testing.assert_allclose(record.entry(112).weights, motion[112 - 101] + SMILE, atol=1e-4)


def test_keys_on_emotions_survive_a_second_take(desk) -> None:
    desk.generate()
    key(desk, "emotion", "happy", {120: 0.0, 121: 0.5, 122: 0.0})
    desk.face.edtalk.seed = 5
    face = desk.generate()
    assert face.edtalk.take.name == "anna_002" and desk.jobs.last().level == "INFO", desk.jobs.last()
    motion, _ = desk.part("pictures.take_folder").load_motion(desk.frames / "motion.npz")
    record = desk.part("pictures.frame_record").Rendered(desk.frames)
    made = np.stack([record.entry(number).weights for number in range(101, 151)])
    assert np.flatnonzero(np.abs(made - motion).max(1) > 1e-3).tolist() == [121 - 101]


def test_emotions_and_handles_are_in_what_is_exported(desk, tmp_path: Path) -> None:
    import bpy

    face = desk.generate()
    face.pose.bones["handle"]["smile"] = 1.0
    out = tmp_path / "weights.npz"
    assert bpy.ops.edtalk.export_weights(filepath=str(out), format="npz") == {"FINISHED"}
    motion, _ = desk.part("pictures.take_folder").load_motion(desk.frames / "motion.npz")
    exported = desk.part("takes.exchange.weight_files").load(out)
    np.testing.assert_allclose(exported.weights, motion + SMILE, atol=1e-4)


def test_update_face_gives_an_older_rig_its_sliders(desk) -> None:
    import bpy

    face = desk.part("face.rig").make_rig(bpy.context.scene, "Anna")
    bpy.context.view_layer.objects.active = face
    face.edtalk.checkpoint = bpy.context.scene.edtalk.checkpoint
    bpy.ops.object.mode_set(mode="EDIT")
    for name in ("emotion", "handle"):
        face.data.edit_bones.remove(face.data.edit_bones[name])
    bpy.ops.object.mode_set(mode="OBJECT")
    assert bpy.ops.edtalk.update_face() == {"FINISHED"}
    assert desk.jobs.last().text == "Anna: 8 emotions, 14 handles"
    assert desk.part("face.sliders").is_complete(face)
    assert len(desk.part("face.sliders").names_of(face)) == 22


@pytest.fixture
def preview(part, portrait, playable_checkpoint, server_python) -> Iterator[Preview]:
    made = Preview(part, portrait, playable_checkpoint, server_python)
    import bpy

    assert bpy.ops.edtalk.update_face() == {"FINISHED"}
    yield made
    made.live.stop()


def test_the_live_preview_follows_emotions_and_handles(preview) -> None:
    import bpy

    preview.toggle()
    preview.settle()
    seen = [preview.pixels()]
    for bone, name, value in (("handle", "yaw", 20.0), ("emotion", "angry", 1.0)):
        preview.face.pose.bones[bone][name] = value
        preview.face.update_tag()
        bpy.context.view_layer.update()
        preview.settle()
        seen.append(preview.pixels())
        assert (seen[-1] != seen[-2]).any()
    assert bpy.ops.edtalk.reset_sliders() == {"FINISHED"}
    bpy.context.view_layer.update()
    preview.settle()
    np.testing.assert_array_equal(preview.pixels(), seen[0])


def test_a_saved_expression_has_the_live_preview_as_its_picture(preview) -> None:
    import bpy

    preview.face.pose.bones["handle"]["jaw_open"] = 1.0
    preview.toggle()
    preview.settle()
    assert bpy.ops.edtalk.save_expression(name="Wide Open") == {"FINISHED"}
    asset = bpy.data.actions["Wide Open"]
    side = preview.pixels().shape[0]
    assert tuple(asset.preview.image_size) == (side, side)
    pixels = np.empty(side * side * 4, np.float32)
    asset.preview.image_pixels_float.foreach_get(pixels)
    found = np.rint(pixels.reshape(side, side, 4)[::-1] * 255)
    assert np.abs(found - preview.pixels()).max() <= 1
