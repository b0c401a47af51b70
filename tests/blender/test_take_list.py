# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of takes: wearing, flipping, comparing, muting, renaming and deleting, with everything that shows
a take following, and all of it surviving undo, saving, appending and older files.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.desk import Desk, hashes

pytestmark = [pytest.mark.blender, pytest.mark.slow]


@pytest.fixture
def desk(part, tmp_path, portrait, voice, tiny_checkpoint, server_python) -> Desk:
    """A face with two takes, of which it wears the second."""
    desk = Desk(part, tmp_path, portrait, voice, tiny_checkpoint, server_python)
    desk.generate()
    desk.face.edtalk.seed, desk.face.edtalk.format = 5, "png16"
    desk.generate()
    return desk


def names(desk: Desk) -> list[str]:
    return [row.name for row in desk.face.edtalk_takes.rows]


def weights(desk: Desk) -> np.ndarray:
    """What the face is drawn from, frames 101 to 150."""
    import bpy

    return desk.part("face.fcurves").read_weights(desk.face, range(101, 151), bpy.context.scene)


def press(name: str, **properties) -> None:
    """A button of the list."""
    import bpy

    assert getattr(bpy.ops.edtalk, name)(**properties) == {"FINISHED"}
    bpy.ops.ed.undo_push(message=name)  # which Blender does when a button is clicked


def shown(desk: Desk) -> tuple:
    """The image of the plane and its timing."""
    sequence = desk.part("pictures.image_sequence")
    node = sequence.texture_of(sequence.plane_of(desk.face))
    return node.image.name, node.image_user.frame_start, node.image_user.frame_offset


def strips(desk: Desk, take: str) -> set[bool]:
    """Which of a take's strips are muted."""
    import bpy

    return {strip.mute for strip in desk.part("pictures.sequencer").find_strips(bpy.context.scene, take)}


def test_every_take_is_listed_with_what_it_was_made_of(desk) -> None:
    import json

    assert names(desk) == ["anna_001", "anna_002"] and desk.face.edtalk_takes.index == 1
    first, second = desk.face.edtalk_takes.rows
    assert first.action.name == "anna_001" and second.action.name == "anna_002"
    assert (first.take.first, first.take.last) == (101, 150) and first.take.model.startswith("tiny-")
    assert json.loads(first.made_of)["format"] == "png" and json.loads(second.made_of)["seed"] == 5


def test_wearing_a_take_brings_back_curves_settings_pictures_and_strips(desk) -> None:
    import bpy

    second = weights(desk)
    assert bpy.ops.edtalk.add_reference() == {"FINISHED"}
    press("switch_take", take="anna_001")
    face = desk.face
    assert face.edtalk.take.name == "anna_001" and face.animation_data.action.name == "anna_001"
    assert face.edtalk.seed == 0 and face.edtalk.format == "png"
    assert shown(desk) == ("anna_001", 101, 100)
    assert strips(desk, "anna_001") == {False} and strips(desk, "anna_002") == {True}
    empty = next(ob for ob in bpy.data.objects if ob.type == "EMPTY")
    assert empty.data.name == "anna_001"
    assert np.abs(weights(desk) - second).max() > 0.01
    desk.render_changed()
    assert desk.jobs.last().text == "anna_001: all 50 frames are up to date"
    press("switch_take", take="anna_002")
    np.testing.assert_array_equal(weights(desk), second)
    assert face.edtalk.format == "png16" and shown(desk)[0] == "anna_002"
    desk.render_changed()
    assert desk.jobs.last().text == "anna_002: all 50 frames are up to date"


def test_flip_goes_back_and_forth(desk) -> None:
    for wanted in ("anna_001", "anna_002", "anna_001"):
        press("flip_take")
        assert desk.face.edtalk.take.name == wanted and shown(desk)[0] == wanted


def test_hand_keys_on_top_stay_when_another_take_is_worn(desk) -> None:
    import bpy

    first = desk.part("takes.take_rows").row_named(desk.face, "anna_001")
    assert bpy.ops.edtalk.edit_on_top() == {"FINISHED"}
    face, layer = desk.face, desk.face.animation_data.action
    curve = (
        desk.part("face.fcurves")
        .curves_of(face)
        .fcurves.new(desk.part("face.rig").path_of("mouth_00"), index=0)
    )
    curve.keyframe_points.insert(101, 0.5)
    press("switch_take", take="anna_001")
    assert face.animation_data.action == layer and len(face.animation_data.nla_tracks) == 1
    assert desk.part("takes.edit_on_top").base_strip(face).action == first.action
    motion, _ = desk.part("pictures.take_folder").load_motion(desk.folder / "edtalk/anna_001/motion.npz")
    motion[:, 0] += 0.5
    np.testing.assert_allclose(weights(desk), motion, atol=1e-4)


def test_a_take_beside_the_face_comes_and_goes(desk) -> None:
    import bpy

    sequence, many, images = desk.part("pictures.image_sequence"), len(bpy.data.objects), len(bpy.data.images)
    desk.face.edtalk_takes.index = 1  # the list stands at the take that is worn
    press("compare_take")
    assert desk.part("takes.several.compare").compared(desk.face).name == "anna_001"
    press("compare_take")
    assert desk.part("takes.several.compare").compared(desk.face) is None
    press("compare_take", take="anna_001")
    plane = desk.part("takes.several.compare").compared(desk.face)
    assert plane.hide_render and plane.show_name and plane != sequence.plane_of(desk.face)
    assert plane.location.x > 2 and shown(desk)[0] == "anna_002"
    press("compare_take", take="anna_002")
    assert (
        desk.part("takes.several.compare").compared(desk.face) == plane and len(bpy.data.objects) == many + 1
    )
    press("compare_take", take="anna_002")
    assert desk.part("takes.several.compare").compared(desk.face) is None and len(bpy.data.objects) == many
    assert len(bpy.data.images) == images


@pytest.mark.parametrize("on_top", [False, True])
def test_a_muted_take_is_the_portrait_at_rest_and_comes_back_whole(desk, on_top) -> None:
    import bpy

    before = weights(desk)
    if on_top:
        assert bpy.ops.edtalk.edit_on_top() == {"FINISHED"}
    press("mute_take")
    rest = desk.part("face.rig").rest_of(desk.face)
    np.testing.assert_allclose(weights(desk), np.repeat(rest[None], 50, axis=0), atol=1e-6)
    assert shown(desk) == ("anna_002", 1_000_000, 100) and strips(desk, "anna_002") == {True}
    assert not bpy.ops.edtalk.render_changed.poll()
    assert "muted" in desk.part("takes.ready").why_not_render(bpy.context)
    bpy.ops.wm.save_as_mainfile(filepath=str(desk.folder / "muted.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(desk.folder / "muted.blend"))
    assert desk.part("takes.take_rows").is_muted(desk.face)
    press("mute_take")
    np.testing.assert_allclose(weights(desk), before, atol=1e-6)
    assert shown(desk) == ("anna_002", 101, 100) and strips(desk, "anna_002") == {False}
    assert not [action for action in bpy.data.actions if "Rest" in action.name]


def test_a_new_take_on_a_muted_one_is_awake(desk) -> None:
    press("mute_take")
    desk.generate()
    assert desk.face.edtalk.take.name == "anna_003" and not desk.part("face.take_action").is_at_rest(
        desk.face
    )
    assert desk.part("takes.take_rows").row_named(desk.face, "anna_002").action.name == "anna_002"
    press("switch_take", take="anna_002")
    assert desk.part("face.take_action").is_at_rest(desk.face)  # as it was left
    press("mute_take")
    assert desk.face.animation_data.action.name == "anna_002"


def test_a_renamed_take_keeps_its_folder_and_its_pictures(desk) -> None:
    import bpy

    row = desk.face.edtalk_takes.rows[1]
    row.name = "angry version"
    assert desk.face.edtalk.take.name == "angry version" == row.action.name == row.take.image.name
    assert desk.frames.name == "anna_002" and strips(desk, "angry version") == {False}
    desk.render_changed()
    assert desk.jobs.last().text == "angry version: all 50 frames are up to date"
    row.name = "anna_001"  # another take has it
    assert row.name == "angry version" == desk.face.edtalk.take.name
    row.name = "  "
    assert row.name == "angry version"
    press("flip_take")
    press("flip_take")
    assert desk.face.edtalk.take.name == "angry version"
    desk.generate()  # a free name is found beside folders and names in the file
    assert desk.face.edtalk.take.name == "anna_003" and "anna_002" not in bpy.data.actions


def test_deleting_leaves_the_files_unless_asked(desk) -> None:
    import bpy

    folder = desk.frames
    (folder / "mine.txt").write_text("a note")
    press("delete_take", take="anna_002")
    assert names(desk) == ["anna_001"] and desk.face.edtalk.take.name == "anna_001"
    assert "anna_002" not in bpy.data.actions and "anna_002" not in bpy.data.images
    assert not strips(desk, "anna_002") and strips(desk, "anna_001") == {False}
    assert len(hashes(folder)) == 51
    first = desk.frames
    press("delete_take", take="anna_001", files=True)
    assert names(desk) == [] and not first.exists()
    assert desk.face.edtalk.take.name == "" and desk.face.animation_data.action is None
    desk.generate()
    assert names(desk) == ["anna_001"] and len(hashes(first)) == 51


def test_strips_that_were_put_into_a_meta_strip_are_found_there(desk) -> None:
    import bpy

    desk.generate()
    sequencer, scene = desk.part("pictures.sequencer"), bpy.context.scene
    mine = sequencer.find_strips(scene, "anna_001")
    meta = sequencer.strips_of(scene).new_meta("Anna", 10, 101)
    for strip in mine:
        strip.move_to_meta(meta)
    assert len(sequencer.find_strips(scene, "anna_001")) == len(mine)
    desk.generate()
    assert all(strip.mute for strip in sequencer.find_strips(scene, "anna_001"))
    assert bpy.ops.edtalk.delete_take(take="anna_001") == {"FINISHED"}
    assert not sequencer.find_strips(scene, "anna_001") and sequencer.find_strips(scene, "anna_002")


def test_files_that_are_not_ours_are_never_deleted(desk) -> None:
    folder = desk.frames
    (folder / "mine.txt").write_text("a note")
    press("delete_take", take="anna_002", files=True)
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]


def test_everything_can_be_undone(desk) -> None:
    import bpy

    bpy.ops.ed.undo_push(message="before")
    before = weights(desk)
    for name, properties in (
        ("switch_take", {"take": "anna_001"}),
        ("mute_take", {}),
        ("delete_take", {"take": "anna_002"}),
    ):
        press(name, **properties)
        bpy.ops.ed.undo()
        assert names(desk) == ["anna_001", "anna_002"] and desk.face.edtalk.take.name == "anna_002"
        np.testing.assert_array_equal(weights(desk), before)
        assert shown(desk) == ("anna_002", 101, 100)
        assert desk.face.edtalk_takes.rows[1].action.name == "anna_002"


def test_a_take_finds_its_files_when_the_project_was_saved_elsewhere(desk, tmp_path) -> None:
    import bpy

    absolute, voice = desk.part("settings.paths").absolute, desk.folder / "other.wav"
    voice.write_bytes(desk.voice.read_bytes())
    desk.face.edtalk.audio = str(voice)
    desk.generate()
    (tmp_path / "deeper" / "still").mkdir(parents=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "deeper" / "still" / "scene.blend"))
    press("switch_take", take="anna_001")
    assert Path(absolute(desk.face.edtalk.audio)).samefile(desk.voice)
    press("switch_take", take="anna_003")
    assert Path(absolute(desk.face.edtalk.audio)).samefile(voice)
    desk.render_changed()
    assert (
        desk.jobs.last().text == "anna_004: all 50 frames are up to date"
    )  # its own: the first file is there


def test_a_take_whose_files_are_gone_is_not_said_to_be_up_to_date(desk) -> None:
    import shutil

    import bpy

    for row in desk.face.edtalk_takes.rows:
        row.stale = 0
    bpy.ops.wm.save_mainfile()
    shutil.rmtree(desk.folder / "edtalk" / "anna_001")
    bpy.ops.wm.open_mainfile(filepath=bpy.data.filepath)
    assert [row.stale for row in desk.face.edtalk_takes.rows] == [-1, 0]


def test_the_list_is_saved_and_comes_with_an_appended_face(desk, tmp_path) -> None:
    import bpy

    path = str(tmp_path / "two.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    press("switch_take", take="anna_001")
    press("switch_take", take="anna_002")
    before = weights(desk)
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(path) as (source, target):
        target.objects = [name for name in source.objects if name == "anna"]
    face = target.objects[0]
    bpy.context.scene.collection.objects.link(face)
    assert [row.name for row in face.edtalk_takes.rows] == ["anna_001", "anna_002"]
    assert face.edtalk_takes.rows[0].action.name == "anna_001"
    bpy.context.view_layer.objects.active = face
    np.testing.assert_array_equal(weights(desk), before)
    press("switch_take", take="anna_001")
    assert face.animation_data.action.name == "anna_001"


def test_a_linked_face_says_why_nothing_can_be_done(desk, tmp_path) -> None:
    import bpy

    path = str(tmp_path / "two.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(path, link=True) as (source, target):
        target.objects = [name for name in source.objects if name == "anna"]
    bpy.context.scene.collection.objects.link(target.objects[0])
    assert not bpy.ops.edtalk.switch_take.poll()
    assert "library override" in desk.part("ui.take_buttons").why_not(bpy.context)
    assert len(target.objects[0].edtalk_takes.rows) == 2


def test_an_overridden_face_wears_mutes_and_edits_takes_and_keeps_them_so(desk, tmp_path) -> None:
    import bpy

    library, shot = str(tmp_path / "two.blend"), str(tmp_path / "shot.blend")
    press("switch_take", take="anna_001")
    first = weights(desk)
    press("switch_take", take="anna_002")
    bpy.ops.wm.save_as_mainfile(filepath=library)
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(library, link=True) as (source, target):
        target.objects = [name for name in source.objects if name == "anna"]
    scene = bpy.context.scene
    scene.render.fps = 25
    scene.collection.objects.link(target.objects[0])
    face = target.objects[0].override_hierarchy_create(scene, bpy.context.view_layer)
    bpy.context.view_layer.objects.active = face
    assert "linked" in desk.part("curves.tool_base").why_not(bpy.context)
    press("switch_take", take="anna_001")
    assert desk.part("curves.tool_base").why_not(bpy.context) == ""  # its curves are this file's now
    bpy.ops.wm.save_as_mainfile(filepath=shot)
    bpy.ops.wm.open_mainfile(filepath=shot)
    (face,) = [ob for ob in bpy.data.objects if ob.type == "ARMATURE" and ob.library is None]
    bpy.context.view_layer.objects.active = face
    read = desk.part("face.fcurves").read_weights
    assert face.edtalk.take.name == "anna_001"
    assert [row.key for row in face.edtalk_takes.rows] == ["anna_001", "anna_002"]
    np.testing.assert_array_equal(read(face, range(101, 151), bpy.context.scene), first)
    press("mute_take", take="anna_001")
    press("mute_take", take="anna_001")
    press("gain_curves", offset=(0.5, 0, 0, 0))
    change = read(face, range(101, 151), bpy.context.scene) - first
    np.testing.assert_allclose(change[:, :20], 0.5, atol=1e-5)


def test_takes_of_files_from_before_the_list_are_found_when_they_are_opened(desk, tmp_path) -> None:
    import bpy

    second = weights(desk)
    press("switch_take", take="anna_001")
    first = weights(desk)
    desk.face.edtalk_takes.rows.clear()
    for action in bpy.data.actions:
        action.use_fake_user = True
    path = str(tmp_path / "old.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert names(desk) == ["anna_001", "anna_002"] and desk.face.edtalk_takes.index == 0
    row = desk.face.edtalk_takes.rows[1]
    assert (row.take.first, row.take.last) == (101, 150) and row.take.model.startswith("tiny-")
    press("switch_take", take="anna_002")
    np.testing.assert_array_equal(weights(desk), second)
    assert desk.face.edtalk.format == "png16"
    desk.render_changed()
    assert desk.jobs.last().text == "anna_003: all 50 frames are up to date"  # a copy has takes of its own
    press("switch_take", take="anna_001")
    np.testing.assert_array_equal(weights(desk), first)


def test_a_copied_face_is_edited_apart(desk) -> None:
    import bpy

    anna = desk.face
    twin = anna.copy()
    bpy.context.scene.collection.objects.link(twin)
    bpy.context.view_layer.objects.active = twin
    twin.select_set(True)
    press("switch_take", take="anna_001")
    bpy.context.view_layer.objects.active = anna
    press("switch_take", take="anna_001")
    assert twin.animation_data.action != anna.animation_data.action
    assert len(twin.edtalk_takes.rows) == 2


def test_takes_wait_while_something_runs(desk) -> None:
    import bpy

    job = desk.begin()
    assert not bpy.ops.edtalk.switch_take.poll() and "Busy" in desk.part("ui.take_buttons").why_not(
        bpy.context
    )
    desk.until(lambda: job.finished)
    assert names(desk) == ["anna_001", "anna_002", "anna_003"]


def test_a_take_that_was_imported_is_listed_before_it_has_pictures(desk) -> None:
    import bpy

    path = str(Path(desk.folder) / "w.npz")
    assert bpy.ops.edtalk.export_weights(filepath=path) == {"FINISHED"}
    assert bpy.ops.edtalk.import_weights(filepath=path) == {"FINISHED"}
    assert names(desk) == ["anna_001", "anna_002", "anna_003"]
    press("switch_take", take="anna_001")
    assert shown(desk)[0] == "anna_001"
    press("switch_take", take="anna_003")
    assert shown(desk)[0] == "anna_001"  # there is nothing to show yet
    desk.render_changed()
    assert (
        shown(desk)[0] == "anna_003" and desk.jobs.last().text == "anna_003: 50 of 50 frames rendered again"
    )


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_a_blend_lies_between_two_takes_and_leaves_both(desk, share: float) -> None:
    second = weights(desk)
    press("switch_take", take="anna_001")
    first = weights(desk)
    press("blend_takes", take="anna_002", share=share)
    assert names(desk) == ["anna_001", "anna_002", "anna_003"] and desk.face.edtalk.take.name == "anna_003"
    wanted = first * (1 - share) + second * share
    assert np.abs(weights(desk) - wanted).max() < 1e-3 * max(1, np.abs(wanted).max())
    for name, before in (("anna_001", first), ("anna_002", second)):
        press("switch_take", take=name)
        assert np.array_equal(weights(desk), before)


def test_a_take_goes_over_into_another_at_the_current_frame(desk) -> None:
    import bpy

    second = weights(desk)
    press("switch_take", take="anna_001")
    first = weights(desk)
    bpy.context.scene.frame_set(125)
    press("blend_takes", take="anna_002", over=True, fade=0.4)
    found = weights(desk)
    assert np.abs(found[:19] - first[:19]).max() < 1e-3 and np.abs(found[30:] - second[30:]).max() < 1e-3
    assert np.abs(found[24] - (first[24] + second[24]) / 2).max() < 0.3 * np.abs(first[24] - second[24]).max()
    desk.render_changed()
    assert desk.face.edtalk.take.shown and len(hashes(desk.frames)) == 51


def test_generate_is_one_undo_step_and_one_redo_step(desk) -> None:
    import bpy

    steps = desk.part("takes.undo_steps")
    bpy.ops.ed.undo()
    assert steps.is_between()
    steps.go_on()  # which the timer does in a window
    assert desk.face.edtalk.take.name == "anna_001" and not steps.is_between()
    bpy.ops.ed.redo()
    assert steps.is_between()
    steps.go_on()
    assert desk.face.edtalk.take.name == "anna_002" and desk.face.edtalk.take.shown
    assert not steps.is_between()


def test_a_generate_that_is_cancelled_before_a_picture_is_a_step_of_its_own(desk) -> None:
    import bpy

    job = desk.begin()
    desk.until(lambda: job.finished or desk.face.edtalk.take.name == "anna_003")
    assert desk.face.edtalk.take.landing
    job.cancel()
    desk.until(lambda: job.finished)
    assert desk.face.edtalk.take.name == "anna_003" and not desk.face.edtalk.take.landing
    bpy.ops.ed.undo()
    desk.part("takes.undo_steps").go_on()
    assert desk.face.edtalk.take.name == "anna_002"
