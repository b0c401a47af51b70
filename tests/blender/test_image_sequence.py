# SPDX-License-Identifier: GPL-3.0-or-later
"""Scene frame f shows file f: on the plane, before the take, after it, and in the sequencer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.makers import png, sound

pytestmark = pytest.mark.blender

FIRST, COUNT = 101, 12


@pytest.fixture
def sequence(part):
    return part("pictures.image_sequence")


@pytest.fixture
def sequencer(part):
    return part("pictures.sequencer")


@pytest.fixture
def face(part):
    import bpy

    return part("face.rig").make_rig(bpy.context.scene, "Anna")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Grey pictures whose level is their number; 100 is the picture at rest."""
    for number in range(FIRST - 1, FIRST + COUNT):
        grey(tmp_path / f"take.{number:04d}.png", number)
    return tmp_path


def grey(path: Path, level: int) -> None:
    path.write_bytes(png(8, 8, 0, (b"\0" + bytes((level,)) * 8) * 8))


def rendered(frame: int, out: Path) -> int:
    """Level of the middle pixel of what the scene renders at a frame."""
    import bpy
    import numpy as np

    scene = bpy.context.scene
    scene.frame_set(frame)
    scene.render.filepath = str(out / "shown.png")
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(str(out / "shown.png"))
    pixels = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    return round(float(pixels.reshape(8, 8, 4)[4, 4, 0]) * 255)


@pytest.fixture
def camera() -> None:
    """A camera that looks at the plane, and a render that changes no pixel."""
    import bpy

    scene = bpy.context.scene
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.data.type, camera.data.ortho_scale = "ORTHO", 1.0
    camera.location, camera.rotation_euler = (0.0, -5.0, 0.1), (1.5707963, 0.0, 0.0)
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.render.engine, scene.cycles.samples = "CYCLES", 1
    scene.render.resolution_x = scene.render.resolution_y = 8
    scene.render.dither_intensity, scene.view_settings.view_transform = 0.0, "Standard"
    scene.render.image_settings.file_format = "PNG"


def test_the_plane_shows_the_file_of_the_frame(sequence, face, folder: Path, camera, tmp_path: Path) -> None:
    import bpy

    image = sequence.make_image("take", folder / f"take.{FIRST:04d}.png")
    plane = sequence.make_plane(face, bpy.context.scene)
    sequence.show_on_plane(plane, image, 1.0, FIRST, COUNT, FIRST)
    shown = [rendered(frame, tmp_path) for frame in (90, 101, 106, 112, 120)]
    assert shown == [100, 101, 106, 112, 112]


def test_a_sequence_can_be_set_up_before_its_files_exist(
    sequence, face, folder: Path, camera, tmp_path: Path
) -> None:
    import bpy

    image = sequence.make_image("take", folder / "later" / f"take.{FIRST:04d}.png")
    plane = sequence.make_plane(face, bpy.context.scene)
    sequence.show_on_plane(plane, image, 1.0, FIRST, COUNT, FIRST)
    (folder / "later").mkdir()
    for path in folder.glob("take.*.png"):
        path.rename(folder / "later" / path.name)
    assert rendered(105, tmp_path) == 105


@pytest.mark.parametrize(("frame", "file"), [(50, 100), (101, 101), (104, 104), (112, 106)])
def test_the_plane_knows_at_once_which_file_is_due(
    sequence, face, folder: Path, frame: int, file: int
) -> None:
    """Six of the pictures have arrived."""
    import bpy

    bpy.context.scene.frame_set(frame)
    plane = sequence.make_plane(face, bpy.context.scene)
    image = sequence.make_image("anna_001", folder / "take.0101.png")
    sequence.show_on_plane(plane, image, 1.0, FIRST, 6, FIRST)
    assert sequence.texture_of(plane).image_user.frame_current == file


def test_a_wide_portrait_makes_a_wide_plane(sequence, face, folder: Path) -> None:
    import bpy

    image = sequence.make_image("take", folder / f"take.{FIRST:04d}.png")
    plane = sequence.make_plane(face, bpy.context.scene)
    sequence.show_on_plane(plane, image, 16 / 9, FIRST, COUNT, FIRST)
    bpy.context.view_layer.update()
    assert plane.dimensions.x / plane.dimensions.z == pytest.approx(16 / 9, rel=1e-5)
    assert sequence.plane_of(face) == plane


def test_strips_stand_at_the_start_and_show_every_file(sequencer, folder: Path) -> None:
    import bpy

    made = sequencer.add_strips(
        bpy.context.scene, "take", folder, range(FIRST, FIRST + COUNT), FIRST, "png", ""
    )
    (strip,) = made
    assert (strip.frame_final_start, strip.frame_final_end) == (FIRST, FIRST + COUNT)
    assert [element.filename for element in strip.elements][-1] == "take.0112.png"
    assert sequencer.find_strips(bpy.context.scene, "take") == made


def test_the_sound_strip_stands_below_the_pictures(sequencer, folder: Path, tmp_path: Path) -> None:
    import bpy

    sound(tmp_path / "voice.wav", 1.0)
    made = sequencer.add_strips(
        bpy.context.scene,
        "take",
        folder,
        range(FIRST, FIRST + COUNT),
        FIRST,
        "png",
        str(tmp_path / "voice.wav"),
    )
    if len(made) == 1:
        pytest.skip("this Blender was built without sound")
    heard, picture = made
    assert (heard.type, picture.type) == ("SOUND", "IMAGE")
    assert heard.frame_final_start == FIRST and picture.channel == heard.channel + 1


def test_strips_of_a_second_take_go_above_and_the_first_is_muted(sequencer, folder: Path) -> None:
    import bpy

    numbers = range(FIRST, FIRST + COUNT)
    (first,) = sequencer.add_strips(bpy.context.scene, "one", folder, numbers, FIRST, "png", "")
    sequencer.mute_strips(bpy.context.scene, "one")
    (second,) = sequencer.add_strips(bpy.context.scene, "two", folder, numbers, FIRST, "png", "")
    assert second.channel > first.channel and first.mute and not second.mute
