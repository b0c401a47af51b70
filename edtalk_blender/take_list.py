# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of a face's takes: wear another one, flip between two, see one beside the other, mute, rename,
delete.

Whatever shows the face's pictures follows the take it wears: planes, compositor nodes, camera backgrounds,
reference empties, and the strips of the sequencer, where the takes that are not worn are muted. Hand keys of
Edit on Top stay where they are.
"""

from __future__ import annotations

import re
from contextlib import suppress

import bpy
from mathutils import Matrix

from . import image_sequence, jobs, landing, rig, status, take_rows, takes, workspace, worn
from .reasons import busy

COMPARED = "EDTalk Compared Take"
"""Name of the texture node of a plane that shows a take beside the one that is worn."""
FAR = 1_000_000
"""A scene frame that no scene reaches: pictures that begin there show what lies before the first."""
WIDE = 360
"""From this width of the sidebar on, a row has room for the model's name; else it stands below the list."""
FILES = re.compile(
    rf"{re.escape(takes.STEM.rstrip('.'))}[\w.-]*\.(png|exr)|(motion|decode|rendered)\.npz"
    rf"|{re.escape(take_rows.SIDECAR)}"
)
"""What EDTalk itself writes into the folder of a take."""


# ---------------------------------------------------------------------------------------------- wearing


def switch(face: bpy.types.Object, row: take_rows.EDTALK_TakeRow) -> None:
    """Let the face wear the take of a row: curves, panel, pictures."""
    take = face.edtalk.take
    if row.key == take.name:
        return
    name, before = take.name, take.image
    take_rows.stow(face)
    worn.wake(face)
    if row.action is not None:
        # A rig that was copied: the two are to be edited apart. Linked curves cannot be edited at all.
        if _wears_it(row.action, face) or row.action.library is not None:
            row.action = row.action.copy()
        worn.wear(face, row.action)
    take_rows.copy_take(row.take, take)
    take.name = row.key
    take_rows.recall(face, row)
    face.edtalk_takes.other = name
    face.edtalk_takes.index = list(take_rows.rows_of(face)).index(row)
    if row.muted:
        worn.rest(face)
    show(face, before, name)
    status.forget()


def _wears_it(action: bpy.types.Action, but: bpy.types.Object) -> bool:
    return any(ob != but and rig.is_face(ob) and worn.take_of(ob) == action for ob in bpy.data.objects)


def mute(face: bpy.types.Object, row: take_rows.EDTALK_TakeRow, muted: bool) -> None:
    """Show the portrait at rest instead of a take, or the take again."""
    row.muted = muted
    if row.key != face.edtalk.take.name:
        return
    if muted:
        worn.rest(face)
    else:
        worn.wake(face)
    show(face, face.edtalk.take.image, row.key)
    status.forget()


def show(face: bpy.types.Object, before: bpy.types.Image | None, name: str) -> None:
    """Let everything that showed the take `name`, with the image `before`, show the one that is worn."""
    take, muted = face.edtalk.take, take_rows.is_muted(face)
    if not take.shown or take.image is None:  # it has no pictures yet; Render Changed shows them
        take.before = before
        for scene in _cut_scenes():
            image_sequence.mute_strips(scene, name)
        return
    timing = image_sequence.timing_of(face)
    if muted:
        timing = FAR, 1, timing[2]
    aspect = image_sequence.aspect_of(face)
    for plane in _planes(face, before):
        image_sequence.show_on_plane(plane, image_sequence.shown_image(face), aspect, *timing)
        plane.scale = (aspect, 1.0, 1.0)
    image_sequence.follow(before, take.image)
    image_sequence.set_timing_everywhere(take.image, *timing)
    workspace.show_take(face, before, timing)
    for scene in _cut_scenes():
        _show_in_sequencer(face, scene, name, muted)


def _planes(face: bpy.types.Object, before: bpy.types.Image | None) -> list[bpy.types.Object]:
    """The face's picture planes: its children, and whatever else shows its pictures and is no other's."""
    shown = {before, face.edtalk.take.image} - {None}
    found, images = [], {one for image in shown for one, _ in take_rows.images_of(image)}
    for ob in bpy.data.objects:
        node = image_sequence.texture_of(ob)
        if node is None or (ob.parent != face and rig.is_face(ob.parent)):
            continue
        if ob.parent == face or node.image in images:
            found.append(ob)
    return found


def _cut_scenes() -> list[bpy.types.Scene]:
    return [scene for scene in bpy.data.scenes if scene.sequence_editor is not None and scene.library is None]


def _show_in_sequencer(face: bpy.types.Object, scene: bpy.types.Scene, name: str, muted: bool) -> None:
    take = face.edtalk.take
    old = image_sequence.find_strips(scene, name) if name != take.name else []
    new = image_sequence.find_strips(scene, take.name)
    if not new and any(not strip.mute for strip in old) and not muted:
        new = landing.add_strips(face, scene)
    for strip in old:
        strip.mute = True
    for strip in new:
        strip.mute = muted


# --------------------------------------------------------------------------------------------- comparing


def compared(face: bpy.types.Object) -> bpy.types.Object | None:
    """The plane that shows another take beside the one that is worn."""
    plane = face.edtalk_takes.beside
    return plane if plane is not None and plane.users_scene else None  # else it was deleted by hand


def compare(face: bpy.types.Object, row: take_rows.EDTALK_TakeRow, scene: bpy.types.Scene) -> bool:
    """Show a take on a plane beside the face, or take that plane away when it shows this take already.
    Gives back whether there is one now.
    """
    plane = compared(face)
    if plane is not None and plane.get(COMPARED) == row.key:
        remove_plane(plane)
        return False
    if plane is None:
        plane = image_sequence.make_plane(face, scene)
        plane.hide_render = True  # a tool, not a part of the picture
        plane.parent = None  # Blender would draw a line to its parent across the picture
        face.edtalk_takes.beside = plane
        plane.data.transform(
            Matrix.Translation((0, 0, 1.1))
        )  # its name, which is drawn here, stands below it
        image_sequence.texture_of(plane).name = COMPARED
    take = take_rows.take_in(face, row)
    plane[COMPARED] = plane.name = row.key
    plane.show_name = True
    node = _compared_node(plane)
    _drop_image(node.image)
    # A copy: in one viewport an image shows one frame at a time, and the face may wear this take as well.
    node.image = take.image.copy()
    node.image.use_fake_user = False
    image_sequence.set_timing(
        node.image_user, take.first, take.last - take.first + 1, take.first + take.shift
    )
    kept = take_rows.settings_in(row).get("composite", face.edtalk.composite)
    aspect = take.width / take.height if kept == "paste" and take.height else 1.0
    beside = Matrix.Translation((image_sequence.aspect_of(face) + aspect + 0.1, 0.02, -1.0))
    plane.matrix_world = face.matrix_world @ beside @ Matrix.Diagonal((aspect, 1.0, 1.0, 1.0))
    return True


def _compared_node(plane: bpy.types.Object) -> bpy.types.Node | None:
    trees = [slot.material.node_tree for slot in plane.material_slots if slot.material is not None]
    return next((tree.nodes[COMPARED] for tree in trees if tree is not None and COMPARED in tree.nodes), None)


def _drop_image(image: bpy.types.Image | None) -> None:
    if image is not None and image.users <= 1 and not image.use_fake_user:
        bpy.data.images.remove(image)


def remove_plane(plane: bpy.types.Object) -> None:
    """Take a plane away with all that was made for it."""
    node = _compared_node(plane)
    if node is not None:
        _drop_image(node.image)
    mesh, materials = plane.data, [slot.material for slot in plane.material_slots]
    bpy.data.objects.remove(plane)
    if mesh.users == 0:
        bpy.data.meshes.remove(mesh)
    for material in materials:
        if material is not None and material.users == 0:
            bpy.data.materials.remove(material)


# ---------------------------------------------------------------------------------------------- deleting


def delete(face: bpy.types.Object, row: take_rows.EDTALK_TakeRow, files: bool) -> str:
    """Remove a take from the file: its row, curves, image and strips; its files only when asked. Gives back
    what is left behind, in words.
    """
    rows, name = take_rows.rows_of(face), row.key
    if name == face.edtalk.take.name:
        other = take_rows.row_named(face, face.edtalk_takes.other)
        if other is None or other == row:
            other = next((one for one in reversed(rows) if one.key != name), None)
        if other is not None:
            switch(face, other)
            row = take_rows.row_named(face, name)
        else:
            _undress(face)
    image, action = row.take.image, row.action
    folder = image_sequence.folder_of(image) if image is not None else None
    plane = compared(face)
    if plane is not None and plane.get(COMPARED) == name:
        remove_plane(plane)
    for scene in _cut_scenes():
        for strip in image_sequence.find_strips(scene, name):
            image_sequence.strips_of(scene).remove(strip)
    rows.remove(next(index for index, one in enumerate(rows) if one.key == name))
    face.edtalk_takes.index = max(0, min(face.edtalk_takes.index, len(rows) - 1))
    if face.edtalk_takes.other == name:
        face.edtalk_takes.other = ""
    if face.edtalk.take.before == image:
        face.edtalk.take.before = None
    if action is not None and action.library is None and not _is_needed("action", action):
        bpy.data.actions.remove(action)
    if image is not None and image.library is not None:
        return "Its files stay: they belong to the file it is linked from" if files else ""
    if image is not None and not _is_needed("image", image):
        for one, _ in take_rows.images_of(image):
            bpy.data.images.remove(one)
    elif files and image is not None:
        return f"Its files stay: another face shows them in {folder}"
    status.forget()
    if files and folder is not None:
        return _delete_files(folder)
    return ""


def _undress(face: bpy.types.Object) -> None:
    """Take off the last take: the face is at rest, and nothing shows its pictures."""
    take = face.edtalk.take
    take_rows.stow(face)
    worn.wake(face)
    plane = image_sequence.plane_of(face)
    if plane is not None:
        remove_plane(plane)
    strip, data = worn.base_strip(face), face.animation_data
    if strip is not None:
        track = next(track for track in data.nla_tracks if strip in track.strips.values())
        data.nla_tracks.remove(track)
    elif data is not None and data.action_blend_type == "REPLACE":
        data.action = None
    for name, value in zip(take_rows.CHANNELS, worn.rest_of(face)):
        face.pose.bones[rig.bank_of(name)][name] = float(value)
    face.update_tag()
    for name in ("name", "model", "portrait"):
        setattr(take, name, "")
    take.image = take.before = None
    take.shown = False


def _is_needed(kind: str, block: bpy.types.ID) -> bool:
    """Does a face still list or wear this action or image?"""
    for face in (ob for ob in bpy.data.objects if rig.is_face(ob)):
        if kind == "action" and worn.take_of(face) == block:
            return True
        if kind == "image" and face.edtalk.take.image == block:
            return True
        for row in take_rows.rows_of(face):
            if (row.action if kind == "action" else row.take.image) == block:
                return True
    return False


def _delete_files(folder) -> str:
    """Delete what EDTalk wrote into a take's folder, and the folder if nothing else is in it."""
    kept = 0
    try:
        for path in list(folder.iterdir()):
            if path.is_file() and FILES.fullmatch(path.name):
                path.unlink()
            else:
                kept += 1
    except OSError as error:
        return f"Not all files could be deleted from {folder}: {error.strerror or error}"
    with suppress(OSError):
        folder.rmdir()
    return f"{kept} other files stay in {folder}" if kept else ""


# --------------------------------------------------------------------------------------------- operators


def why_not(context: bpy.types.Context) -> str:
    """Why nothing can be done with takes now, "" when it can."""
    face = rig.active_face(context)
    if face is None:
        return "Select a face rig first, or generate a take"
    if face.library is not None:
        return "This face is linked: make a library override of it first"
    return busy()


class RowOperator:
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
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with a face of this file, while nothing runs."""
        reason = why_not(context)
        if not reason and not len(take_rows.rows_of(rig.active_face(context))):
            reason = "This face has no takes yet: generate one first"
        if reason:
            cls.poll_message_set(reason)
        return not reason

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
        switch(face, row)
        if row.action is None:
            self.report({"WARNING"}, f"The curves of {row.key} are gone; its pictures are shown")
        return {"FINISHED"}


class EDTALK_OT_flip_take(RowOperator, bpy.types.Operator):
    """Go back and forth between this take and the one that was worn before: in the viewport, in the
    compositor and in the Sequencer"""

    bl_idname = "edtalk.flip_take"
    bl_label = "Flip A/B"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with two takes."""
        if not super().poll(context):
            return False
        if len(take_rows.rows_of(rig.active_face(context))) < 2:
            cls.poll_message_set("There is only one take: generate another one to compare it with")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """To the other one; for the first time, to the selected one or the one before."""
        face = rig.active_face(context)
        row = take_rows.row_named(face, face.edtalk_takes.other)
        if row is None or row.key == face.edtalk.take.name:
            rows = [one for one in take_rows.rows_of(face) if one.key != face.edtalk.take.name]
            chosen = take_rows.rows_of(face)[face.edtalk_takes.index]
            row = chosen if chosen.key != face.edtalk.take.name else rows[-1]
        switch(face, row)
        self.report({"INFO"}, f"{face.edtalk.take.name} is shown; press again for {face.edtalk_takes.other}")
        return {"FINISHED"}


class EDTALK_OT_compare_take(RowOperator, bpy.types.Operator):
    """Show the selected take on a plane beside the face, in the viewport only; press again to take it away"""

    bl_idname = "edtalk.compare_take"
    bl_label = "Show Beside"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """The plane comes or goes."""
        face, row = self.row(context)
        if row is None:
            return {"CANCELLED"}
        take = take_rows.take_in(face, row)
        if take.image is None or not take.shown:
            self.report({"ERROR"}, f"{row.key} has no pictures yet: wear it and press Render Changed")
            return {"CANCELLED"}
        compare(face, row, context.scene)
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
        mute(face, row, not row.muted)
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
        said = delete(face, row, self.files)
        if said:
            self.report({"WARNING"}, said)
        return {"FINISHED"}


class EDTALK_OT_list_takes(bpy.types.Operator):
    """Look through this file for takes of this face that were made before there was a list"""

    bl_idname = "edtalk.list_takes"
    bl_label = "Find Older Takes"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with a face of this file."""
        reason = why_not(context)
        if reason:
            cls.poll_message_set(reason)
        return not reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        """List what is found."""
        found = take_rows.collect(rig.active_face(context))
        self.report({"INFO"}, f"{found} takes were found" if found else "All takes are listed already")
        return {"FINISHED"}


# ----------------------------------------------------------------------------------------------- drawing


class EDTALK_UL_takes(bpy.types.UIList):
    """A take: worn or not, name, model, frames, whether its pictures are up to date, muted or not"""

    bl_idname = "EDTALK_UL_takes"

    def draw_item(
        self, context, layout, data, item, _icon, _active_data, _active_property, _index=0, _flag=0
    ) -> None:
        """One row."""
        face = data.id_data
        take, is_worn = take_rows.take_in(face, item), item.key == face.edtalk.take.name
        row = layout.row(align=True)
        button = row.row(align=True)
        button.operator(
            "edtalk.switch_take", text="", icon="RADIOBUT_ON" if is_worn else "RADIOBUT_OFF", emboss=False
        ).take = item.key
        name = row.row(align=True)
        name.active = not item.muted
        name.prop(item, "name", text="", emboss=False)
        about = row.row(align=True)
        about.alignment = "RIGHT"
        about.active = not item.muted
        if context.region.width / context.preferences.system.ui_scale > WIDE:
            about.label(text=model_of(take))
        about.label(text=str(take.last - take.first + 1))
        stale = status.stale_frames(face) if is_worn else (None if item.stale < 0 else item.stale)
        row.label(text="", icon=lamp_icon(stale))
        row.operator(
            "edtalk.mute_take", text="", icon="HIDE_ON" if item.muted else "HIDE_OFF", emboss=False
        ).take = item.key


def model_of(take: bpy.types.PropertyGroup) -> str:
    """The name of a take's checkpoint, without the digest at its end."""
    return re.sub(r"-[0-9a-f]{12}$", "", take.model)


def lamp_icon(stale: int | None) -> str:
    """Grey: not known; green: the pictures match the curves; yellow: they do not."""
    if stale is None:
        return "DOT"
    return "COLLECTION_COLOR_03" if stale else "COLLECTION_COLOR_04"


def draw(layout: bpy.types.UILayout, face: bpy.types.Object) -> bpy.types.UILayout | None:
    """The list and its buttons, for the panel; gives back where more can be drawn, None while closed."""
    known = face.edtalk_takes
    header, body = layout.panel("EDTALK_takes")
    header.label(text=f"Takes ({len(known.rows)})" if len(known.rows) else "Takes")
    if body is None:
        return None
    row = body.row()
    row.template_list(
        "EDTALK_UL_takes", "", known, "rows", known, "index", rows=3 if len(known.rows) > 1 else 2
    )
    column = row.column(align=True)
    column.operator("edtalk.delete_take", text="", icon="TRASH")
    column.operator("edtalk.list_takes", text="", icon="VIEWZOOM")
    if 0 <= known.index < len(known.rows):
        take = take_rows.take_in(face, known.rows[known.index])
        body.label(text=" · ".join(filter(None, [model_of(take), f"frames {take.first} to {take.last}"])))
    row = body.row(align=True)
    row.operator("edtalk.flip_take", icon="UV_SYNC_SELECT")
    row.operator("edtalk.compare_take", icon="IMAGE_REFERENCE", depress=compared(face) is not None)
    if not len(known.rows) and face.edtalk.take.name and not _is_waiting:
        _list_soon()
    return body


_is_waiting = False


def _list_soon() -> None:
    """A face was appended from an older file: list its takes as soon as data may be changed."""
    global _is_waiting
    _is_waiting = True
    bpy.app.timers.register(_list_now, first_interval=0.0)


def _list_now() -> None:
    global _is_waiting
    _is_waiting = False
    if collect_all():
        jobs.push_undo("EDTalk: List Takes")
        jobs.redraw()


def collect_all() -> int:
    """List the older takes of all faces of this file that wear a take which is not listed."""
    faces = [ob for ob in bpy.data.objects if rig.is_face(ob) and ob.library is None]
    unlisted = [ob for ob in faces if ob.edtalk.take.name and take_rows.worn_row(ob) is None]
    return sum(take_rows.collect(face) for face in unlisted)


@bpy.app.handlers.persistent
def _loaded(_path: str) -> None:
    collect_all()
    for face in (ob for ob in bpy.data.objects if rig.is_face(ob) and ob.library is None):
        for row in take_rows.rows_of(face):
            if row.take.image is not None and not image_sequence.folder_of(row.take.image).is_dir():
                row.stale = -1  # its pictures are not where they were


def register() -> None:
    """Rows on objects, and a look at every file that is opened."""
    take_rows.register()
    bpy.app.handlers.load_post.append(_loaded)


def unregister() -> None:
    """The reverse of `register`."""
    bpy.app.handlers.load_post.remove(_loaded)
    if bpy.app.timers.is_registered(_list_now):
        bpy.app.timers.unregister(_list_now)
    take_rows.unregister()


CLASSES = (
    *take_rows.CLASSES,
    EDTALK_UL_takes,
    EDTALK_OT_switch_take,
    EDTALK_OT_flip_take,
    EDTALK_OT_compare_take,
    EDTALK_OT_mute_take,
    EDTALK_OT_delete_take,
    EDTALK_OT_list_takes,
)
