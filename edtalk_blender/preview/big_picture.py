# SPDX-License-Identifier: GPL-3.0-or-later
"""The Image Editors that show a face's take: the live picture is painted over it while the face is posed
differently, a badge says which of the two is seen, and those of our workspace follow the active face.

Painted, as over the plane: the editor keeps its image, so there is nothing to put back.
"""

from __future__ import annotations

import bpy
from bpy.app.handlers import persistent

from ..face import rig
from ..pictures import frame_record, image_sequence, workspace
from ..takes import status, take_rows
from . import live_picture

BADGES = {
    "LIVE": ("Live", (0.40, 0.85, 0.42, 1.0)),
    "DISK": ("On disk", (0.90, 0.90, 0.90, 1.0)),
    "STALE": ("On disk, out of date", (1.0, 0.62, 0.20, 1.0)),
    "MISSING": ("Not rendered yet", (0.75, 0.75, 0.75, 1.0)),
}
"""What is seen -> words and colour."""
TEXT = 13  # height of the words, in units of the interface
EDGE = 12  # and their distance from the editor's left edge
ABOVE = 34  # and from its lower one, where the editor shows frame numbers of its own

_handle: object = None
_followed = 0  # session uid of the face that the editors follow


def what_is_seen(face: bpy.types.Object, frame: int) -> str:
    """A key of `BADGES` for the face's take at a scene frame, as far as is known."""
    if live_picture.is_live(face, frame):
        return "LIVE"
    known = status.states(face)
    if known is None or not 0 <= frame - known[0] < len(known[1]):
        return "DISK"
    return {frame_record.STALE: "STALE", frame_record.MISSING: "MISSING"}.get(
        int(known[1][frame - known[0]]), "DISK"
    )


def _images_of(face: bpy.types.Object) -> set[bpy.types.Image]:
    """The picture of the face's take and that of its pass Face."""
    image = face.edtalk.take.image
    if image is None:
        return set()
    return {image, image_sequence.pass_of(image, "face")} - {None}


def _draw() -> None:
    context, space = bpy.context, bpy.context.space_data
    face = rig.active_face(context)
    if space.mode != "VIEW" or space.image is None or face is None or space.image not in _images_of(face):
        return
    seen = what_is_seen(face, context.scene.frame_current)
    if seen == "LIVE":
        live_picture.paint(_corners(context.region, face), display=True)
    _draw_badge(context, *BADGES[seen])


def _corners(region: bpy.types.Region, face: bpy.types.Object) -> list[tuple[float, float, float]]:
    """Where the live picture belongs in the editor, pixels of its region."""
    to_region = region.view2d.view_to_region
    corners = live_picture.corners(face, live_picture.shown())
    return [(*to_region((x + 1) / 2, (z + 1) / 2, clip=False), 0.0) for x, _, z in corners]


def _draw_badge(context: bpy.types.Context, words: str, colour: tuple[float, ...]) -> None:
    import blf

    scale = context.preferences.system.ui_scale
    tools = next((region.width for region in context.area.regions if region.type == "TOOLS"), 0)
    left = EDGE * scale + (tools if tools > 1 and context.preferences.system.use_region_overlap else 0)
    blf.size(0, TEXT * scale)
    blf.enable(0, blf.SHADOW)
    blf.shadow(0, 5, 0.0, 0.0, 0.0, 0.9)
    blf.color(0, *colour)
    blf.position(0, left, ABOVE * scale, 0)
    blf.draw(0, words)
    blf.disable(0, blf.SHADOW)


# ------------------------------------------------------------------------------------ the active face


@persistent
def _something_happened(*_: object) -> None:
    """Another face may have been selected; editors are changed once Blender is done with what it does."""
    face = rig.active_face(bpy.context)
    if face is None or face.session_uid == _followed or face.edtalk.take.image is None:
        return
    if bpy.app.background:
        follow()
    elif not bpy.app.timers.is_registered(follow):
        bpy.app.timers.register(follow, first_interval=0.0)


def follow() -> None:
    """Let the Image Editors of our workspace that show another face's take show that of the active face."""
    global _followed
    face = rig.active_face(bpy.context)
    if face is None or face.edtalk.take.image is None:
        return
    _followed = face.session_uid
    others = [ob for ob in bpy.data.objects if rig.is_face(ob) and ob != face]
    taken = {image for other in others for image in _images_of(other)} - _images_of(face)
    if not take_rows.is_muted(face):
        workspace.replace(taken, face)


def register() -> None:
    """Begin to paint and to follow; in background mode there is nothing to paint on."""
    global _handle
    if not bpy.app.background:
        draw = bpy.types.SpaceImageEditor.draw_handler_add
        _handle = draw(_draw, (), "WINDOW", "POST_PIXEL")
    bpy.app.handlers.depsgraph_update_post.append(_something_happened)


def unregister() -> None:
    """The reverse of `register`."""
    global _handle
    bpy.app.handlers.depsgraph_update_post.remove(_something_happened)
    if bpy.app.timers.is_registered(follow):
        bpy.app.timers.unregister(follow)
    if _handle is not None:
        bpy.types.SpaceImageEditor.draw_handler_remove(_handle, "WINDOW")
        _handle = None
