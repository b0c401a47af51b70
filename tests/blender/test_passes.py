# SPDX-License-Identifier: GPL-3.0-or-later
"""Passes from the panel: made with the pictures, kept in step with them, and shown where they are wanted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.desk import Desk, key_of

pytestmark = [pytest.mark.blender, pytest.mark.slow]

ALL = {"face", "matte", "plate", "mouth"}


@pytest.fixture
def desk(part, tmp_path, portrait, voice, tiny_checkpoint, server_python) -> Desk:
    import bpy

    desk = Desk(part, tmp_path, portrait, voice, tiny_checkpoint, server_python)
    bpy.context.scene.edtalk.passes = ALL
    return desk


def files(desk: Desk, stem: str) -> dict[int, bytes]:
    """Frame number -> bytes of the files of a pass; "take" is the picture."""
    return {int(path.name.split(".")[1]): path.read_bytes() for path in desk.frames.glob(f"{stem}.*.png")}


def move_key(desk: Desk, frame: int) -> None:
    key, curve = key_of(desk, "mouth_00", frame)
    key.co.y += 2.5
    curve.update()


def test_generate_makes_every_pass_for_every_frame_and_the_hold_frame(desk) -> None:
    desk.generate()
    for stem in ("take", "take_face", "take_matte", "take_mouth"):
        assert sorted(files(desk, stem)) == list(range(100, 151))
    assert (desk.frames / "take_plate.png").is_file() and (desk.frames / "take_passes.json").is_file()


def test_render_changed_keeps_the_passes_in_step(desk) -> None:
    desk.generate()
    before = {stem: files(desk, stem) for stem in ("take", "take_face")}
    move_key(desk, 120)
    desk.render_changed()
    for stem, old in before.items():
        now = files(desk, stem)
        assert {number for number in now if now[number] != old[number]} == {120}


def test_a_pass_that_is_asked_for_later_is_made_and_one_that_is_there_stays_in_step(desk) -> None:
    import bpy

    bpy.context.scene.edtalk.passes = set()
    face = desk.generate()
    assert not files(desk, "take_face")
    face.edtalk.passes = {"face"}
    assert desk.part("takes.status").count(face, bpy.context) == 50
    desk.render_changed()
    old = files(desk, "take_face")
    assert sorted(old) == list(range(100, 151))
    face.edtalk.passes = set()
    assert desk.part("takes.status").count(face, bpy.context) == 0
    move_key(desk, 120)
    desk.render_changed()
    now = files(desk, "take_face")
    assert {number for number in now if now[number] != old[number]} == {120}


def test_a_deleted_file_of_a_pass_comes_back_and_so_does_the_plate(desk) -> None:
    desk.generate()
    before = files(desk, "take_matte")
    for name in ("take_matte.0133.png", "take_matte.0100.png", "take_plate.png"):
        (desk.frames / name).unlink()
    desk.render_changed()
    assert files(desk, "take_matte") == before and (desk.frames / "take_plate.png").is_file()
    assert desk.jobs.last().text == "anna_001: 1 of 50 frames rendered again"


def test_plane_and_compositor_show_the_face_with_alpha_when_asked(desk) -> None:
    import bpy

    face = desk.generate()
    sequence, scene = desk.part("pictures.image_sequence"), bpy.context.scene
    face.edtalk.shows = "face"
    shown = sequence.texture_of(sequence.plane_of(face))
    assert Path(shown.image.filepath).name == "take_face.0101.png"
    assert (shown.image_user.frame_start, shown.image_user.frame_duration) == (101, 50)
    assert bpy.ops.edtalk.add_compositor_nodes() == {"FINISHED"}
    tree = desk.part("pictures.compositor").tree_of(scene)
    names = {node.name: node.image for node in tree.nodes if node.bl_idname == "CompositorNodeImage"}
    assert names["EDTalk Frames"] == shown.image
    others = {f"EDTalk Frames, {name}" for name in ("Matte", "Plate", "Mouth")}
    assert set(names) == {"EDTalk Frames"} | others
    assert names["EDTalk Frames, Matte"].colorspace_settings.name == "Non-Color"
    assert names["EDTalk Frames, Plate"].source == "FILE"
    count = len(tree.nodes)
    assert bpy.ops.edtalk.add_compositor_nodes() == {"FINISHED"} and len(tree.nodes) == count
    face.edtalk.shows = "picture"
    assert shown.image == face.edtalk.take.image == tree.nodes["EDTalk Frames"].image


def test_a_second_take_is_shown_by_its_own_passes(desk) -> None:
    import bpy

    face = desk.generate()
    face.edtalk.shows = "face"
    bpy.ops.edtalk.add_compositor_nodes()
    tree = desk.part("pictures.compositor").tree_of(bpy.context.scene)
    desk.generate()
    folders = {
        name: desk.part("pictures.image_sequence").folder_of(tree.nodes[name].image).name
        for name in ("EDTalk Frames", "EDTalk Frames, Matte", "EDTalk Frames, Plate")
    }
    assert set(folders.values()) == {"anna_002"}


@pytest.mark.parametrize("form", ["png", "png16", "exr"])
def test_the_face_lies_over_the_render_with_its_alpha(desk, tmp_path: Path, form: str) -> None:
    """Straight in PNG, associated in EXR: both come out of the compositor as colour times alpha."""
    import bpy
    import numpy as np

    scene = bpy.context.scene
    scene.edtalk.format, scene.edtalk.passes = form, {"face", "matte"}
    face = desk.generate()
    face.edtalk.shows = "face"
    bpy.ops.edtalk.add_compositor_nodes()
    bpy.ops.edtalk.set_up_colour()
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.location = 0, 0, 100
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.render.engine, scene.cycles.samples, scene.render.film_transparent = "CYCLES", 1, True
    scene.render.resolution_x = scene.render.resolution_y = 64
    scene.render.use_sequencer = False
    scene.render.image_settings.file_format, scene.render.image_settings.color_mode = "PNG", "RGBA"
    scene.frame_set(120)
    scene.render.filepath = str(tmp_path / "over.png")
    bpy.ops.render.render(write_still=True)

    def pixels(path: Path, colour: str) -> np.ndarray:
        image = bpy.data.images.load(str(path))
        image.colorspace_settings.name = colour
        values = np.empty(len(image.pixels), np.float32)
        image.pixels.foreach_get(values)
        return values.reshape(64, 64, 4)

    suffix = "exr" if form == "exr" else "png"
    over = pixels(tmp_path / "over.png", "Non-Color")
    matte = pixels(desk.frames / f"take_matte.0120.{suffix}", "Non-Color")[..., 0]
    assert np.abs(over[..., 3] - matte).max() < 0.01 and 0 < matte.mean() < 1
    solid = matte > 0.99
    plain = pixels(desk.frames / f"take.0120.{suffix}", "Non-Color")[..., :3]
    if form == "exr":
        plain = np.where(plain <= 0.0031308, plain * 12.92, 1.055 * np.maximum(plain, 0) ** (1 / 2.4) - 0.055)
    assert np.abs(over[..., :3] - plain)[solid].max() < 0.02
