# SPDX-License-Identifier: GPL-3.0-or-later
"""Face marks: read by the server and shown, dragged or placed by hand, kept in the file, part of the look."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.desk import Desk, hashes
from tests.support.drawn import EYES, MOUTH, drawn_face

pytestmark = [pytest.mark.blender, pytest.mark.slow]

ASTRONAUT = Path(__file__).parents[2] / "demo" / "astronaut.png"
CROP = (36.0, 24.0, 440.0)


@pytest.fixture
def desk(part, tmp_path, voice, server_python) -> Desk:
    """The drawing, with the model that ships; its crop is by hand."""
    import bpy

    picture = drawn_face(tmp_path / "drawn.png", server_python)
    desk = Desk(part, tmp_path, picture, voice, Path(), server_python)
    settings = bpy.context.scene.edtalk
    settings.checkpoint, settings.crop, settings.size, settings.detail = "", CROP, 128, True
    return desk


def drag(desk: Desk, settings, handle: str, right: float, down: float) -> None:
    """What the gizmo does with a handle."""
    marks = desk.part("portrait.face_marks")
    moved = desk.part("portrait.mark_shape").dragged(marks.current(settings), handle, right, down)
    marks.set_by_hand(settings, moved, handle)


def place(desk: Desk, settings) -> None:
    """Place Marks, and eyes and mouth dragged to where the drawing has them."""
    import bpy

    assert bpy.ops.edtalk.place_marks() == {"FINISHED"}
    shape, marks = desk.part("portrait.mark_shape"), desk.part("portrait.face_marks")
    for eye, (x, y) in enumerate(EYES):
        now = marks.current(settings)["irises"][eye]
        drag(desk, settings, f"eye_{eye}", x - now[0], y - now[1])
        drag(desk, settings, f"iris_{eye}_rim", 18 - now[2], 0)
        for side, place in (("left", (x - 44, y)), ("right", (x + 44, y)), ("top", (x, y - 32))):
            at = shape.handles(marks.current(settings))[f"eye_{eye}_{side}"]
            drag(desk, settings, f"eye_{eye}_{side}", place[0] - at[0], place[1] - at[1])
        at = shape.handles(marks.current(settings))[f"eye_{eye}_bottom"]
        drag(desk, settings, f"eye_{eye}_bottom", x - at[0], y + 32 - at[1])
    for side, (x, y) in (("left", (MOUTH[0] - 80, MOUTH[1])), ("right", (MOUTH[0] + 80, MOUTH[1]))):
        at = shape.handles(marks.current(settings))[f"mouth_{side}"]
        drag(desk, settings, f"mouth_{side}", x - at[0], y - at[1])


def pixels(path: Path) -> np.ndarray:
    """What a picture holds, [H, W, 4]."""
    import bpy

    image = bpy.data.images.load(str(path))
    values = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(values)
    made = values.reshape(*reversed(image.size), 4)[::-1]
    bpy.data.images.remove(image)
    return made


def test_find_face_reads_marks_and_says_what_is_doubtful(desk, portrait) -> None:
    import bpy

    settings, marks = bpy.context.scene.edtalk, desk.part("portrait.face_marks")
    settings.portrait = str(portrait)
    assert bpy.ops.edtalk.find_face() == {"FINISHED"}
    assert desk.jobs.last().level == "WARNING" and "Place Marks" in desk.jobs.last().hint
    assert marks.current(settings) is None
    settings.portrait, settings.use_crop = str(ASTRONAUT), False
    assert bpy.ops.edtalk.find_face() == {"FINISHED"}
    read = marks.current(settings)
    x, y, side = desk.part("portrait.found_faces").crop_of(settings)
    assert ((read["upper_lids"] > (x, y)) & (read["upper_lids"] < (x + side, y + side))).all()
    assert marks.text_by_hand(settings) == "" and marks.said(settings) == ""
    settings.crop, settings.use_crop = (x + 4, y, side + 9), True  # still the same face
    np.testing.assert_array_equal(marks.current(settings)["chin"], read["chin"])


def test_showing_what_is_read_leaves_a_take_fresh_and_a_moved_mark_does_not(desk) -> None:
    import bpy

    settings = bpy.context.scene.edtalk
    settings.portrait, settings.use_crop, settings.size = str(ASTRONAUT), False, 64
    face = desk.generate()
    settings, count = face.edtalk, desk.part("takes.status").count
    assert bpy.ops.edtalk.find_face() == {"FINISHED"}
    face.edtalk.show_marks = True
    assert count(face, bpy.context) == 0
    before = hashes(desk.frames)
    drag(desk, settings, "eye_0_top", 0, -3)
    assert count(face, bpy.context) == 50
    desk.render_changed()
    assert count(face, bpy.context) == 0 and hashes(desk.frames) != before
    drag(desk, settings, "eye_1_top", 0, 30)  # crossed: one sentence, and nothing is lost
    made = hashes(desk.frames)
    with pytest.raises(RuntimeError, match="the upper lid must lie above the lower one"):
        bpy.ops.edtalk.render_changed()
    assert hashes(desk.frames) == made
    assert bpy.ops.edtalk.take_back_marks() == {"FINISHED"}
    assert count(face, bpy.context) == 50
    desk.render_changed()
    after = hashes(desk.frames)
    assert {number: after[number] for number in range(101, 151)} == {
        number: before[number] for number in range(101, 151)
    }


def test_a_drawing_with_placed_marks_blinks_and_opens_its_mouth(desk, tmp_path) -> None:
    import bpy

    settings = bpy.context.scene.edtalk
    place(desk, settings)
    assert desk.part("portrait.face_marks").said(settings) == ""
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=bpy.data.filepath)
    settings = bpy.context.scene.edtalk
    assert settings.marks_placed and settings.marks
    face = desk.generate()
    assert face.edtalk.marks == bpy.context.scene.edtalk.marks  # the face begins with them
    bone = face.pose.bones["handle"]
    for frame, blink, jaw in ((110, 0.0, 0.0), (112, 1.0, 0.0), (114, 0.0, 1.0), (116, 0.0, 0.0)):
        bone["blink"], bone["jaw_open"] = blink, jaw
        for name in ("blink", "jaw_open"):
            bone.keyframe_insert(f'["{name}"]', frame=frame)
    face.edtalk.passes = {"mouth"}
    desk.render_changed()
    rest = pixels(desk.frames / "take.0100.png")
    shut, opened = (pixels(desk.frames / f"take.{number:04d}.png") for number in (112, 114))
    scale, (left, top, _) = 128 / CROP[2], CROP
    for x, y in EYES:
        at = np.s_[round((y - 14 - top) * scale), round((x + 26 - left) * scale)]
        assert rest[at][0] > 0.8 and shut[at][0] < 0.7, "the white is covered by skin"
    mouth = pixels(desk.frames / "take_mouth.0114.png")
    assert mouth[..., 3].max() > 0.5 and np.abs(opened - rest)[mouth[..., 3] > 0.5].max() > 0.2
    assert pixels(desk.frames / "take_mouth.0100.png")[..., 3].max() == 0


def test_marks_of_another_portrait_or_face_do_not_count_and_damaged_ones_are_one_sentence(desk) -> None:
    import bpy

    settings, marks = bpy.context.scene.edtalk, desk.part("portrait.face_marks")
    place(desk, settings)
    assert marks.text_by_hand(settings)
    settings.crop = (0.0, 400.0, 100.0)
    assert marks.text_by_hand(settings) == "" and settings.marks  # they stay for the other crop
    settings.crop, settings.portrait = CROP, str(ASTRONAUT)
    assert marks.text_by_hand(settings) == "" and settings.marks
    settings.portrait = str(desk.folder / "drawn.png")
    for text, wanted in (("{}", "damaged"), (settings.marks.replace("[", "[1e999,", 1), "damaged")):
        settings.marks = text
        with pytest.raises(RuntimeError, match=wanted):
            bpy.ops.edtalk.generate_take()


def test_each_take_keeps_its_marks_and_the_live_preview_has_them(desk) -> None:
    import bpy

    bpy.context.scene.edtalk.size = 64
    face = desk.generate()
    place(desk, face.edtalk)
    desk.generate()
    marks, count = face.edtalk.marks, desk.part("takes.status").count
    request = desk.part("preview.live").request
    assert request(face).marks is not None and count(face, bpy.context) == 0
    assert bpy.ops.edtalk.switch_take(take="drawn_001") == {"FINISHED"}
    assert face.edtalk.marks == "" and request(face).marks is None and count(face, bpy.context) == 0
    assert bpy.ops.edtalk.switch_take(take="drawn_002") == {"FINISHED"}
    assert face.edtalk.marks == marks and count(face, bpy.context) == 0


def test_placing_and_taking_back_are_steps_of_undo_and_grey_where_they_mean_nothing(desk) -> None:
    import bpy

    settings = bpy.context.scene.edtalk
    assert not bpy.ops.edtalk.take_back_marks.poll() and bpy.ops.edtalk.place_marks.poll()
    settings.use_crop = False
    assert not bpy.ops.edtalk.place_marks.poll()
    settings.use_crop = True
    bpy.ops.ed.undo_push(message="before")
    assert bpy.ops.edtalk.place_marks("EXEC_DEFAULT", True) == {"FINISHED"}
    bpy.ops.ed.undo()
    assert not bpy.context.scene.edtalk.marks
