# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames never become one still because something keeps the curves from taking effect: it is said, by every
button and on a farm, and all frames stay byte for byte.
"""

from __future__ import annotations

import pytest

from tests.support.desk import Desk, hashes

pytestmark = [pytest.mark.blender, pytest.mark.slow]


@pytest.fixture
def desk(part, tmp_path, portrait, voice, tiny_checkpoint, server_python) -> Desk:
    return Desk(part, tmp_path, portrait, voice, tiny_checkpoint, server_python)


def no_slot(desk) -> None:
    desk.face.animation_data.action_slot = None


def an_empty_slot(desk) -> None:
    data = desk.face.animation_data
    data.action_slot = data.action.slots.new(id_type="OBJECT", name="Empty")


def all_curves_muted(desk) -> None:
    for curve in desk.part("face.fcurves").curves_of(desk.face).fcurves:
        curve.mute = True


def all_groups_muted(desk) -> None:
    for group in desk.part("face.fcurves").curves_of(desk.face).groups:
        group.mute = True


def only_the_place_of_the_rig_is_keyed(desk) -> None:
    curves = desk.part("face.fcurves").curves_of(desk.face).fcurves
    for curve in list(curves):
        curves.remove(curve)
    desk.face.keyframe_insert("location", frame=101)
    desk.face.keyframe_insert("location", frame=150)


def pushed_down_and_muted(desk) -> None:
    data = desk.face.animation_data
    track = data.nla_tracks.new()
    strip = track.strips.new("take", 101, data.action)
    strip.action_slot = data.action_slot
    data.action = None
    track.mute = True


def pushed_down_without_influence(desk) -> None:
    pushed_down_and_muted(desk)
    track = desk.face.animation_data.nla_tracks[0]
    track.mute, track.strips[0].influence = False, 0.0


def a_broken_driver_instead_of_curves(desk) -> None:
    desk.face.animation_data_clear()
    desk.face.pose.bones["mouth"].driver_add('["mouth_00"]').driver.expression = "no such thing"
    desk.face.animation_data.drivers[0].driver.is_valid = False


KEPT = r"(move nothing|are gone).*frames are kept"

IDLE = [
    no_slot,
    an_empty_slot,
    all_curves_muted,
    all_groups_muted,
    only_the_place_of_the_rig_is_keyed,
    pushed_down_and_muted,
    pushed_down_without_influence,
    a_broken_driver_instead_of_curves,
]


def test_curves_that_move_nothing_leave_the_frames_alone(desk, part, tmp_path) -> None:
    import bpy

    desk.generate()
    blend = str(tmp_path / "scene.blend")
    bpy.ops.wm.save_mainfile()
    before, shots = hashes(desk.frames), part("batch.run")
    shot = part("batch.manifest").Shot(name="shot")
    for spoil in IDLE:
        bpy.ops.wm.open_mainfile(filepath=blend)
        spoil(desk)
        with pytest.raises(RuntimeError, match=KEPT):
            bpy.ops.edtalk.render_changed()
        with pytest.raises(Exception, match=KEPT):
            shots.render(shot, lambda job: None, part=(1, 1))
        with pytest.raises(RuntimeError, match=KEPT):
            bpy.ops.edtalk.export_weights(filepath=str(tmp_path / "weights.csv"))
        assert hashes(desk.frames) == before and not (tmp_path / "weights.csv").exists(), spoil


def test_a_track_that_plays_alone_and_stands_still_is_found_out(desk, part) -> None:
    """The curves are in effect, and another track hides them."""
    import bpy
    import numpy as np

    desk.generate()
    before, animation = hashes(desk.frames), part("face.fcurves")
    still = bpy.data.actions.new("Still")
    curves = animation.curves_in(still, animation.new_slot(desk.face, still))
    animation.write_curves(curves, np.array([101.0]), np.full((1, 36), 0.25, np.float32))
    track = desk.face.animation_data.nla_tracks.new()
    track.strips.new("still", 101, still).action_slot = still.slots[0]
    track.is_solo = True
    with pytest.raises(RuntimeError, match=r"Nothing moves .* though the curves of .*frames are kept"):
        bpy.ops.edtalk.render_changed()
    assert hashes(desk.frames) == before


def test_a_hidden_face_is_rendered_like_a_visible_one(desk, part) -> None:
    import bpy

    desk.generate()
    before = hashes(desk.frames)
    desk.face.hide_viewport = True
    desk.render_changed()
    assert "up to date" in desk.jobs.last().text
    shot = part("batch.manifest").Shot(name="shot")
    assert "up to date" in part("batch.run").render(shot, lambda job: None, part=(1, 1)).said
    assert part("takes.status").count(desk.face, bpy.context) == 0 and hashes(desk.frames) == before


def test_a_muted_take_is_passed_over_on_a_farm(desk, part) -> None:
    desk.generate()
    before, face = hashes(desk.frames), desk.face
    part("takes.several.switch").mute(face, part("takes.take_rows").worn_row(face), True)
    said = (
        part("batch.run").render(part("batch.manifest").Shot(name="shot"), lambda job: None, part=(1, 1)).said
    )
    assert "muted" in said and hashes(desk.frames) == before


def test_time_remapping_is_said_with_the_take(desk) -> None:
    import bpy

    bpy.context.scene.render.frame_map_new = 200
    desk.generate()
    assert "Time Stretching (100 to 200)" in desk.jobs.last().hint
    bpy.context.scene.render.frame_map_new = 100
    desk.render_changed()
    assert len(set(hashes(desk.frames).values())) > 40
