# SPDX-License-Identifier: GPL-3.0-or-later
"""The crop on the portrait in the Image Editor: seen, dragged by its handles, and picked by clicking a face.

Wherever an Image Editor shows the portrait of the active face, its crop lies over it: bright while it is set
by hand, thin while it is only what was found; taking hold of a thin one sets it by hand. Found faces carry
their numbers, and a click on one chooses it. It is one gizmo, so no mode is entered or left, panning and
zooming go on as ever, and a drag that is cancelled leaves no trace.

Trap: a gizmo is drawn and hit in pixels of the region, and the Image Editor's view counts from 0 to 1 across
the image from its lower left corner, so every place goes through `_Frame`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bpy

from . import crop_box, jobs, rig, sighting
from .crop_box import HANDLES, Box
from .job_operator import JobOperator
from .properties import absolute, settings_of
from .reasons import busy, missing_file

REACH = 9.0  # pixels around a handle that take hold of it, at normal interface scale
BRIGHT, THIN, SHADE = (1.0, 0.72, 0.2, 1.0), (1.0, 1.0, 1.0, 0.75), (0.0, 0.0, 0.0, 0.45)
FACE, CHOSEN = (0.55, 0.8, 1.0, 0.9), (0.45, 1.0, 0.5, 1.0)
OVAL = (0.5, 0.47, 0.36, 0.46)  # where a head belongs in the crop: middle and half axes, in its sides
FINE = 0.1  # of the way is gone while Shift is held


def picture_of(settings: bpy.types.PropertyGroup) -> str:
    """The file that shows the portrait upright: itself, or the copy made of one that lies on its side."""
    seen = sighting.sighting_of(settings)
    if seen is not None and seen.upright and Path(seen.upright).is_file():
        return seen.upright
    return absolute(settings.portrait)


def shows_portrait(space: bpy.types.Space | None, settings: bpy.types.PropertyGroup) -> bool:
    """Does an Image Editor show the portrait?"""
    image = space.image if space is not None and space.type == "IMAGE_EDITOR" else None
    if image is None or not image.filepath or not settings.portrait.strip() or not image.size[0]:
        return False
    return Path(absolute(image.filepath, image.library)) == Path(picture_of(settings))


@dataclass(frozen=True)
class _Frame:
    """The portrait as one region shows it."""

    region: bpy.types.Region
    width: int
    height: int

    def to_region(self, x: float, y: float) -> tuple[float, float]:
        """Pixels of the portrait -> pixels of the region."""
        return self.region.view2d.view_to_region(x / self.width, 1 - y / self.height, clip=False)

    def to_portrait(self, x: float, y: float) -> tuple[float, float]:
        """Pixels of the region -> pixels of the portrait."""
        across, up = self.region.view2d.region_to_view(x, y)
        return across * self.width, (1 - up) * self.height

    @property
    def scale(self) -> float:
        """Pixels of the region for one of the portrait."""
        (left, _), (right, _) = self.to_region(0, 0), self.to_region(self.width, 0)
        return max(1e-6, (right - left) / self.width)

    def corners(self, box: Box) -> list[tuple[float, float]]:
        """The four corners of a box in the region, around."""
        x, y, side = box
        return [self.to_region(*at) for at in ((x, y), (x + side, y), (x + side, y + side), (x, y + side))]


def _frame(context: bpy.types.Context) -> _Frame:
    width, height = context.space_data.image.size
    return _Frame(context.region, width, height)


class EDTALK_GT_crop(bpy.types.Gizmo):
    """The crop over the portrait"""

    bl_idname = "EDTALK_GT_crop"
    __slots__ = ("before", "by_hand", "origin", "part", "start")

    def setup(self) -> None:
        """Called by Blender when it is made."""
        self.part, self.before, self.start, self.origin, self.by_hand = "", None, None, None, False
        self.use_draw_modal = True

    def draw(self, context: bpy.types.Context) -> None:
        """Drawn by Blender, in pixels of the region."""
        settings, frame = settings_of(context), _frame(context)
        box = sighting.crop_of(settings)
        if box is not None:
            _draw_crop(frame, box, settings.use_crop, self.is_highlight or self.is_modal, context)
        _draw_faces(frame, settings, context)

    def test_select(self, context: bpy.types.Context, location) -> int:
        """Is there something of it under the pointer?"""
        return 0 if self._under(context, *location) else -1

    def _under(self, context: bpy.types.Context, x: float, y: float) -> str:
        """The part of the crop at a place of the region, or the number of a face, "" for neither."""
        settings, frame = settings_of(context), _frame(context)
        at, box = frame.to_portrait(x, y), sighting.crop_of(settings)
        reach = REACH * context.preferences.system.ui_scale / frame.scale
        part = crop_box.part_at(box, *at, reach) if box is not None else ""
        if part and part != crop_box.MOVE:
            return part
        return _face_at(settings, *at) or part

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Taken hold of."""
        settings = settings_of(context)
        self.part = self._under(context, event.mouse_region_x, event.mouse_region_y)
        self.origin = _frame(context).to_portrait(event.mouse_region_x, event.mouse_region_y)
        self.start, self.by_hand = sighting.crop_of(settings), settings.use_crop
        self.before = tuple(settings.crop)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event, tweak: set[str]) -> set[str]:
        """Dragged."""
        if self.part.isdigit() or self.start is None:
            return {"RUNNING_MODAL"}
        settings, frame = settings_of(context), _frame(context)
        x, y = frame.to_portrait(event.mouse_region_x, event.mouse_region_y)
        share = FINE if "PRECISE" in tweak else 1.0
        right, down = (x - self.origin[0]) * share, (y - self.origin[1]) * share
        box = crop_box.kept(crop_box.dragged(self.start, self.part, right, down), frame.width, frame.height)
        if settings.use_crop or box != self.start:
            settings.crop = box  # before the switch, which fills in a crop that nobody has set
            settings.use_crop = True
        context.area.tag_redraw()
        return {"RUNNING_MODAL"}

    def exit(self, context: bpy.types.Context, cancel: bool) -> None:
        """Let go, or cancelled."""
        settings = settings_of(context)
        if self.part.isdigit() and not cancel:
            sighting.pick(settings, int(self.part))
            jobs.push_undo("EDTalk: Choose Face")
        elif cancel:
            settings.crop, settings.use_crop = self.before, self.by_hand
        elif settings.use_crop and tuple(settings.crop) != self.before:
            jobs.push_undo("EDTalk: Crop")
        jobs.redraw()
        context.area.tag_redraw()


def _face_at(settings: bpy.types.PropertyGroup, x: float, y: float) -> str:
    """The number of the face at a place, as text, where there are several and another one is chosen."""
    seen = sighting.sighting_of(settings)
    if seen is None or len(seen.faces) < 2:
        return ""
    for number, face in enumerate(seen.faces, 1):
        left, top, width, height = face.box
        if number != settings.face and left <= x <= left + width and top <= y <= top + height:
            return str(number)
    return ""


class EDTALK_GGT_crop(bpy.types.GizmoGroup):
    """The crop over the portrait"""

    bl_idname = "EDTALK_GGT_crop"
    bl_label = "EDTalk Crop"
    bl_space_type = "IMAGE_EDITOR"
    bl_region_type = "WINDOW"
    bl_options = {"PERSISTENT", "SHOW_MODAL_ALL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only over the portrait of the active face, of which something is known."""
        settings, space = settings_of(context), context.space_data
        if space.mode != "VIEW" or not shows_portrait(space, settings) or not _is_ours(context):
            return False
        return sighting.crop_of(settings) is not None or sighting.sighting_of(settings) is not None

    def setup(self, context: bpy.types.Context) -> None:
        """Called by Blender when it is made."""
        self.gizmos.new(EDTALK_GT_crop.bl_idname)


def _is_ours(context: bpy.types.Context) -> bool:
    """May the settings on show be changed?"""
    owner = sighting.owner_of(context)
    return owner.library is None


# ---------------------------------------------------------------------------------------------- drawing


def _draw_crop(frame: _Frame, box: Box, by_hand: bool, held: bool, context: bpy.types.Context) -> None:
    corners = frame.corners(box)
    if by_hand or held:
        _shade(frame, corners)
    colour = BRIGHT if by_hand or held else THIN
    _lines([*corners, corners[0]], colour, 2.0 if by_hand or held else 1.0)
    if held:
        _lines(_oval(frame, box), THIN, 1.0)
    size = 4.0 * context.preferences.system.ui_scale
    for name in HANDLES:
        x, y = frame.to_region(*crop_box.handle_at(box, name))
        _rectangle(x - size, y - size, x + size, y + size, colour)
    x, y, side = box
    _text(f"{side:.0f} px at {x:.0f}, {y:.0f}", corners[3][0], corners[3][1] - 18, 12, colour, context)


def _draw_faces(frame: _Frame, settings: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    seen = sighting.sighting_of(settings)
    if seen is None or len(seen.faces) < 2:
        return
    for number, face in enumerate(seen.faces, 1):
        left, top, width, height = face.box
        colour = CHOSEN if number == settings.face else FACE
        places = ((left, top), (left + width, top), (left + width, top + height), (left, top + height))
        corners = [frame.to_region(*place) for place in places]
        _lines([*corners, corners[0]], colour, 2.0 if number == settings.face else 1.0)
        _text(str(number), corners[0][0] + 6, corners[0][1] - 26, 22, colour, context)


def _oval(frame: _Frame, box: Box) -> list[tuple[float, float]]:
    """Where the head belongs."""
    from math import cos, sin, tau

    x, y, side = box
    points = [(cos(tau * i / 64), sin(tau * i / 64)) for i in range(65)]
    return [
        frame.to_region(x + side * (OVAL[0] + OVAL[2] * right), y + side * (OVAL[1] + OVAL[3] * down))
        for right, down in points
    ]


def _shade(frame: _Frame, corners: list[tuple[float, float]]) -> None:
    """Darken the portrait outside of the crop."""
    left, top = frame.to_region(0, 0)
    right, bottom = frame.to_region(frame.width, frame.height)
    x0, x1 = (min(max(x, left), right) for x in (corners[0][0], corners[1][0]))
    y0, y1 = (min(max(y, bottom), top) for y in (corners[2][1], corners[0][1]))
    for box in ((left, bottom, right, y0), (left, y1, right, top), (left, y0, x0, y1), (x1, y0, right, y1)):
        _rectangle(*box, SHADE)


def _rectangle(x0: float, y0: float, x1: float, y1: float, colour: tuple[float, ...]) -> None:
    if x1 > x0 and y1 > y0:
        _batch("TRI_STRIP", [(x0, y0), (x1, y0), (x0, y1), (x1, y1)], colour)


def _lines(points: list[tuple[float, float]], colour: tuple[float, ...], width: float) -> None:
    import gpu

    gpu.state.line_width_set(width)
    _batch("LINE_STRIP", points, colour)
    gpu.state.line_width_set(1.0)


def _batch(kind: str, points: list[tuple[float, float]], colour: tuple[float, ...]) -> None:
    import gpu
    from gpu_extras.batch import batch_for_shader

    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    gpu.state.blend_set("ALPHA")
    shader.bind()
    shader.uniform_float("color", colour)
    batch_for_shader(shader, kind, {"pos": points}).draw(shader)
    gpu.state.blend_set("NONE")


def _text(
    text: str, x: float, y: float, size: float, colour: tuple[float, ...], context: bpy.types.Context
) -> None:
    import blf

    blf.size(0, size * context.preferences.system.ui_scale)
    blf.enable(0, blf.SHADOW)
    blf.shadow(0, 3, 0.0, 0.0, 0.0, 0.9)
    blf.color(0, *colour)
    blf.position(0, x, y, 0)
    blf.draw(0, text)
    blf.disable(0, blf.SHADOW)


# ---------------------------------------------------------------------------------------------- buttons


def why_not_find(context: bpy.types.Context) -> str:
    """Why no face can be looked for, "" when it can."""
    if not _is_ours(context):
        return "This face is linked: make a library override of it first"
    return busy() or missing_file(settings_of(context).portrait, "a portrait")


class EDTALK_OT_find_face(JobOperator, bpy.types.Operator):
    """Look for faces in the portrait, and frame the one that is found or chosen"""

    bl_idname = "edtalk.find_face"
    bl_label = "Find Face"
    bl_options = {"REGISTER"}

    why_not = staticmethod(why_not_find)

    def job(self, context: bpy.types.Context) -> jobs.Job:
        """The active face's portrait, or the scene's while there is no face."""
        owner = sighting.owner_of(context)
        portrait = absolute(owner.edtalk.portrait)
        work = sighting.find(owner.session_uid, owner.id_type == "OBJECT", portrait)
        return jobs.Job("Find Face", work)


class EDTALK_OT_pick_face(bpy.types.Operator):
    """Choose which face of the portrait shall talk; they are counted from the left"""

    bl_idname = "edtalk.pick_face"
    bl_label = "Choose Face"
    bl_options = {"REGISTER", "UNDO"}

    number: bpy.props.IntProperty(name="Face", description="1 is the leftmost", min=1, default=1)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only where it can be kept."""
        if not _is_ours(context):
            cls.poll_message_set("This face is linked: make a library override of it first")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """The choice, and the crop with it where that is set by hand."""
        sighting.pick(settings_of(context), self.number)
        jobs.redraw(*jobs.PICTURES)
        return {"FINISHED"}


class EDTALK_OT_show_portrait(bpy.types.Operator):
    """Show the portrait with its crop in an Image Editor, where the crop can be dragged; a window is opened
    when no Image Editor is in sight"""

    bl_idname = "edtalk.show_portrait"
    bl_label = "Show Crop"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with a portrait."""
        reason = missing_file(settings_of(context).portrait, "a portrait")
        if reason:
            cls.poll_message_set(reason)
        return not reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        """In the Image Editor that shows it already, an empty one, any, or a new window."""
        settings = settings_of(context)
        image = bpy.data.images.load(picture_of(settings), check_existing=True)
        areas = [
            area
            for window in context.window_manager.windows
            for area in window.screen.areas
            if area.type == "IMAGE_EDITOR" and area.ui_type == "IMAGE_EDITOR"
        ]
        if not areas and not bpy.app.background:
            areas = [_new_window()]
        if not areas:
            self.report({"WARNING"}, "There is no window to show it in")
            return {"CANCELLED"}
        areas.sort(
            key=lambda area: (area.spaces.active.image not in (image, None), -area.width * area.height)
        )
        space = areas[0].spaces.active
        space.image, space.mode = image, "VIEW"
        space.show_region_ui = True
        if sighting.crop_of(settings) is None and sighting.sighting_of(settings) is None:
            self.report({"INFO"}, "Press Find Face, or tick Crop by Hand and drag the corners")
        jobs.redraw(*jobs.PICTURES)
        return {"FINISHED"}


def _worth(area: bpy.types.Area, image: bpy.types.Image) -> tuple[bool, int]:
    """Where the portrait is shown best comes first: where it is, or nothing else is; then the largest."""
    return area.spaces.active.image not in (image, None), -area.width * area.height


def _new_window() -> bpy.types.Area:
    bpy.ops.wm.window_new()
    area = bpy.context.window_manager.windows[-1].screen.areas[0]
    area.type = "IMAGE_EDITOR"
    return area


# ------------------------------------------------------------------------------------------------ panel


def draw(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Face and crop, in the panel's source section and beside the portrait."""
    settings = settings_of(context)
    row = layout.row(align=True)
    row.operator("edtalk.find_face", icon="VIEWZOOM")
    row.operator("edtalk.show_portrait", icon="IMAGE_BACKGROUND")
    seen = sighting.sighting_of(settings)
    if seen is not None and len(seen.faces) > 1:
        row = layout.row(align=True)
        row.label(text="Face")
        for number in range(1, min(len(seen.faces), 12) + 1):
            chosen = settings.face == number
            row.operator("edtalk.pick_face", text=str(number), depress=chosen).number = number
        if not settings.face and not settings.use_crop:
            layout.label(text="Choose one, counted from the left", icon="ERROR")
    elif settings.face:
        layout.prop(settings, "face")
    layout.prop(settings, "use_crop")
    if settings.use_crop:
        layout.prop(settings, "crop")


class EDTALK_PT_crop(bpy.types.Panel):
    """Beside the portrait in the Image Editor"""

    bl_idname = "EDTALK_PT_crop"
    bl_label = "EDTalk Crop"
    bl_space_type = "IMAGE_EDITOR"
    bl_region_type = "UI"
    bl_category = "EDTalk"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Beside the portrait, and nowhere else."""
        return shows_portrait(context.space_data, settings_of(context))

    def draw(self, context: bpy.types.Context) -> None:
        """Drawn by Blender."""
        self.layout.use_property_split = True
        self.layout.use_property_decorate = False
        face = rig.active_face(context)
        self.layout.label(text=face.name if face is not None else "New face", icon="ARMATURE_DATA")
        draw(self.layout, context)


CLASSES = (
    EDTALK_GT_crop,
    EDTALK_GGT_crop,
    EDTALK_OT_find_face,
    EDTALK_OT_pick_face,
    EDTALK_OT_show_portrait,
    EDTALK_PT_crop,
)
