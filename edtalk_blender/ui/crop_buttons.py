# SPDX-License-Identifier: GPL-3.0-or-later
"""The buttons around face and crop: find it, choose it, show it; and the panel beside the portrait."""

from __future__ import annotations

from collections.abc import Sequence

import bpy

from ..face import rig
from ..face.rig import settings_of
from ..pictures import image_sequence
from ..portrait import found_faces, mark_buttons
from ..portrait.crop_gizmo import is_ours, picture_of, shows_portrait
from ..server_process import jobs
from ..server_process.jobs import busy
from ..settings.explained import ExplainedOperator
from ..settings.paths import absolute, missing_file
from .job_operator import JobOperator

SIDEBAR = 240  # pixels that a sidebar and its tabs take, at a resolution scale of 1


def why_not_find(context: bpy.types.Context) -> str:
    """Why no face can be looked for, "" when it can."""
    if not is_ours(context):
        return rig.LINKED
    return busy() or missing_file(settings_of(context).portrait, "a portrait")


class EDTALK_OT_find_face(JobOperator, bpy.types.Operator):
    """Look for faces in the portrait, and frame the one that is found or chosen"""

    bl_idname = "edtalk.find_face"
    bl_label = "Find Face"
    bl_options = {"REGISTER"}

    why_not = staticmethod(why_not_find)

    def job(self, context: bpy.types.Context) -> jobs.Job:
        """The active face's portrait, or the scene's while there is no face."""
        owner = found_faces.owner_of(context)
        portrait = absolute(owner.edtalk.portrait)
        work = found_faces.find(owner.session_uid, owner.id_type == "OBJECT", portrait)
        return jobs.Job("Find Face", work)


class EDTALK_OT_pick_face(ExplainedOperator, bpy.types.Operator):
    """Choose which face of the portrait shall talk; they are counted from the left"""

    bl_idname = "edtalk.pick_face"
    bl_label = "Choose Face"
    bl_options = {"REGISTER", "UNDO"}

    number: bpy.props.IntProperty(name="Face", description="1 is the leftmost", min=1, default=1)

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Only where it can be kept."""
        return rig.LINKED if not is_ours(context) else ""

    def execute(self, context: bpy.types.Context) -> set[str]:
        """The choice, and the crop with it where that is set by hand."""
        found_faces.pick(settings_of(context), self.number)
        jobs.redraw(*jobs.PICTURES)
        return {"FINISHED"}


class EDTALK_OT_show_portrait(ExplainedOperator, bpy.types.Operator):
    """Show the portrait with its crop in an Image Editor, where the crop can be dragged; a window is opened
    when no Image Editor is in sight"""

    bl_idname = "edtalk.show_portrait"
    bl_label = "Show Crop"
    bl_options = {"REGISTER", "UNDO"}  # else undoing the first drag takes the portrait away

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Only with a portrait."""
        return missing_file(settings_of(context).portrait, "a portrait")

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
        area = min(areas, key=lambda area: _worth(area, image))
        space = area.spaces.active
        fresh, space.image, space.mode = space.image != image, image, "VIEW"
        scale = context.preferences.system.ui_scale
        space.show_region_ui = space.show_region_ui or _has_room(area, image.size, SIDEBAR * scale)
        if fresh and image.size[0]:  # asking for the size reads the file, which fitting it wants
            _fit(area)
        if found_faces.crop_of(settings) is None and found_faces.sighting_of(settings) is None:
            self.report({"INFO"}, "Press Find Face, or tick Crop by Hand and drag the corners")
        jobs.redraw(*jobs.PICTURES)
        return {"FINISHED"}


def editors_with_portrait(context: bpy.types.Context) -> list[bpy.types.Area]:
    """The Image Editors in sight that show the portrait in the place of something else."""
    settings = settings_of(context)
    areas = [area for window in context.window_manager.windows for area in window.screen.areas]
    return [
        area for area in areas if area.type == "IMAGE_EDITOR" and shows_portrait(area.spaces.active, settings)
    ]


class EDTALK_OT_show_take_again(ExplainedOperator, bpy.types.Operator):
    """Show the take again in the Image Editor that shows the portrait"""

    bl_idname = "edtalk.show_take_again"
    bl_label = "Back to Take"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Only with a take."""
        face = rig.active_face(context)
        return "Generate a take first" if face is None or face.edtalk.take.image is None else ""

    def execute(self, context: bpy.types.Context) -> set[str]:
        """In every editor that Show Crop was given."""
        face = rig.active_face(context)
        for area in editors_with_portrait(context):
            area.spaces.active.image = face.edtalk.take.image
            image_sequence.set_timing(area.spaces.active.image_user, *image_sequence.timing_of(face))
            _fit(area)
        return {"FINISHED"}


def _worth(area: bpy.types.Area, image: bpy.types.Image) -> tuple[bool, int]:
    """Where the portrait is shown best comes first: where it is, or nothing else is; then the largest."""
    return area.spaces.active.image not in (image, None), -area.width * area.height


def _has_room(area: bpy.types.Area, size: Sequence[int], sidebar: float) -> bool:
    """Does a sidebar of this width fit beside the portrait? It would lie over the handles on the right."""
    width, height = size
    shown = min(area.width, area.height * width / max(1, height))
    return (area.width - shown) / 2 > sidebar


def _fit(area: bpy.types.Area) -> None:
    """Let the whole portrait be seen."""
    window = next(
        window for window in bpy.context.window_manager.windows if area in window.screen.areas.values()
    )
    region = next(region for region in area.regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.image.view_all(fit_view=True)


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
    if settings.take.image is not None and editors_with_portrait(context):
        row.operator("edtalk.show_take_again", text="", icon="LOOP_BACK")
    seen = found_faces.sighting_of(settings)
    if seen is not None and len(seen.faces) > 1:
        row = layout.row(align=True)
        row.alert = not settings.face and not settings.use_crop  # the message says it in words
        row.label(text="Face")
        for number in range(1, min(len(seen.faces), 12) + 1):
            chosen = settings.face == number
            row.operator("edtalk.pick_face", text=str(number), depress=chosen).number = number
    elif settings.face:
        layout.prop(settings, "face")
    layout.prop(settings, "use_crop")
    if settings.use_crop:
        column = layout.column(align=True)
        for index, text in enumerate(("Crop Left", "Top", "Side")):
            column.prop(settings, "crop", index=index, text=text)
    mark_buttons.draw(layout, settings)


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
    EDTALK_OT_find_face,
    EDTALK_OT_pick_face,
    EDTALK_OT_show_portrait,
    EDTALK_OT_show_take_again,
    EDTALK_PT_crop,
)
