# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures and sounds that are dropped become portrait and audio, together or one by one."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.blender


def drop(folder: Path, *names: str) -> set[str]:
    """What Blender calls when files are dropped and this handler is chosen."""
    import bpy

    return bpy.ops.edtalk.drop(
        "EXEC_DEFAULT", True, directory=f"{folder}/", files=[{"name": name} for name in names]
    )


def test_a_portrait_and_a_sound_dropped_together_are_both_set(edtalk, tmp_path: Path) -> None:
    import bpy

    assert drop(tmp_path, "line.WAV", "anna.png") == {"FINISHED"}
    settings = bpy.context.scene.edtalk
    assert (settings.portrait, settings.audio) == (str(tmp_path / "anna.png"), str(tmp_path / "line.WAV"))


def test_one_file_leaves_the_other_setting_alone(edtalk, tmp_path: Path) -> None:
    import bpy

    settings = bpy.context.scene.edtalk
    settings.portrait = "before.png"
    assert drop(tmp_path, "line.mp3") == {"FINISHED"}
    assert settings.portrait == "before.png" and settings.audio == str(tmp_path / "line.mp3")


def test_the_active_face_takes_them(part, tmp_path: Path) -> None:
    import bpy

    faces = [part("face.rig").make_rig(bpy.context.scene, name) for name in ("Anna", "Ben")]
    bpy.context.view_layer.objects.active = faces[1]
    assert drop(tmp_path, "ben.jpg") == {"FINISHED"}
    assert faces[1].edtalk.portrait == str(tmp_path / "ben.jpg")
    assert not faces[0].edtalk.portrait and not bpy.context.scene.edtalk.portrait


def test_beside_a_saved_file_paths_are_relative(edtalk, tmp_path: Path) -> None:
    import bpy

    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    (tmp_path / "in").mkdir()
    drop(tmp_path / "in", "anna.png")
    assert bpy.context.scene.edtalk.portrait.replace("\\", "/") == "//in/anna.png"


def test_of_two_pictures_the_first_is_used_and_the_second_is_named(part, tmp_path: Path) -> None:
    import bpy

    settings = bpy.context.scene.edtalk
    paths = [tmp_path / name for name in ("a.png", "b.png", "c.txt")]
    assert part("ui.drop").take_in(settings, paths) == (["Portrait: a.png"], ["b.png", "c.txt"])


def test_files_of_another_kind_are_refused_in_words(edtalk, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no picture and no sound"):
        drop(tmp_path, "model.obj")


def test_a_drop_can_be_undone(edtalk, tmp_path: Path) -> None:
    import bpy

    bpy.ops.ed.undo_push(message="before")
    drop(tmp_path, "anna.png")
    bpy.ops.ed.undo()
    assert not bpy.context.scene.edtalk.portrait


@pytest.mark.parametrize(
    ("editor", "wanted"), [("VIEW_3D", True), ("SEQUENCE_EDITOR", True), ("NODE_EDITOR", False)]
)
def test_the_handler_is_offered_where_the_tab_is(part, editor: str, wanted: bool) -> None:
    handler = part("ui.drop").EDTALK_FH_drop
    assert handler.poll_drop(SimpleNamespace(area=SimpleNamespace(type=editor))) is wanted


def test_the_handler_is_known_to_blender_and_names_what_it_takes(part) -> None:
    import bpy

    known = bpy.types.FileHandler.bl_rna_get_subclass_py("EDTALK_FH_drop")
    assert known is not None and hasattr(bpy.types, "EDTALK_OT_drop")
    assert {".png", ".jpg", ".wav", ".mp3"} <= set(known.bl_file_extensions.split(";"))
