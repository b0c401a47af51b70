# SPDX-License-Identifier: GPL-3.0-or-later
"""The cache bar: which frames stand how, and the stretches that are drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.blender


@pytest.fixture
def face(part, tmp_path: Path):
    """A rig with a take of ten frames, 101 to 110, all of them rendered."""
    import bpy

    takes, rendered, scene = part("pictures.take_folder"), part("pictures.frame_record"), bpy.context.scene
    face = part("face.rig").make_rig(scene, "Anna")
    weights = np.random.default_rng(1).normal(size=(10, 36)).astype(np.float32)
    part("face.fcurves").new_action(face, "anna_001")
    part("face.fcurves").write_weights(face, np.arange(101, 111), weights)
    take, folder = face.edtalk.take, tmp_path / "anna_001"
    folder.mkdir()
    take.name, take.last, take.first = "anna_001", 110, 101
    take.image = part("pictures.image_sequence").make_image("anna_001", folder / "take.0101.png")
    record = rendered.Rendered(folder)
    order = part("takes.request").order_for_changes(bpy.context, face)
    look = part("takes.request").look_of(order, tuple(take.crop), take.model)
    for number, row in zip(range(101, 111), weights):
        (folder / takes.file_name(number, "png")).write_bytes(b"picture")
        record.note(number, row, look)
    record.save()
    return face


def drawn(part, face) -> list[tuple[float, float, int]]:
    """What the bar would show after the lamp has looked."""
    import bpy

    part("takes.status").count(face, bpy.context)
    return list(part("preview.cache_bar").runs(*part("takes.status").states(face)))


def test_frames_that_stand_alike_make_one_stretch(part) -> None:
    runs = part("preview.cache_bar").runs
    states = np.array([0, 0, 1, 1, 1, 0, 2], np.uint8)
    assert list(runs(101, states)) == [
        (100.5, 102.5, 0),
        (102.5, 105.5, 1),
        (105.5, 106.5, 0),
        (106.5, 107.5, 2),
    ]
    assert list(runs(-3, np.zeros(1, np.uint8))) == [(-3.5, -2.5, 0)]
    assert list(runs(1, np.zeros(0, np.uint8))) == []


def test_stretches_cover_every_frame_once(part) -> None:
    states = np.random.default_rng(0).integers(0, 3, 500).astype(np.uint8)
    again = [
        state
        for start, end, state in part("preview.cache_bar").runs(7, states)
        for _ in range(round(end - start))
    ]
    assert again == states.tolist()


def test_rendered_frames_are_current(part, face) -> None:
    assert drawn(part, face) == [(100.5, 110.5, part("pictures.frame_record").CURRENT)]
    assert part("takes.status").stale_frames(face) == 0


def test_an_edited_key_is_stale_and_a_deleted_picture_is_missing(part, face, tmp_path) -> None:
    rendered = part("pictures.frame_record")
    curve = part("face.fcurves").curves_of(face).fcurves.find(part("face.rig").path_of("mouth_03"))
    curve.keyframe_points[4].co.y += 1.0
    curve.update()
    (tmp_path / "anna_001" / "take.0108.png").unlink()
    assert drawn(part, face) == [
        (100.5, 104.5, rendered.CURRENT),
        (104.5, 105.5, rendered.STALE),
        (105.5, 107.5, rendered.CURRENT),
        (107.5, 108.5, rendered.MISSING),
        (108.5, 110.5, rendered.CURRENT),
    ]
    assert part("takes.status").stale_frames(face) == 2


def test_a_pose_is_on_disk_while_its_frame_is_current_and_made_from_it(part, face) -> None:
    import bpy

    status, animation = part("takes.status"), part("face.fcurves")
    weights = animation.read_weights(face, [104], bpy.context.scene)[0]
    assert not status.is_on_disk(face, 104, weights)  # nobody has looked yet
    status.count(face, bpy.context)
    assert status.is_on_disk(face, 104, weights)
    assert not status.is_on_disk(face, 105, weights) and not status.is_on_disk(face, 99, weights)
    assert not status.is_on_disk(face, 104, weights + np.eye(36, dtype=np.float32)[3] * 0.01)
    face.edtalk.size = 256
    status.count(face, bpy.context)
    assert not status.is_on_disk(face, 104, weights)


def test_what_was_counted_of_a_take_is_not_said_of_the_next(part, face) -> None:
    import bpy

    status = part("takes.status")
    status.count(face, bpy.context)
    weights = part("face.fcurves").weights_now(face, bpy.context.evaluated_depsgraph_get())
    face.edtalk.take.name = "anna_002"
    assert status.states(face) is None and status.stale_frames(face) is None
    assert not status.is_on_disk(face, bpy.context.scene.frame_current, weights)


def test_another_size_makes_every_frame_stale(part, face) -> None:
    face.edtalk.size += 64
    assert drawn(part, face) == [(100.5, 110.5, part("pictures.frame_record").STALE)]


def test_a_take_made_longer_is_missing_at_its_end(part, face) -> None:
    face.edtalk.take.last = 112
    assert drawn(part, face)[-1] == (110.5, 112.5, part("pictures.frame_record").MISSING)


def test_every_state_has_a_colour_of_its_own(part) -> None:
    rendered, colours = part("pictures.frame_record"), part("preview.cache_bar").COLOURS
    assert len({colours[state] for state in (rendered.CURRENT, rendered.STALE, rendered.MISSING)}) == 3


def test_it_can_be_switched_off_in_the_panel(part) -> None:
    import bpy

    preferences = bpy.context.preferences.addons["bl_ext.user_default.edtalk"].preferences
    assert part("preview.cache_bar").wanted()
    preferences.cache_bar = False
    try:
        assert not part("preview.cache_bar").wanted()
    finally:
        preferences.cache_bar = True


def test_counting_is_no_edit_that_would_be_counted_again(part, face) -> None:
    """Removing the scene a take is read in makes Blender look at everything again."""
    import bpy

    status = part("takes.status")
    bpy.context.view_layer.update()
    for _ in range(2):
        status.count(face, bpy.context)
        before = status._last_edit
        bpy.context.view_layer.update()
        assert status._last_edit == before
    face.pose.bones["mouth"]["mouth_00"] = 0.5
    face.update_tag()
    bpy.context.view_layer.update()
    assert status._last_edit > before


def test_a_key_moved_right_after_counting_is_an_edit(part, face) -> None:
    import bpy

    status = part("takes.status")
    bpy.context.view_layer.update()
    status.count(face, bpy.context)
    before = status._last_edit
    curve = part("face.fcurves").curves_of(face).fcurves[0]
    curve.keyframe_points[2].co.y += 0.5
    curve.update()
    face.animation_data.action.update_tag()
    bpy.context.view_layer.update()
    assert status._last_edit > before
