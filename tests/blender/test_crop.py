# SPDX-License-Identifier: GPL-3.0-or-later
"""Crop and faces: found by the server, counted from 1, kept in the file, and used for the next take."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support.desk import Desk

pytestmark = [pytest.mark.blender, pytest.mark.slow]

ASTRONAUT = Path(__file__).parents[2] / "demo" / "astronaut.png"

PAIR = """
import sys
import numpy as np
from PIL import Image
photo = Image.open(sys.argv[1]).convert("RGB").crop((96, 0, 352, 256))
one = np.asarray(photo)
pair = Image.fromarray(np.concatenate([one, one[:, ::-1]], axis=1))
pair.save(sys.argv[2])
turned = Image.Exif()
turned[0x0112] = 6
photo.rotate(90, expand=True).save(sys.argv[3], quality=95, exif=turned)
"""


@pytest.fixture(scope="module")
def pictures(server_python, tmp_path_factory) -> tuple[Path, Path]:
    """Two people side by side; one lying on her side with the camera's mark to turn her."""
    import subprocess

    folder = tmp_path_factory.mktemp("pictures")
    paths = folder / "pair.png", folder / "lying.jpg"
    subprocess.run([server_python, "-c", PAIR, str(ASTRONAUT), *map(str, paths)], check=True)
    return paths


@pytest.fixture
def desk(part, tmp_path, voice, tiny_checkpoint, server_python) -> Desk:
    import bpy

    desk = Desk(part, tmp_path, ASTRONAUT, voice, tiny_checkpoint, server_python)
    bpy.context.scene.edtalk.use_crop = False
    bpy.context.scene.edtalk.property_unset("crop")
    return desk


def test_find_face_keeps_what_it_saw_and_a_crop_by_hand_begins_there(desk) -> None:
    import bpy

    settings, sighting = bpy.context.scene.edtalk, desk.part("portrait.found_faces")
    assert bpy.ops.edtalk.find_face() == {"FINISHED"}
    (face,) = sighting.sighting_of(settings).faces
    assert not settings.use_crop and sighting.crop_of(settings) == tuple(face.crop)
    settings.use_crop = True
    assert tuple(settings.crop) == tuple(face.crop)
    settings.crop = 150, 40, 150
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=bpy.data.filepath)
    settings = bpy.context.scene.edtalk
    assert tuple(settings.crop) == (150, 40, 150)
    assert len(sighting.sighting_of(settings).faces) == 1


def test_find_face_frames_the_face_anew_when_the_crop_is_by_hand(desk) -> None:
    import bpy

    settings = bpy.context.scene.edtalk
    settings.crop, settings.use_crop = (1, 2, 300), True
    assert bpy.ops.edtalk.find_face() == {"FINISHED"}
    (face,) = desk.part("portrait.found_faces").sighting_of(settings).faces
    assert tuple(settings.crop) == tuple(face.crop)


def test_a_crop_between_two_pixels_is_not_another_one_than_the_takes(desk) -> None:
    """Dragging a number of Crop by Hand gives fractions; the server takes whole pixels."""
    import bpy

    settings = bpy.context.scene.edtalk
    settings.crop, settings.use_crop = (150.3, 40.7, 150.4), True
    face = desk.generate()
    assert tuple(face.edtalk.take.crop) == (150, 41, 150)
    assert desk.part("takes.status").count(face, bpy.context) == 0
    desk.render_changed()
    assert desk.jobs.last().text == "astronaut_001: all 50 frames are up to date"


def test_a_portrait_without_a_face_gets_a_crop_to_drag(desk, portrait: Path) -> None:
    import bpy

    settings = bpy.context.scene.edtalk
    settings.portrait = str(portrait)
    assert bpy.ops.edtalk.find_face() == {"FINISHED"}
    assert desk.jobs.last().level == "WARNING" and "No face was found" in desk.jobs.last().text
    assert settings.use_crop and tuple(settings.crop) == (16, 0, 64)


def test_two_people_are_a_question_that_counts_from_1(desk, pictures) -> None:
    import bpy

    settings = bpy.context.scene.edtalk
    settings.portrait = str(pictures[0])
    with pytest.raises(RuntimeError, match="choose 1 to 2, counted from the left"):
        bpy.ops.edtalk.generate_take()
    assert bpy.ops.edtalk.find_face() == {"FINISHED"}
    left, right = (tuple(face.crop) for face in desk.part("portrait.found_faces").sighting_of(settings).faces)
    assert left[0] < right[0]
    assert bpy.ops.edtalk.pick_face(number=2) == {"FINISHED"} and settings.face == 2
    face = desk.generate()
    assert tuple(face.edtalk.take.crop) == right
    assert len(desk.part("portrait.found_faces").sighting_of(face.edtalk).faces) == 2
    status = desk.part("takes.status")
    assert status.count(face, bpy.context) == 0
    bpy.ops.edtalk.pick_face(number=1)
    assert status.count(face, bpy.context) == 50  # the lamp knows what Render Changed will make
    desk.render_changed()
    assert status.count(face, bpy.context) == 0
    assert tuple(face.edtalk.take.crop) == left
    assert desk.jobs.last().text == "pair_001: 50 of 50 frames rendered again"


def test_a_face_that_is_not_there_is_said_in_the_panels_numbers(desk, pictures) -> None:
    import bpy

    settings = bpy.context.scene.edtalk
    settings.portrait, settings.face = str(pictures[0]), 3
    with pytest.raises(RuntimeError, match=r"There is no face 3 in pair\.png: 2 faces were found"):
        bpy.ops.edtalk.generate_take()
    assert bpy.ops.edtalk.find_face() == {"FINISHED"} and settings.face == 0


def test_what_was_seen_in_another_portrait_does_not_count(desk, pictures) -> None:
    import bpy

    settings, sighting = bpy.context.scene.edtalk, desk.part("portrait.found_faces")
    bpy.ops.edtalk.find_face()
    settings.portrait = str(pictures[0])
    assert sighting.sighting_of(settings) is None and sighting.crop_of(settings) is None


def test_picking_a_face_moves_a_crop_by_hand_and_is_an_undo_step(desk, pictures) -> None:
    import bpy

    settings = bpy.context.scene.edtalk
    settings.portrait, settings.face = str(pictures[0]), 1
    bpy.ops.edtalk.find_face()
    settings.use_crop = True
    first = tuple(settings.crop)
    bpy.ops.ed.undo_push(message="before")
    assert bpy.ops.edtalk.pick_face("EXEC_DEFAULT", True, number=2) == {"FINISHED"}
    assert settings.crop[0] > first[0]
    bpy.ops.ed.undo()
    assert tuple(bpy.context.scene.edtalk.crop) == first and bpy.context.scene.edtalk.face == 1


def test_a_portrait_that_lies_on_its_side_is_shown_upright(desk, pictures) -> None:
    import bpy

    settings = bpy.context.scene.edtalk
    settings.portrait = str(pictures[1])
    assert bpy.ops.edtalk.find_face() == {"FINISHED"}
    seen = desk.part("portrait.found_faces").sighting_of(settings)
    assert (seen.width, seen.height) == (256, 256) and len(seen.faces) == 1
    shown = bpy.data.images.load(desk.part("ui.crop_buttons").picture_of(settings))
    assert shown.filepath != settings.portrait and tuple(shown.size) == (256, 256)


def test_without_a_portrait_the_buttons_are_grey(desk) -> None:
    import bpy

    bpy.context.scene.edtalk.portrait = ""
    for button in (bpy.ops.edtalk.find_face, bpy.ops.edtalk.show_portrait):
        assert not button.poll()


@pytest.mark.parametrize(("size", "room"), [((807, 425), False), ((1100, 425), True), ((1920, 1500), False)])
def test_the_sidebar_opens_only_where_it_covers_no_handle(part, size, room) -> None:
    area = SimpleNamespace(width=size[0], height=size[1])
    assert part("ui.crop_buttons")._has_room(area, (512, 512), sidebar=240) == room


def test_undoing_the_first_drag_leaves_the_portrait_in_the_editor(desk) -> None:
    import bpy

    area = bpy.context.window_manager.windows[0].screen.areas[0]
    area.type = "IMAGE_EDITOR"
    bpy.ops.ed.undo_push(message="before")
    assert bpy.ops.edtalk.show_portrait("EXEC_DEFAULT", True) == {"FINISHED"}
    bpy.context.scene.edtalk.use_crop = True
    bpy.ops.ed.undo_push(message="EDTalk: Crop")
    bpy.ops.ed.undo()
    assert not bpy.context.scene.edtalk.use_crop
    assert ASTRONAUT.name in bpy.data.images
