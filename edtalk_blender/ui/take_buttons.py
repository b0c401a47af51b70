# SPDX-License-Identifier: GPL-3.0-or-later
"""The buttons of the list of takes: wear one, flip between two, show one beside the other, mute, delete, and
find those of older files.
"""

from __future__ import annotations

import bpy

from ...core.wire.errors import EDTalkError
from ..face import rig, take_action
from ..pictures import image_sequence
from ..server_process.jobs import busy
from ..settings import timing
from ..settings.explained import ExplainedOperator
from ..takes import migrate, take_rows
from ..takes.several import blend, compare, delete, switch


def why_not(context: bpy.types.Context) -> str:
    """Why nothing can be done with takes now, "" when it can."""
    return rig.why_not_ours(rig.active_face(context)) or busy()


class RowOperator(ExplainedOperator):
    """What the buttons of the list share. `take` names a take; empty, it is the one that is selected in the
    list.
    """

    bl_options = {"REGISTER", "UNDO"}

    take: bpy.props.StringProperty(
        name="Take",
        description="Name of the take; empty: the one selected in the list",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Only with a face of this file, while nothing runs."""
        reason = why_not(context)
        if not reason and not len(take_rows.rows_of(rig.active_face(context))):
            reason = "This face has no takes yet: generate one first"
        return reason

    def row(self, context: bpy.types.Context):
        """The face and the row that is meant; the row is None when there is none of that name."""
        face = rig.active_face(context)
        rows = take_rows.rows_of(face)
        index = face.edtalk_takes.index
        if self.take:
            row = take_rows.row_named(face, self.take)
        else:
            row = rows[index] if 0 <= index < len(rows) else None
        if row is None:
            self.report({"ERROR"}, f"There is no take {self.take or 'selected'}")
        return face, row


class EDTALK_OT_switch_take(RowOperator, bpy.types.Operator):
    """Let the face wear this take: its curves, settings and pictures, everywhere they are shown"""

    bl_idname = "edtalk.switch_take"
    bl_label = "Wear Take"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Change over."""
        face, row = self.row(context)
        if row is None:
            return {"CANCELLED"}
        switch.switch(face, row)
        if row.action is None:
            self.report({"WARNING"}, f"The curves of {row.key} are gone; its pictures are shown")
        return {"FINISHED"}


class EDTALK_OT_flip_take(RowOperator, bpy.types.Operator):
    """Go back and forth between this take and the one that was worn before: in the viewport, in the
    compositor and in the Sequencer"""

    bl_idname = "edtalk.flip_take"
    bl_label = "Flip A/B"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Only with two takes."""
        reason = super().why_not(context)
        if not reason and len(take_rows.rows_of(rig.active_face(context))) < 2:
            reason = "There is only one take: generate another one to compare it with"
        return reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        """To the other one; for the first time, to the selected one or the one before."""
        face = rig.active_face(context)
        row = take_rows.row_named(face, face.edtalk_takes.other)
        if row is None or row.key == face.edtalk.take.name:
            rows = [one for one in take_rows.rows_of(face) if one.key != face.edtalk.take.name]
            chosen = take_rows.rows_of(face)[face.edtalk_takes.index]
            row = chosen if chosen.key != face.edtalk.take.name else rows[-1]
        switch.switch(face, row)
        self.report({"INFO"}, f"{face.edtalk.take.name} is shown; press again for {face.edtalk_takes.other}")
        return {"FINISHED"}


def _another(face: bpy.types.Object) -> take_rows.EDTALK_TakeRow | None:
    """The take that was worn before this one, else the last of the others; None when there is no other."""
    others = [row for row in take_rows.rows_of(face) if row.key != face.edtalk.take.name]
    before = next((row for row in others if row.key == face.edtalk_takes.other), None)
    return before or (others[-1] if others else None)


class EDTALK_OT_compare_take(RowOperator, bpy.types.Operator):
    """Show the selected take on a plane beside the face, in the viewport only; press again to take it away.
    Where the selected one is worn, the one worn before is shown"""

    bl_idname = "edtalk.compare_take"
    bl_label = "Show Beside"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """The plane comes or goes."""
        face, row = self.row(context)
        if row is not None and not self.take and row.key == face.edtalk.take.name:
            row = _another(face)
            if row is None:
                self.report({"WARNING"}, "There is no other take to show beside this one")
        if row is None:
            return {"CANCELLED"}
        take = take_rows.take_in(face, row)
        if take.image is None or not take.shown:
            self.report({"ERROR"}, f"{row.key} has no pictures yet: wear it and press Render Changed")
            return {"CANCELLED"}
        compare.compare(face, row, context.scene)
        return {"FINISHED"}


class EDTALK_OT_blend_takes(RowOperator, bpy.types.Operator):
    """Make a new take between the one that is worn and another one, or one that goes over into it at the
    current frame. Both stay; Render Changed makes the pictures"""

    bl_idname = "edtalk.blend_takes"
    bl_label = "Blend Takes"

    share: bpy.props.FloatProperty(
        name="Share",
        description="How much of the other take",
        default=0.5,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    over: bpy.props.BoolProperty(
        name="From This Frame On",
        description="The take that is worn until the current frame, the other one after it",
        options={"SKIP_SAVE"},
    )
    fade: bpy.props.FloatProperty(
        name="Fade",
        description="Seconds in which the one goes over into the other",
        default=0.4,
        min=0.0,
        soft_max=2.0,
        unit="TIME_ABSOLUTE",
    )

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Only with two takes, of which the one that is worn has curves."""
        reason, face = super().why_not(context), rig.active_face(context)
        if not reason and len(take_rows.rows_of(face)) < 2:
            reason = "There is only one take: generate another one to blend it with"
        if not reason and take_action.is_at_rest(face):
            reason = "The take is muted: open its eye in the list of takes first"
        return reason

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask how."""
        return context.window_manager.invoke_props_dialog(self, confirm_text="Blend")

    def draw(self, context: bpy.types.Context) -> None:
        """Which two, and how."""
        face, layout = rig.active_face(context), self.layout
        layout.use_property_split = True
        row = self._other(face)
        layout.label(text=f"{face.edtalk.take.name} and {row.key if row is not None else '?'}")
        layout.prop(self, "over")
        if self.over:
            layout.prop(self, "fade")
        else:
            layout.prop(self, "share", slider=True)

    def _other(self, face: bpy.types.Object) -> take_rows.EDTALK_TakeRow | None:
        rows, index = take_rows.rows_of(face), face.edtalk_takes.index
        named = take_rows.row_named(face, self.take) if self.take else None
        chosen = named or (rows[index] if 0 <= index < len(rows) else None)
        return chosen if chosen is not None and chosen.key != face.edtalk.take.name else _another(face)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Worn from now on."""
        face, scene = rig.active_face(context), context.scene
        row, worn = self._other(face), take_action.take_of(face)
        if row is None or row.action is None or worn is None or not len(blend.keys_of(face, worn)):
            self.report({"ERROR"}, "One of the two takes has no curves")
            return {"CANCELLED"}
        at = scene.frame_current_final if self.over else None
        share = 1.0 if self.over else self.share
        try:
            name = blend.blend(context, face, row, share, at, self.fade * timing.rate_in(scene))
        except EDTalkError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"{name} is worn; press Render Changed for its pictures")
        return {"FINISHED"}


class EDTALK_OT_mute_take(RowOperator, bpy.types.Operator):
    """Show the portrait at rest instead of this take, and its strips not at all; nothing is lost"""

    bl_idname = "edtalk.mute_take"
    bl_label = "Mute Take"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Muted or not."""
        face, row = self.row(context)
        if row is None:
            return {"CANCELLED"}
        switch.mute(face, row, not row.muted)
        return {"FINISHED"}


class EDTALK_OT_delete_take(RowOperator, bpy.types.Operator):
    """Remove the selected take from this file: curves, pictures and strips. Its files stay on disk unless
    you say otherwise"""

    bl_idname = "edtalk.delete_take"
    bl_label = "Delete Take"

    files: bpy.props.BoolProperty(
        name="Delete the Files Too",
        description="Delete the take's pictures and motion from the disk; this cannot be undone",
        options={"SKIP_SAVE"},
    )

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask first."""
        _, row = self.row(context)
        if row is None:
            return {"CANCELLED"}
        self.take = row.key
        return context.window_manager.invoke_props_dialog(self, width=360, confirm_text="Delete")

    def draw(self, context: bpy.types.Context) -> None:
        """What will go, what stays, and the tick."""
        face = rig.active_face(context)
        row = take_rows.row_named(face, self.take)
        if row is None:
            return
        layout = self.layout
        layout.label(text=f"Delete the take {row.key} from this file?", icon="TRASH")
        layout.prop(self, "files")
        take = take_rows.take_in(face, row)
        if self.files and take.image is not None:
            column = layout.column(align=True)
            column.alert = True
            column.label(text="This cannot be undone. From:", icon="ERROR")
            column.label(text=str(image_sequence.folder_of(take.image)), icon="BLANK1")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remove it."""
        face, row = self.row(context)
        if row is None:
            return {"CANCELLED"}
        said = delete.delete(face, row, self.files)
        if said:
            self.report({"WARNING"}, said)
        return {"FINISHED"}


class EDTALK_OT_list_takes(ExplainedOperator, bpy.types.Operator):
    """Look through this file for takes of this face that were made before there was a list"""

    bl_idname = "edtalk.list_takes"
    bl_label = "Find Older Takes"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Only with a face of this file."""
        return why_not(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """List what is found."""
        found = migrate.collect(rig.active_face(context))
        self.report({"INFO"}, f"{found} takes were found" if found else "All takes are listed already")
        return {"FINISHED"}


CLASSES = (
    EDTALK_OT_switch_take,
    EDTALK_OT_flip_take,
    EDTALK_OT_compare_take,
    EDTALK_OT_blend_takes,
    EDTALK_OT_mute_take,
    EDTALK_OT_delete_take,
    EDTALK_OT_list_takes,
)
