# SPDX-License-Identifier: GPL-3.0-or-later
"""A new user: what the first-run box says at each step, and that every grey button gives its reason."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.blender]


@pytest.fixture
def python(server_python):
    """The preferences, with a Python that runs the server."""
    import bpy

    chosen = bpy.context.preferences.addons["bl_ext.user_default.edtalk"].preferences
    if chosen.python != server_python:
        chosen.python = server_python
    return chosen


def settled(part):
    """The steps once it is known which Python there is."""
    import bpy

    steps = part("ui.first_steps")
    end = time.monotonic() + 60
    while not part("server_process.python_search").answer().known:
        assert time.monotonic() < end
        part("server_process.python_search").tick()  # a timer does it where there is a window
        time.sleep(0.01)
    return steps.steps(bpy.context)


def test_the_steps_follow_what_is_there(edtalk, part, python, portrait: Path, voice: Path) -> None:
    import bpy

    steps, settings = part("ui.first_steps"), bpy.context.scene.edtalk
    assert steps.wanted(bpy.context)
    found = settled(part)
    assert [step.name for step in found] == ["server", "portrait", "voice", "generate"]
    assert found[0].done and python.python in found[0].state
    assert steps.current(found).name == "portrait"
    settings.portrait = str(portrait)
    assert steps.current(settled(part)).name == "voice"
    settings.audio = str(voice)
    found = settled(part)
    assert steps.current(found).name == "generate" and "press it" in found[-1].state
    portrait.unlink()
    assert "There is no file" in settled(part)[1].state


def test_a_scene_with_a_face_needs_no_first_steps(edtalk, part) -> None:
    import bpy

    part("face.rig").make_rig(bpy.context.scene, "Anna")
    assert not part("ui.first_steps").wanted(bpy.context)


def test_without_a_python_the_first_step_says_what_to_press(edtalk, part, python, tmp_path: Path) -> None:
    python.python = str(tmp_path / "nowhere")
    found = settled(part)
    press = part("server_process.setup").why_not_set_up() or "Set Up Server makes one"
    assert not found[0].done and found[0].state.startswith(f"None yet. {press}")


@pytest.mark.parametrize("with_face", [False, True], ids=["empty scene", "face without a take"])
def test_every_grey_button_says_why(edtalk, part, with_face: bool) -> None:
    """A message is what Blender shows when the mouse rests on the button."""
    import bpy

    if with_face:
        bpy.context.view_layer.objects.active = part("face.rig").make_rig(bpy.context.scene, "Anna")
    silent = []
    for cls in edtalk._classes():
        if not issubclass(cls, bpy.types.Operator):
            continue
        name = cls.bl_idname.removeprefix("edtalk.")
        operator = getattr(bpy.ops.edtalk, name)
        if operator.poll():
            continue
        try:
            operator()
        except RuntimeError as error:
            if "context is incorrect" in str(error):
                silent.append(name)
    assert not silent
