# SPDX-License-Identifier: GPL-3.0-or-later
"""Several faces: each has a portrait, a take and settings of its own, however it came into the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.desk import Desk, hashes
from tests.support.makers import png

pytestmark = [pytest.mark.blender, pytest.mark.slow]


@pytest.fixture
def desk(part, tmp_path, portrait, voice, tiny_checkpoint, server_python) -> Desk:
    return Desk(part, tmp_path, portrait, voice, tiny_checkpoint, server_python)


@pytest.fixture
def other_portrait(tmp_path: Path) -> Path:
    path = tmp_path / "bert.png"
    row = b"\0" + b"".join(bytes((90, 200, 2 * x)) for x in range(96))
    path.write_bytes(png(96, 64, 2, row * 64))
    return path


def activate(face) -> None:
    """Click on a face in the viewport."""
    import bpy

    for ob in bpy.context.view_layer.objects.selected:
        ob.select_set(False)
    face.select_set(True)
    bpy.context.view_layer.objects.active = face


def faces(desk: Desk) -> list:
    import bpy

    return desk.part("face.rig").faces_in(bpy.context.scene)


def folder(desk: Desk, face) -> Path:
    return desk.part("pictures.image_sequence").folder_of(face.edtalk.take.image)


def move_key(desk: Desk, face, frame: int) -> None:
    curve = desk.part("face.fcurves").curves_of(face).fcurves.find('pose.bones["mouth"]["mouth_00"]')
    key = next(key for key in curve.keyframe_points if abs(key.co.x - frame) < 1e-3)
    key.co.y += 2.5
    curve.update()


@pytest.fixture
def two(desk, other_portrait):
    """Anna, and Bert who was added with New Face."""
    import bpy

    anna = desk.generate()
    assert bpy.ops.edtalk.new_face() == {"FINISHED"}
    bert = bpy.context.view_layer.objects.active
    assert bert != anna and bert.edtalk.take.name == "" and bert.edtalk.portrait == ""
    assert bert.edtalk.checkpoint == anna.edtalk.checkpoint and bert.edtalk.audio == ""
    bert.edtalk.portrait, bert.edtalk.audio = str(other_portrait), str(desk.voice)
    bert.edtalk.use_crop, bert.edtalk.crop, bert.edtalk.start = True, (10, 0, 64), 201
    assert bpy.ops.edtalk.generate_take() == {"FINISHED"}
    return anna, bert


def test_two_faces_have_portrait_take_plane_and_strips_of_their_own(desk, two) -> None:
    import bpy

    anna, bert = two
    assert faces(desk) == [anna, bert] and bert.name == "bert"
    assert (anna.edtalk.take.name, bert.edtalk.take.name) == ("anna_001", "bert_001")
    assert (anna.edtalk.take.first, bert.edtalk.take.first) == (101, 201)
    sequence = desk.part("pictures.image_sequence")
    planes = [sequence.plane_of(face) for face in two]
    assert planes[0] != planes[1] and planes[0].data.materials[0] != planes[1].data.materials[0]
    assert [sequence.texture_of(plane).image.name for plane in planes] == ["anna_001", "bert_001"]
    for name in ("anna_001", "bert_001"):
        strips = desk.part("pictures.sequencer").find_strips(bpy.context.scene, name)
        assert strips and not any(strip.mute for strip in strips)
    bpy.context.view_layer.update()
    assert abs(anna.matrix_world.translation.x - bert.matrix_world.translation.x) > 1.9  # side by side


def test_render_changed_of_one_does_not_touch_the_other(desk, two) -> None:
    import bpy

    anna, bert = two
    for face in two:
        move_key(desk, face, face.edtalk.take.first + 10)
    before = {face.name: hashes(folder(desk, face)) for face in two}
    activate(bert)
    desk.render_changed()
    assert hashes(folder(desk, anna)) == before["anna"]
    changed = {n for n, value in hashes(folder(desk, bert)).items() if value != before["bert"][n]}
    assert changed == {211}
    assert desk.part("takes.status").count(anna, bpy.context) == 1
    activate(desk.part("pictures.image_sequence").plane_of(anna))  # clicking its picture means the face
    desk.render_changed()
    changed = {n for n, value in hashes(folder(desk, anna)).items() if value != before["anna"][n]}
    assert changed == {111}


def test_a_second_take_of_one_leaves_the_others_strips_and_plane(desk, two) -> None:
    import bpy

    anna, bert = two
    activate(anna)
    assert bpy.ops.edtalk.generate_take() == {"FINISHED"}
    assert (anna.edtalk.take.name, bert.edtalk.take.name) == ("anna_002", "bert_001")
    sequence = desk.part("pictures.image_sequence")
    assert all(
        strip.mute for strip in desk.part("pictures.sequencer").find_strips(bpy.context.scene, "anna_001")
    )
    assert not any(
        strip.mute for strip in desk.part("pictures.sequencer").find_strips(bpy.context.scene, "bert_001")
    )
    assert sequence.texture_of(sequence.plane_of(bert)).image.name == "bert_001"


def test_two_faces_of_one_portrait_may_be_two_people(desk, two, other_portrait) -> None:
    """The same file, another crop: a take and a folder of its own."""
    import bpy

    _anna, bert = two
    bpy.ops.edtalk.new_face()
    third = bpy.context.view_layer.objects.active
    third.edtalk.portrait, third.edtalk.audio = str(other_portrait), str(desk.voice)
    third.edtalk.use_crop, third.edtalk.crop = True, (30, 0, 60)
    assert bpy.ops.edtalk.generate_take() == {"FINISHED"}
    assert third.edtalk.take.name == "bert_002" and tuple(third.edtalk.take.crop) == (30, 0, 60)
    assert hashes(folder(desk, third)) != hashes(folder(desk, bert))
    assert third.name == "bert.001"


def test_new_faces_without_pictures_do_not_stand_in_each_other(desk) -> None:
    import bpy

    for _ in range(3):
        assert bpy.ops.edtalk.new_face() == {"FINISHED"}
    places = sorted(face.location.x for face in faces(desk))
    assert len(places) == 3 and min(places[1] - places[0], places[2] - places[1]) >= 2


def test_a_face_is_chosen_in_the_panel_by_its_name(desk, two) -> None:
    import bpy

    anna, bert = two
    assert bpy.context.view_layer.objects.active == bert
    assert bpy.ops.edtalk.select_face(name="anna") == {"FINISHED"}
    assert bpy.context.view_layer.objects.active == anna and anna.select_get() and not bert.select_get()


def test_a_duplicated_face_is_independent(desk) -> None:
    """Shift D: curves, take, plane and pictures of its own as soon as something of it is made."""
    import bpy

    face = desk.generate()
    before = hashes(desk.frames)
    activate(face)
    for child in face.children:
        child.select_set(True)
    assert bpy.ops.object.duplicate() == {"FINISHED"}
    copy = next(ob for ob in bpy.context.view_layer.objects.selected if desk.part("face.rig").is_face(ob))
    activate(copy)
    assert copy.animation_data.action != face.animation_data.action
    move_key(desk, copy, 120)
    copy.edtalk.seed = 9
    assert face.edtalk.seed != 9
    desk.render_changed()
    assert hashes(folder(desk, face)) == before
    assert folder(desk, copy) != folder(desk, face)
    changed = {n for n, value in hashes(folder(desk, copy)).items() if value != before[n]}
    assert changed == {120}
    sequence = desk.part("pictures.image_sequence")
    assert sequence.texture_of(sequence.plane_of(copy)).image == copy.edtalk.take.image
    assert sequence.texture_of(sequence.plane_of(face)).image == face.edtalk.take.image
    assert desk.part("takes.status").count(face, bpy.context) == 0


def save_library(desk: Desk) -> Path:
    """The finished face as a file that others link or append from."""
    import bpy

    desk.generate()
    path = desk.folder / "library.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    return path


def load_from(library: Path, scene: Path, link: bool):
    """The face of another file in a new one."""
    import bpy

    bpy.ops.wm.read_homefile(use_empty=True)
    scene.parent.mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(scene))
    bpy.context.scene.render.fps = 25
    with bpy.data.libraries.load(str(library), link=link) as (there, here):
        here.objects = [name for name in there.objects if name == "anna"]
    (face,) = here.objects
    bpy.context.scene.collection.objects.link(face)
    bpy.context.view_layer.objects.active = face
    bpy.context.view_layer.update()
    return face


def test_an_appended_face_is_independent(desk, tmp_path: Path) -> None:
    import bpy

    library = save_library(desk)
    before = hashes(desk.frames)
    face = load_from(library, tmp_path / "shot" / "shot.blend", link=False)
    assert face.library is None and desk.part("takes.status").count(face, bpy.context) == 0
    face.edtalk.folder = "//edtalk/"
    face.edtalk.seed = 3
    assert bpy.ops.edtalk.generate_take() == {"FINISHED"}
    assert folder(desk, face) == tmp_path / "shot" / "edtalk" / "anna_002"
    assert hashes(desk.folder / "edtalk" / "anna_001") == before


def test_a_linked_face_plays_and_says_what_to_do(desk, tmp_path: Path) -> None:
    import bpy

    library = save_library(desk)
    face = load_from(library, tmp_path / "shot" / "shot.blend", link=True)
    assert face.library is not None
    for button in ("generate_take", "fit_take", "find_face"):
        with pytest.raises(RuntimeError, match="make a library override of it first"):
            getattr(bpy.ops.edtalk, button)()
    assert desk.part("takes.status").count(face, bpy.context) == 0


def test_an_overridden_face_has_a_take_of_its_own_that_is_saved(desk, tmp_path: Path) -> None:
    import bpy

    library = save_library(desk)
    before = hashes(desk.frames)
    shot = tmp_path / "shot" / "shot.blend"
    linked = load_from(library, shot, link=True)
    face = linked.override_create(remap_local_usages=True)
    bpy.context.view_layer.objects.active = face
    face.edtalk.folder, face.edtalk.seed = "//edtalk/", 3
    assert bpy.ops.edtalk.generate_take() == {"FINISHED"}
    assert face.edtalk.take.name == "anna_002" and len(faces(desk)) == 1
    mine = tmp_path / "shot" / "edtalk" / "anna_002"
    assert folder(desk, face) == mine
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=str(shot))
    (face,) = faces(desk)
    assert face.override_library is not None and face.edtalk.seed == 3
    assert face.edtalk.take.name == "anna_002" and folder(desk, face) == mine
    assert face.animation_data.action.library is None
    assert desk.part("takes.status").count(face, bpy.context) == 0
    bpy.context.view_layer.objects.active = face
    move_key(desk, face, 120)
    old = hashes(mine)
    desk.render_changed()
    now = hashes(mine)
    assert {number for number in now if now[number] != old[number]} == {120}
    assert hashes(desk.folder / "edtalk" / "anna_001") == before


def test_both_buttons_do_all_faces_and_name_the_one_that_cannot_be_done(
    desk, other_portrait, tmp_path
) -> None:
    import bpy

    desk.generate()
    bpy.ops.edtalk.new_face()
    other = desk.part("face.rig").active_face(bpy.context)
    other.edtalk.portrait, other.edtalk.audio = str(other_portrait), str(desk.voice)
    other.edtalk.use_crop, other.edtalk.crop = True, (16, 0, 64)
    bpy.ops.edtalk.new_face()  # without a portrait: passed over
    assert bpy.ops.edtalk.generate_all() == {"FINISHED"}
    takes = sorted(face.edtalk.take.name for face in faces(desk))
    assert takes == ["", "anna_002", "bert_001"]
    ready = [face for face in faces(desk) if face.edtalk.take.name]
    before = [hashes(folder(desk, face)) for face in ready]
    for face in ready:
        activate(face)
        move_key(desk, face, 110)
    bpy.ops.edtalk.render_all_changed()
    after = [hashes(folder(desk, face)) for face in ready]
    assert all(old != new for old, new in zip(before, after, strict=True))
    ready[0].edtalk.portrait = str(tmp_path / "gone.png")
    move_key(desk, ready[1], 120)
    bpy.ops.edtalk.render_all_changed()
    assert hashes(folder(desk, ready[0])) == after[0] and hashes(folder(desk, ready[1])) != after[1]
