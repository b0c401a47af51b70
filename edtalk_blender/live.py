# SPDX-License-Identifier: GPL-3.0-or-later
"""Live preview: a slider, a key or the playhead moves, and the face follows.

The picture goes into an image of its own, "EDTalk Preview", which any Image Editor can show, and is
painted over the picture plane in the viewport. Painted, not put into the material: the take's picture
sequence is not touched, so there is nothing to put back, and an undo finds nothing changed behind it.

Handlers only note that something happened. A timer that survives file loads does the work: it compares
the evaluated weights with those last asked for and has one request in flight at most, so that the newest
state wins however slow the server is. Nothing of Blender's data is kept from one tick to the next.
While the animation plays, the frames of the take are shown and nothing is asked.
"""

from __future__ import annotations

import os
import tempfile
import traceback
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from bpy.app.handlers import persistent

from ..core.wire import messages
from ..core.wire.channels import CHANNELS, bank_of
from ..core.wire.errors import Died, EDTalkError, Stale
from . import animation, image_sequence, jobs, rig, service, takes
from .client import Pending
from .operators import missing_file
from .properties import absolute

IMAGE = "EDTalk Preview"
SIZE = 256  # pixels; larger pictures take longer than an eye notices
NOTICED = ("depsgraph_update_post", "frame_change_post")
REPLACED = ("undo_post", "redo_post", "load_post")


@dataclass
class _State:
    """What is known between two ticks: plain data, never a reference into Blender's."""

    on: bool = False
    changed: bool = False  # something happened since the last request
    pending: Pending | None = None
    asked: messages.Preview | None = None  # the last request, answered or not
    asked_face: int = 0  # session uid
    shown: messages.Preview | None = None  # what the image shows
    shown_face: int = 0
    waking: jobs.Job | None = None  # starts the server
    trouble: str = ""  # why there is no picture, for the panel
    painter: object = None


_state = _State()


def is_on() -> bool:
    """Is the live preview switched on?"""
    return _state.on


def trouble() -> str:
    """Why the last picture did not come, "" when it did."""
    return _state.trouble


def why_not(context: bpy.types.Context) -> str:
    """Why it cannot be switched on, "" when it can."""
    face = rig.active_face(context)
    if face is None:
        return "Select a face rig first, or generate a take"
    return missing_file(face.edtalk.portrait, "a portrait")


# ----------------------------------------------------------------------------------------------- switch


def start() -> None:
    """Switch it on; the first picture comes with the next ticks."""
    global _state
    stop()
    _state = _State(on=True, changed=True)
    for name in NOTICED:
        getattr(bpy.app.handlers, name).append(_something_changed)
    for name in REPLACED:
        getattr(bpy.app.handlers, name).append(_everything_changed)
    bpy.app.timers.register(tick, first_interval=0.0, persistent=True)
    if not bpy.app.background:
        _state.painter = bpy.types.SpaceView3D.draw_handler_add(_paint, (), "WINDOW", "POST_VIEW")


def stop() -> None:
    """Switch it off and leave nothing behind but what the panel has to say."""
    global _state
    if not _state.on:
        return
    for name in NOTICED:
        getattr(bpy.app.handlers, name).remove(_something_changed)
    for name in REPLACED:
        getattr(bpy.app.handlers, name).remove(_everything_changed)
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)
    if _state.painter is not None:
        bpy.types.SpaceView3D.draw_handler_remove(_state.painter, "WINDOW")
    _state = _State(trouble=_state.trouble)
    image = image_or_none()
    if image is not None and not _is_used(image):
        bpy.data.images.remove(image)  # Blender would ask on quitting whether to save it
    _answer_file().unlink(missing_ok=True)
    jobs.redraw(*jobs.PICTURES)


@persistent
def _something_changed(scene: bpy.types.Scene, *_: object) -> None:
    if not scene.name.startswith(animation.READING_SCENE):
        _state.changed = True


@persistent
def _everything_changed(*_: object) -> None:
    _state.changed, _state.asked, _state.trouble = True, None, ""


# ------------------------------------------------------------------------------------------------- ticks


def tick() -> float | None:
    """What the timer calls: one turn. Gives back the seconds until the next, None when it is switched off."""
    if not _state.on:
        return None
    if bpy.app.is_job_running("RENDER"):
        return 0.2
    try:
        _turn()
    except EDTalkError as error:
        _say(error)
    except Exception as error:
        traceback.print_exc()
        _state.trouble = f"Live Preview failed inside EDTalk: {type(error).__name__}: {error}"
        stop()
    return jobs.TICK if _state.on else None


def _turn() -> None:
    if _state.pending is not None:
        service.listen(0.0)
        if not _state.pending.done:
            return
        _take_answer()
    if _state.waking is not None and _state.waking.finished:
        job, _state.waking = _state.waking, None
        if job.error is not None:
            _state.trouble = jobs.sentence(job.outcome)
            stop()
            return
    face = rig.active_face(bpy.context)
    if not _state.changed or face is None or _is_playing():
        return
    wanted = request(face)
    server = service.server_or_none()
    if wanted == _state.asked and face.session_uid == _state.asked_face:
        _state.changed = False
    elif server is None or not server.ready:
        _wake()
    else:
        _state.changed, _state.asked, _state.asked_face = False, wanted, face.session_uid
        _state.pending = server.ask(wanted)


def _wake() -> None:
    """Start the server by a job, so that the panel shows it; a job that runs is starting one already."""
    if jobs.current() is None:
        _state.waking = jobs.Job("Live Preview", _start_server)
        jobs.start(_state.waking)


def _start_server(job: jobs.Job) -> Generator[None, None, jobs.Outcome]:
    yield from service.ready_server(job)
    return jobs.Outcome("INFO", "Live preview is on")


def request(face: bpy.types.Object) -> messages.Preview:
    """What to ask for, to see this face as it is posed now: its evaluated weights, drivers and NLA
    included. Raises EDTalkError for what cannot be asked.
    """
    settings, take = face.edtalk, face.edtalk.take
    portrait, crop = absolute(settings.portrait), None
    if settings.use_crop:
        crop = tuple(settings.crop)
    elif take.name and take.portrait == takes.file_digest(portrait):
        crop = tuple(take.crop)
    bones = face.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
    return messages.Preview(
        portrait=portrait,
        weights=tuple(float(bones[bank_of(name)].get(name, 0.0)) for name in CHANNELS),
        checkpoint=absolute(settings.checkpoint),
        crop=crop,
        face=settings.face - 1 if settings.face else None,
        size=min(SIZE, settings.size),
        detail=False,
        out=str(_answer_file()),
    )


def _take_answer() -> None:
    pending, _state.pending = _state.pending, None
    try:
        answer = pending.result()
        picture = np.load(answer.out, allow_pickle=False)
    except Stale:
        _state.changed, _state.asked = True, None
        return
    except Died as error:
        _state.asked = None  # the next edit starts another server
        _say(error)
        return
    except EDTalkError as error:
        _say(error)
        return
    face = rig.active_face(bpy.context)
    if face is None or face.session_uid != _state.asked_face:
        _state.changed = True  # of a face that is not looked at any more
        return
    _state.trouble = ""
    _state.shown, _state.shown_face = _state.asked, _state.asked_face
    _show(picture)


def _say(error: EDTalkError) -> None:
    _state.changed = False
    text = jobs.sentence(jobs.Outcome("ERROR", error.message, error.hint))
    if text != _state.trouble:
        _state.trouble = text
        jobs.redraw()


def _answer_file() -> Path:
    return Path(bpy.app.tempdir or tempfile.gettempdir()) / f"edtalk_preview_{os.getpid()}.npy"


def _is_playing() -> bool:
    return any(window.screen.is_animation_playing for window in bpy.context.window_manager.windows)


# ----------------------------------------------------------------------------------------------- picture


def image_or_none() -> bpy.types.Image | None:
    """The image of the live preview, None while there is none."""
    return bpy.data.images.get((IMAGE, None))


def _is_used(image: bpy.types.Image) -> bool:
    """Does anything but an editor show it?"""
    users = bpy.data.user_map(subset={image})[image]
    return image.use_fake_user or any(user.id_type not in {"SCREEN", "WINDOWMANAGER"} for user in users)


def _show(picture: np.ndarray) -> None:
    """Put uint8 [H, W, 4], top row first, into the image, and let empty Image Editors show it."""
    height, width = picture.shape[:2]
    image = image_or_none()
    if image is None:
        image = bpy.data.images.new(IMAGE, width, height, alpha=True)
    elif tuple(image.size) != (width, height):
        image.scale(width, height)
    image.pixels.foreach_set((picture[::-1].astype(np.float32) / 255.0).ravel())
    image.update()
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "IMAGE_EDITOR" and area.spaces.active.image is None:
                area.spaces.active.image = image
    jobs.redraw(*jobs.PICTURES)


def corners(face: bpy.types.Object, shown: messages.Preview) -> list[tuple[float, float, float]]:
    """Where the preview belongs on the picture plane, in the plane's own space: all of it, or the square
    around the face where the plane shows the whole portrait. Left bottom, right bottom, left top, right top.
    """
    take = face.edtalk.take
    left, right, bottom, top = -1.0, 1.0, -1.0, 1.0
    if face.edtalk.composite == "paste" and shown.crop is not None and take.width and take.height:
        x, y, side = shown.crop
        left, right = 2 * x / take.width - 1, 2 * (x + side) / take.width - 1
        bottom, top = 1 - 2 * (y + side) / take.height, 1 - 2 * y / take.height
    near = -0.005  # in front of the plane, which faces -Y
    return [(left, near, bottom), (right, near, bottom), (left, near, top), (right, near, top)]


def _paint() -> None:
    context, image = bpy.context, image_or_none()
    face = rig.active_face(context)
    if image is None or _state.shown is None or face is None or face.session_uid != _state.shown_face:
        return
    plane = image_sequence.plane_of(face)
    if plane is None or not plane.visible_get(viewport=context.space_data) or _is_playing():
        return
    import gpu
    from gpu_extras.batch import batch_for_shader

    try:
        shader = gpu.shader.from_builtin("IMAGE_SCENE_LINEAR_TO_REC709_SRGB")
    except ValueError:
        shader = gpu.shader.from_builtin("IMAGE")  # before 5.0 the viewport itself turned linear into sRGB
    texture = ((0, 0), (1, 0), (0, 1), (1, 1))
    points = {"pos": corners(face, _state.shown), "texCoord": texture}
    batch = batch_for_shader(shader, "TRI_STRIP", points)
    gpu.state.depth_test_set("LESS_EQUAL")
    gpu.state.blend_set("ALPHA")
    with gpu.matrix.push_pop():
        gpu.matrix.multiply_matrix(plane.matrix_world)
        shader.bind()
        shader.uniform_sampler("image", gpu.texture.from_image(image))
        batch.draw(shader)
    gpu.state.blend_set("NONE")
    gpu.state.depth_test_set("NONE")


# ---------------------------------------------------------------------------------------------- operator


class EDTALK_OT_live_preview(bpy.types.Operator):
    """Show the face as it is posed now, on its plane and in the image EDTalk Preview, while you work"""

    bl_idname = "edtalk.live_preview"
    bl_label = "Live Preview"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Off at any time, on with a face and its portrait."""
        reason = "" if is_on() else why_not(context)
        if reason:
            cls.poll_message_set(reason)
        return not reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        """On or off."""
        if is_on():
            stop()
        else:
            start()
        return {"FINISHED"}


def unregister() -> None:
    """Switch it off."""
    stop()


CLASSES = (EDTALK_OT_live_preview,)
