# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of the live preview: an image of its own, painted over the picture plane in the viewport.

Painted, not put into the material: the take's picture sequence is not touched, so there is nothing to put
back, and an undo finds nothing changed behind it. Any Image Editor can show the image, too.

Trap: pixels that a script sets make an image modified, and Blender then asks at Save and at Quit whether to
save it. So the pixels go through a small file (uncompressed TGA, about a millisecond) that the image reads.
"""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from pathlib import Path

import bpy
import numpy as np

from ...core.wire import messages
from ..face import rig
from ..pictures import image_sequence, take_folder
from ..server_process import jobs
from ..takes import status

IMAGE = "EDTalk Preview"

_shown: tuple[int, messages.Preview] | None = None  # session uid of the face, what its picture was asked with
_painter: object = None


def shown() -> messages.Preview | None:
    """What the image shows now, None while it shows nothing."""
    return _shown[1] if _shown is not None else None


def begin() -> None:
    """Paint over the plane from now on; in background mode there is nothing to paint on."""
    global _painter
    if not bpy.app.background and _painter is None:
        _painter = bpy.types.SpaceView3D.draw_handler_add(_paint, (), "WINDOW", "POST_VIEW")


def end() -> None:
    """Paint no longer, and take the image away unless something holds on to it."""
    global _painter, _shown
    if _painter is not None:
        bpy.types.SpaceView3D.draw_handler_remove(_painter, "WINDOW")
    _painter, _shown = None, None
    image = image_or_none()
    if image is not None and _is_used(image):
        with suppress(RuntimeError):  # it has no file any more
            image.pack()
    elif image is not None:
        bpy.data.images.remove(image)
    _file().unlink(missing_ok=True)
    jobs.redraw(*jobs.PICTURES)


def image_or_none() -> bpy.types.Image | None:
    """The image of the live preview, None while there is none."""
    return bpy.data.images.get((IMAGE, None))


def pixels_of(face: bpy.types.Object) -> np.ndarray | None:
    """What the preview of this face shows, float32 [H, W, 4] in 0..1, bottom row first; None while it shows
    nothing, or another face.
    """
    image = image_or_none()
    if image is None or _shown is None or _shown[0] != face.session_uid:
        return None
    width, height = image.size
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    return pixels.reshape(height, width, 4)


def is_playing() -> bool:
    """Does the animation play in any window?"""
    return any(window.screen.is_animation_playing for window in bpy.context.window_manager.windows)


def _is_used(image: bpy.types.Image) -> bool:
    """Does anything but an editor show it?"""
    users = bpy.data.user_map(subset={image})[image]
    return image.use_fake_user or any(user.id_type not in {"SCREEN", "WINDOWMANAGER"} for user in users)


def show(face: int, asked: messages.Preview, picture: np.ndarray) -> None:
    """Put uint8 [H, W, 4], top row first, into the image, and let empty Image Editors show it. `face` is a
    session uid.
    """
    global _shown
    _shown = face, asked
    file, image = _file(), image_or_none()
    file.write_bytes(_tga(picture))
    if image is None:
        image = bpy.data.images.load(str(file))
        image.name = IMAGE
    elif image.packed_file is None and image.source == "FILE" and image.filepath == str(file):
        image.reload()
    else:  # one that was kept, or that came with a file
        if image.packed_file is not None:
            image.unpack(method="REMOVE")
        image.source, image.filepath = "FILE", str(file)
        image.reload()
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "IMAGE_EDITOR" and area.spaces.active.image is None:
                area.spaces.active.image = image
    jobs.redraw(*jobs.PICTURES)


def _file() -> Path:
    return Path(bpy.app.tempdir or take_folder.private_folder()) / f"edtalk_preview_{os.getpid()}.tga"


def _tga(picture: np.ndarray) -> bytes:
    """Uint8 [H, W, 4], top row first, as a file: uncompressed true colour, 8 bits of alpha, from the top."""
    height, width = picture.shape[:2]
    header = struct.pack("<12xHHBB", width, height, 32, 0x28)
    header = header[:2] + b"\x02" + header[3:]
    return header + np.ascontiguousarray(picture[..., [2, 1, 0, 3]]).tobytes()


def corners(face: bpy.types.Object, asked: messages.Preview) -> list[tuple[float, float, float]]:
    """Where the preview belongs on the picture plane, in the plane's own space: all of it, or the square
    around the face where the plane shows the whole portrait. Left bottom, right bottom, left top, right top.
    """
    take = face.edtalk.take
    left, right, bottom, top = -1.0, 1.0, -1.0, 1.0
    if face.edtalk.composite == "paste" and asked.crop is not None and take.width and take.height:
        x, y, side = asked.crop
        left, right = 2 * x / take.width - 1, 2 * (x + side) / take.width - 1
        bottom, top = 1 - 2 * (y + side) / take.height, 1 - 2 * y / take.height
    near = -0.005  # in front of the plane, which faces -Y
    return [(left, near, bottom), (right, near, bottom), (left, near, top), (right, near, top)]


def is_live(face: bpy.types.Object, frame: int) -> bool:
    """Does the live picture show what this face's take on disk does not, at this scene frame?"""
    if image_or_none() is None or _shown is None or face.session_uid != _shown[0] or is_playing():
        return False
    return not status.is_on_disk(face, frame, _shown[1].weights, _shown[1].mouth)


def _paint() -> None:
    context = bpy.context
    face = rig.active_face(context)
    if face is None or not is_live(face, context.scene.frame_current):
        return
    plane = image_sequence.plane_of(face)
    if plane is None or not plane.visible_get(viewport=context.space_data):
        return
    import gpu

    gpu.state.depth_test_set("LESS_EQUAL")
    with gpu.matrix.push_pop():
        gpu.matrix.multiply_matrix(plane.matrix_world)
        paint(corners(face, _shown[1]))
    gpu.state.depth_test_set("NONE")


def paint(points: list[tuple[float, float, float]], display: bool = False) -> None:
    """Draw the live picture between four corners, in the order of `corners`. `display`: what is drawn on is
    shown as it is, as in an Image Editor; the 3D View turned linear light into the screen's before 5.0.
    """
    import gpu
    from gpu_extras.batch import batch_for_shader

    try:
        shader = gpu.shader.from_builtin("IMAGE_SCENE_LINEAR_TO_REC709_SRGB")
    except ValueError:
        shader = gpu.shader.from_builtin("IMAGE")
    texture = ((0, 0), (1, 0), (0, 1), (1, 1))
    batch = batch_for_shader(shader, "TRI_STRIP", {"pos": points, "texCoord": texture})
    gpu.state.blend_set("ALPHA")
    shader.bind()
    shader.uniform_sampler("image", gpu.texture.from_image(image_or_none()))
    batch.draw(shader)
    gpu.state.blend_set("NONE")
