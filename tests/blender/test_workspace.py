# SPDX-License-Identifier: GPL-3.0-or-later
"""The workspace Talking Head: added once, set to the take, and read by every version."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = [pytest.mark.blender]

EDITORS = {"VIEW_3D", "IMAGE_EDITOR", "GRAPH_EDITOR", "SEQUENCE_EDITOR", "DOPESHEET_EDITOR"}


def areas(workspace) -> dict[str, object]:
    return {area.type: area for screen in workspace.screens for area in screen.areas}


@pytest.fixture
def face(part, tmp_path: Path):
    """A face with a take of 50 frames from 101 on, its plane and its image."""
    import bpy

    sequence = part("pictures.image_sequence")
    face = part("face.rig").make_rig(bpy.context.scene, "Anna")
    bpy.context.view_layer.objects.active = face
    take = face.edtalk.take
    take.name, take.first, take.last = "anna_001", 101, 150
    take.first = 101
    take.image = sequence.make_image("anna_001", tmp_path / "take.0101.png")
    sequence.make_plane(face, bpy.context.scene)
    return face


def test_it_has_the_editors_of_the_desk(edtalk, part) -> None:
    import bpy

    assert bpy.ops.edtalk.add_workspace() == {"FINISHED"}
    workspace = part("pictures.workspace").find()
    assert workspace.name == "Talking Head" and set(areas(workspace)) >= EDITORS
    assert areas(workspace)["VIEW_3D"].spaces.active.show_region_ui
    if hasattr(workspace, "sequencer_scene"):
        assert workspace.sequencer_scene == bpy.context.scene


def test_the_button_pressed_again_only_goes_there(edtalk, part) -> None:
    import bpy

    bpy.ops.edtalk.add_workspace()
    count = len(bpy.data.workspaces)
    assert bpy.ops.edtalk.add_workspace() == {"FINISHED"}
    assert len(bpy.data.workspaces) == count


def test_it_shows_the_take(edtalk, part, face) -> None:
    import bpy

    bpy.ops.edtalk.add_workspace()
    found = areas(part("pictures.workspace").find())
    space = found["IMAGE_EDITOR"].spaces.active
    assert space.image == face.edtalk.take.image
    assert (space.image_user.frame_start, space.image_user.frame_duration) == (101, 50)
    view = found["VIEW_3D"].spaces.active.region_3d
    plane = part("pictures.image_sequence").plane_of(face)
    bpy.context.view_layer.update()
    assert (view.view_location - plane.matrix_world.translation).length < 1e-5
    towards = view.view_rotation @ __import__("mathutils").Vector((0, 0, -1))
    assert towards.y == pytest.approx(1.0, abs=1e-5)  # from the front, where the plane faces


def test_the_face_is_not_behind_the_sidebar(edtalk, part, face, monkeypatch) -> None:
    """How wide the sidebar is, is known only once the workspace has been drawn."""
    import bpy

    workspace, later = part("pictures.workspace"), []
    monkeypatch.setattr(workspace, "_soon", later.append)
    bpy.ops.edtalk.add_workspace()
    monkeypatch.setattr(workspace, "_covered", lambda area: 0.25)
    for act in later:
        act()
    view = areas(workspace.find())["VIEW_3D"].spaces.active.region_3d
    aside = workspace.WIDTH * view.view_distance / 8
    assert view.view_location.x == pytest.approx(aside, abs=1e-5)


def test_a_take_that_comes_later_is_shown_and_other_pictures_stay(edtalk, part, face) -> None:
    import bpy

    image, face.edtalk.take.image = face.edtalk.take.image, None
    bpy.ops.edtalk.add_workspace()
    space = areas(part("pictures.workspace").find())["IMAGE_EDITOR"].spaces.active
    assert space.image is None
    face.edtalk.take.image = image
    part("pictures.workspace").show_take(face)
    assert space.image == image
    mine = bpy.data.images.new("Reference", 8, 8)
    space.image = mine
    part("pictures.workspace").show_take(face)
    assert space.image == mine


def test_it_shows_the_take_that_is_worn_instead_of_another(edtalk, part, face, tmp_path: Path) -> None:
    import bpy

    take, sequence = face.edtalk.take, part("pictures.image_sequence")
    bpy.ops.edtalk.add_workspace()
    space = areas(part("pictures.workspace").find())["IMAGE_EDITOR"].spaces.active
    before, take.image = take.image, sequence.make_image("anna_002", tmp_path / "other.0101.png")
    part("pictures.workspace").show_take(face, before, (201, 10, 101))
    assert space.image == take.image
    assert (space.image_user.frame_start, space.image_user.frame_duration) == (201, 10)
    space.image = own = bpy.data.images.new("Own", 4, 4)
    part("pictures.workspace").show_take(face, take.image)
    assert space.image == own


def test_it_asks_for_no_picture_that_has_not_arrived(edtalk, part, face, tmp_path: Path) -> None:
    import bpy

    bpy.ops.edtalk.add_workspace()
    space = areas(part("pictures.workspace").find())["IMAGE_EDITOR"].spaces.active
    for arrived in (3, 20):
        part("pictures.workspace").set_timing(face, part("pictures.image_sequence").timing_of(face, arrived))
        assert space.image_user.frame_duration == arrived


def test_after_undo_it_shows_the_take_that_is_worn_again(edtalk, part, face, tmp_path: Path) -> None:
    import bpy

    workspace, sequence = part("pictures.workspace"), part("pictures.image_sequence")
    bpy.ops.edtalk.add_workspace()
    take, first = face.edtalk.take, face.edtalk.take.image
    space = areas(workspace.find())["IMAGE_EDITOR"].spaces.active
    second = sequence.make_image("anna_002", tmp_path / "second.0101.png")
    take.image = second
    workspace.show_take(face, first)
    assert space.image == second
    take.image = first  # as undo leaves it
    workspace._replaced()
    assert space.image == first
    space.image = second  # what the artist looks at stays
    workspace._replaced()
    assert space.image == second


def test_the_big_picture_follows_the_active_face_and_leaves_other_pictures(
    edtalk, part, face, tmp_path
) -> None:
    import bpy

    rig, sequence, scene = part("face.rig"), part("pictures.image_sequence"), bpy.context.scene
    big = part("preview.big_picture")
    bpy.ops.edtalk.add_workspace()
    space = areas(part("pictures.workspace").find())["IMAGE_EDITOR"].spaces.active
    other = rig.make_rig(scene, "Bo")
    other.edtalk.take.name = "bo_001"
    other.edtalk.take.image = sequence.make_image("bo_001", tmp_path / "bo" / "take.0001.png")
    for one in (other, face, other):
        bpy.context.view_layer.objects.active = one
        big._something_happened()
        assert space.image == one.edtalk.take.image
    own = space.image = bpy.data.images.new("Own", 4, 4)
    bpy.context.view_layer.objects.active = face
    big._something_happened()
    assert space.image == own


def test_it_is_said_what_the_big_picture_shows(edtalk, part, face) -> None:
    import numpy as np

    status, record = part("takes.status"), part("pictures.frame_record")
    states = np.array([record.CURRENT, record.STALE, record.MISSING])
    status._states[face.session_uid] = "anna_001", 101, states, np.zeros((3, 36), np.float32)
    seen = [part("preview.big_picture").what_is_seen(face, frame) for frame in (101, 102, 103, 200)]
    assert seen == ["DISK", "STALE", "MISSING", "DISK"]


def test_an_editor_lent_to_the_crop_comes_back_with_the_next_take_or_a_button(edtalk, part, face, portrait):
    import bpy

    face.edtalk.portrait = str(portrait)
    bpy.ops.edtalk.add_workspace()
    space = areas(part("pictures.workspace").find())["IMAGE_EDITOR"].spaces.active
    space.image = bpy.data.images.load(str(portrait))
    part("pictures.workspace").show_take(face)
    assert space.image == face.edtalk.take.image
