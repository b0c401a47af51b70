# SPDX-License-Identifier: GPL-3.0-or-later
"""Our buttons inside somebody's context override: a take in the scene that is meant, never a crash. (A crash
ends the process, and the test with it.)
"""

from __future__ import annotations

from contextlib import suppress

import pytest

from tests.support.desk import Desk, hashes

pytestmark = [pytest.mark.blender, pytest.mark.slow]


@pytest.fixture
def desk(part, tmp_path, portrait, voice, tiny_checkpoint, server_python) -> Desk:
    return Desk(part, tmp_path, portrait, voice, tiny_checkpoint, server_python)


@pytest.fixture
def second(desk, part):
    """Another scene, with the settings of the first."""
    import bpy

    made = bpy.data.scenes.new("Shot 2")
    made.render.fps, made.render.fps_base = 25, 1.0
    part("settings.properties").copy_settings(bpy.context.scene.edtalk, made.edtalk)
    made.edtalk.idle = 0.5
    return made


def scene_and_layer(scene) -> dict:
    return {"scene": scene, "view_layer": scene.view_layers[0]}


def scene_alone(scene) -> dict:
    return {"scene": scene}


def a_second_layer(scene) -> dict:
    return {"scene": scene, "view_layer": scene.view_layers.new("Other")}


def no_window(scene) -> dict:
    return {"window": None, "scene": scene, "view_layer": scene.view_layers[0]}


def no_screen_nor_area(scene) -> dict:
    return {"screen": None, "area": None, "region": None, "scene": scene, "view_layer": scene.view_layers[0]}


def nothing_selected(scene) -> dict:
    return {**scene_and_layer(scene), "active_object": None, "object": None, "selected_objects": []}


OVERRIDES = [scene_and_layer, scene_alone, a_second_layer, no_screen_nor_area, nothing_selected]


@pytest.mark.parametrize("override", OVERRIDES)
def test_a_take_is_made_and_rendered_again_in_the_scene_that_is_meant(desk, part, second, override) -> None:
    import bpy

    rig, where = part("face.rig"), override(second)
    with bpy.context.temp_override(**where):
        assert bpy.ops.edtalk.generate_take() == {"FINISHED"}
    (face,) = rig.faces_in(second)
    assert not rig.faces_in(bpy.context.scene)
    folder = part("pictures.image_sequence").folder_of(face.edtalk.take.image)
    before = hashes(folder)
    assert len(before) == 51
    curve = part("face.fcurves").curves_of(face).fcurves[0]
    curve.keyframe_points[20].co.y += 0.5
    curve.update()
    with bpy.context.temp_override(**where):
        assert bpy.ops.edtalk.render_changed() == {"FINISHED"}
    assert sum(before[n] != digest for n, digest in hashes(folder).items()) in range(1, 10)


def test_without_a_window_another_scene_is_refused_since_blender_would_crash(desk, second) -> None:
    import bpy

    for override in (no_window(second), {"view_layer": second.view_layers[0]}):
        with (
            bpy.context.temp_override(**override),
            pytest.raises(RuntimeError, match="belongs to another scene"),
        ):
            bpy.ops.edtalk.generate_take()


def test_without_a_window_the_own_scene_works(desk, part) -> None:
    import bpy

    with bpy.context.temp_override(window=None):
        assert bpy.ops.edtalk.generate_take() == {"FINISHED"}
    assert len(hashes(desk.frames)) == 51


def test_every_other_button_lives_through_a_foreign_scene(desk, edtalk, second, tmp_path) -> None:
    """With and without a face there; what cannot be done there is refused."""
    import bpy

    names = [cls.bl_idname for cls in edtalk._classes() if hasattr(cls, "bl_idname")]
    names = [name for name in names if name.startswith("edtalk.")]
    assert len(names) > 40
    skipped = {"edtalk.set_up_server", "edtalk.open_log", "edtalk.copy_command", "edtalk.generate_take"}
    desk.generate()
    for override in (scene_and_layer, no_screen_nor_area, nothing_selected):
        for name in names:
            if name not in skipped:
                operator = getattr(bpy.ops.edtalk, name.partition(".")[2])
                with suppress(RuntimeError, TypeError), bpy.context.temp_override(**override(second)):
                    operator()
    assert bpy.data.scenes.get("Shot 2") is not None
