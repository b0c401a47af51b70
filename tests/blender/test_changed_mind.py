# SPDX-License-Identifier: GPL-3.0-or-later
"""What people change once a take exists: its format, its framing, its range, where its files lie, and what
they delete by mistake. Render Changed brings all that shows the take along, and loses nothing.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.desk import Desk, hashes

pytestmark = [pytest.mark.blender, pytest.mark.slow]


@pytest.fixture
def desk(part, tmp_path, portrait, voice, tiny_checkpoint, server_python) -> Desk:
    return Desk(part, tmp_path, portrait, voice, tiny_checkpoint, server_python)


def image_strip(desk: Desk, name: str = "anna_001"):
    import bpy

    found = desk.part("pictures.sequencer").find_strips(bpy.context.scene, name)
    (strip,) = [strip for strip in found if strip.type == "IMAGE"]
    return strip


def files_of(strip) -> list[str]:
    return [element.filename for element in strip.elements]


def said(operator) -> str:
    with pytest.raises(RuntimeError) as caught:
        operator()
    assert "Traceback" not in str(caught.value)
    return str(caught.value)


def test_a_take_that_becomes_exr_is_read_as_exr_everywhere_and_back_again(desk) -> None:
    face = desk.generate()
    face.edtalk.format = "exr"
    desk.render_changed()
    image, strip = face.edtalk.take.image, image_strip(desk)
    for reader in (image, strip):
        assert (reader.colorspace_settings.name, reader.alpha_mode) == ("Linear Rec.709", "PREMUL")
    assert image.filepath.endswith("take.0101.exr")
    assert files_of(strip)[::49] == ["take.0101.exr", "take.0150.exr"]
    face.edtalk.format = "png16"
    desk.render_changed()
    for reader in (image, image_strip(desk)):
        assert (reader.colorspace_settings.name, reader.alpha_mode) == ("sRGB", "STRAIGHT")
    assert files_of(image_strip(desk))[0] == "take.0101.png"


def test_a_take_made_as_exr_is_read_the_same_in_the_sequencer(desk) -> None:
    import bpy

    bpy.context.scene.edtalk.format = "exr"
    image = desk.generate().edtalk.take.image
    assert (image.colorspace_settings.name, image.alpha_mode) == ("Linear Rec.709", "PREMUL")
    strip = image_strip(desk)
    assert (strip.colorspace_settings.name, strip.alpha_mode) == ("Linear Rec.709", "PREMUL")


def test_a_colour_space_that_the_artist_chose_stays(desk) -> None:
    face = desk.generate()
    face.edtalk.take.image.colorspace_settings.name = "Linear Rec.709"
    face.edtalk.size = 96
    desk.render_changed()
    assert face.edtalk.take.image.colorspace_settings.name == "Linear Rec.709"


def test_the_plane_has_the_shape_of_what_is_rendered_now(desk) -> None:
    face = desk.generate()
    plane = desk.part("pictures.image_sequence").plane_of(face)
    plane.scale = (2.0, 2.0, 2.0)  # the artist's
    face.edtalk.composite = "paste"
    desk.render_changed()
    assert tuple(plane.scale) == (3.0, 2.0, 2.0)  # 96 x 64
    desk.render_changed()
    assert tuple(plane.scale) == (3.0, 2.0, 2.0)
    face.edtalk.composite = "crop"
    desk.render_changed()
    assert tuple(plane.scale) == pytest.approx((2.0, 2.0, 2.0))


def test_strips_follow_the_range_of_the_take(desk) -> None:
    take = desk.generate().edtalk.take
    take.first, take.last = 91, 160
    desk.render_changed()
    strip = image_strip(desk)
    assert (strip.frame_final_start, strip.frame_final_end) == (91, 161)
    assert files_of(strip)[::69] == ["take.0091.png", "take.0160.png"]
    take.first, take.last = 101, 120
    desk.render_changed()
    strip = image_strip(desk)
    assert (strip.frame_final_start, strip.frame_final_end) == (101, 121) and len(files_of(strip)) == 20


def test_a_strip_that_was_cut_keeps_its_end(desk) -> None:
    take = desk.generate().edtalk.take
    strip = image_strip(desk)
    strip.frame_final_end = 140
    take.last = 170
    desk.render_changed()
    strip = image_strip(desk)
    assert (strip.frame_final_start, strip.frame_final_end, len(strip.elements)) == (101, 140, 70)


def test_pictures_that_somebody_graded_elsewhere_are_not_overwritten(desk, tmp_path: Path) -> None:
    import bpy

    face = desk.generate()
    graded, own = tmp_path / "graded", face.edtalk.take.image.filepath
    graded.mkdir()
    for picture in desk.frames.glob("take.*.png"):
        (graded / picture.name).write_bytes(picture.read_bytes() + b"graded")
    face.edtalk.take.image.filepath = str(graded / "take.0101.png")
    before = hashes(graded)
    sentence = said(bpy.ops.edtalk.render_changed)
    assert f"did not make take.0101.png and 49 more in {graded}" in sentence and "they stay" in sentence
    assert hashes(graded) == before and len(list(graded.iterdir())) == 51
    face.edtalk.take.image.filepath = own
    desk.render_changed()
    assert desk.jobs.last().text == "anna_001: all 50 frames are up to date"


def test_a_deleted_image_is_made_again_and_its_frames_are_found(desk) -> None:
    import bpy

    face = desk.generate()
    before = hashes(desk.frames)
    bpy.data.images.remove(face.edtalk.take.image)
    desk.render_changed()
    assert desk.jobs.last().text == "anna_001: all 50 frames are up to date"
    assert hashes(desk.frames) == before
    sequence = desk.part("pictures.image_sequence")
    assert sequence.texture_of(sequence.plane_of(face)).image == face.edtalk.take.image


def test_deleted_curves_are_missed_before_the_frames_become_a_still(desk) -> None:
    import bpy

    bpy.context.scene.edtalk.write_origin = False  # imported weights do not know the sound they came from
    face = desk.generate()
    before, motion = hashes(desk.frames), desk.frames / "motion.npz"
    bpy.data.actions.remove(face.animation_data.action)
    sentence = said(bpy.ops.edtalk.render_changed)
    assert "The curves of anna_001 are gone" in sentence and f"import {motion}" in sentence
    assert hashes(desk.frames) == before
    face.edtalk.start = 101
    assert bpy.ops.edtalk.import_weights(filepath=str(motion)) == {"FINISHED"}
    desk.render_changed()
    after = hashes(desk.frames)
    assert {n: after[n] for n in range(101, 151)} == {n: before[n] for n in range(101, 151)}


def test_relative_paths_that_were_written_on_windows_are_followed(desk, tmp_path: Path) -> None:
    import bpy

    face = desk.generate()
    (tmp_path / "pics").mkdir()
    shutil.copy(tmp_path / "anna.png", tmp_path / "pics" / "anna.png")
    face.edtalk.portrait, face.edtalk.audio = "//pics\\anna.png", "//.\\line.wav"
    face.edtalk.folder = "//edtalk\\"
    face.edtalk.take.image.filepath = "//edtalk\\anna_001\\take.0101.png"
    desk.render_changed()
    assert desk.jobs.last().text == "anna_001: all 50 frames are up to date"
    assert bpy.ops.edtalk.generate_take() == {"FINISHED"}
    assert desk.frames == tmp_path / "edtalk" / "anna_002"


def test_a_whole_path_of_windows_is_shown_as_it_was_written(desk) -> None:
    import bpy

    desk.generate().edtalk.portrait = "Z:\\shots\\berta.png"
    assert "There is no file Z:\\shots\\berta.png: pick" in said(bpy.ops.edtalk.render_changed)


def test_a_transcript_file_stays_known_when_the_file_is_saved_elsewhere(desk, tmp_path: Path) -> None:
    import bpy

    face = desk.generate()
    face.edtalk.transcript = "//line.srt"
    (tmp_path / "v2").mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "v2" / "scene.blend"))
    assert desk.face.edtalk.transcript.replace("\\", "/") == "//../line.srt"
