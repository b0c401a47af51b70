# SPDX-License-Identifier: GPL-3.0-or-later
"""The zip holds what it must and nothing else, and Blender installs, disables and enables it without
complaint.
"""

from __future__ import annotations

import ast
import importlib
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.blender

ROOT = Path(__file__).resolve().parents[2]
MODULE = "bl_ext.user_default.edtalk"


@pytest.fixture
def names(archive: Path) -> set[str]:
    with zipfile.ZipFile(archive) as file:
        return set(file.namelist())


def test_the_zip_holds_the_extension_and_its_server(names) -> None:
    assert {"__init__.py", "blender_manifest.toml", "LICENSE", "README.md"} <= names
    for module in (
        "edtalk_blender/server_process/jobs.py",
        "core/wire/messages.py",
        "core/engine/engine.py",
        "server/__main__.py",
    ):
        assert module in names


def test_the_zip_holds_nothing_else(names) -> None:
    rooms = {name.split("/")[0] for name in names}
    assert rooms == {
        "__init__.py",
        "blender_manifest.toml",
        "LICENSE",
        "README.md",
        "core",
        "edtalk_blender",
        "server",
    }
    assert not [name for name in names if "__pycache__" in name or "training" in name or "/heads/" in name]


def test_the_shipped_checkpoint_is_in_the_zip(names) -> None:
    checkpoints = (ROOT / "core/checkpoints").glob("*.safetensors")
    shipped = [path.relative_to(ROOT).as_posix() for path in checkpoints]
    assert shipped and set(shipped) <= names


def test_nothing_in_the_zip_imports_what_is_left_out(archive: Path) -> None:
    """What makes and measures models stays behind, as one package."""
    with zipfile.ZipFile(archive) as file:
        for name in file.namelist():
            if name.endswith(".py"):
                text = file.read(name).decode()
                assert "from training" not in text and "import training" not in text, name


def test_blender_has_no_policy_complaint(edtalk) -> None:
    import addon_utils

    assert MODULE not in addon_utils._extensions_warnings_get()


def test_it_can_be_switched_off_and_on_twice(edtalk) -> None:
    import bpy

    for _ in range(2):
        assert bpy.ops.preferences.addon_disable(module=MODULE) == {"FINISHED"}
        assert not hasattr(bpy.types.Scene, "edtalk")
        assert not any(
            "edtalk" in repr(handler).lower() for handler in bpy.app.handlers.depsgraph_update_post
        )
        assert bpy.ops.preferences.addon_enable(module=MODULE) == {"FINISHED"}
        assert hasattr(bpy.types.Scene, "edtalk") and hasattr(bpy.types, "EDTALK_PT_view3d")


def test_every_operator_has_a_label_and_a_tooltip(edtalk) -> None:
    import bpy

    names = [name for name in dir(bpy.types) if name.startswith("EDTALK_OT_")]
    assert len(names) >= 11
    for name in names:
        operator = getattr(bpy.ops.edtalk, name.removeprefix("EDTALK_OT_"))
        description = operator.get_rna_type().description
        assert description and not description.endswith(".")


def test_every_icon_exists_in_this_blender(edtalk) -> None:
    """A panel with an unknown icon is not drawn at all."""
    import bpy

    known = bpy.types.UILayout.bl_rna.functions["label"].parameters["icon"].enum_items.keys()
    panels = importlib.import_module(f"{edtalk.__name__}.ui.panel")
    used = {panels.GREEN, panels.YELLOW, panels.GREY, "BLANK1", "ERROR", "INFO"}
    for path in (ROOT / "edtalk_blender").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "icon" and isinstance(node.value, ast.Constant):
                used.add(node.value.value)
    assert used <= set(known), used - set(known)


def test_a_grey_button_says_why(part) -> None:
    import bpy

    reasons = part("takes.ready")
    assert reasons.why_not_generate(bpy.context) == "Pick a portrait first"
    bpy.context.scene.edtalk.portrait = "/nowhere/anna.png"
    assert "There is no file" in reasons.why_not_generate(bpy.context)
    bpy.context.scene.edtalk.portrait = __file__
    assert reasons.why_not_generate(bpy.context) == "Pick an audio file or a driving clip first"
    assert reasons.why_not_render(bpy.context) == "Select a face rig first, or generate a take"
    assert not bpy.ops.edtalk.generate_take.poll() and not bpy.ops.edtalk.cancel.poll()
