# SPDX-License-Identifier: GPL-3.0-or-later
"""The knobs of the teeth: keyed frame by frame, they make the frames stale that they change, and no others;
files and the live preview have them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.motion.motion import Motion
from core.wire.mouth_knobs import DEFAULTS, KNOBS
from tests.blender.test_live import Preview
from tests.support.desk import Desk, hashes

pytestmark = [pytest.mark.blender, pytest.mark.slow]

ASTRONAUT = Path(__file__).parents[2] / "demo" / "astronaut.png"


@pytest.fixture
def desk(part, tmp_path, portrait, voice, playable_checkpoint, server_python) -> Desk:
    return Desk(part, tmp_path, portrait, voice, playable_checkpoint, server_python)


def key(desk: Desk, name: str, points: dict[int, float]) -> None:
    """Key a knob by hand, as the panel does."""
    bone = desk.face.pose.bones["teeth"]
    for frame, value in points.items():
        bone[name] = value
        assert bone.keyframe_insert(f'["{name}"]', frame=frame)
    path = f'pose.bones["teeth"]["{name}"]'
    for point in desk.part("face.fcurves").curves_of(desk.face).fcurves.find(path).keyframe_points:
        point.interpolation = "LINEAR"


def stale(desk: Desk) -> list[int]:
    """Frames that Render Changed would make."""
    import bpy

    status = desk.part("takes.status")
    status.count(desk.face, bpy.context)
    first, states = status.states(desk.face)
    return [first + i for i, state in enumerate(states) if state]


def test_the_knobs_rest_and_a_choice_has_its_words(desk) -> None:
    face = desk.generate()
    bone = face.pose.bones["teeth"]
    assert tuple(bone[knob.name] for knob in KNOBS) == DEFAULTS and isinstance(bone["teeth"], int)
    words = [item[1] for item in bone.id_properties_ui("teeth").as_dict()["items"]]
    assert words == ["Auto", "Portrait's", "Template", "Off"]
    assert "mouth_look" not in desk.part("pictures.take_folder").load_arrays(desk.frames / "motion.npz")


def test_a_keyed_knob_makes_exactly_its_frames_stale_and_zeroing_it_makes_them_fresh(desk) -> None:
    desk.generate()
    key(desk, "brightness", {110: 1.0, 112: 0.4, 114: 1.0})
    assert stale(desk) == [111, 112, 113]
    before = hashes(desk.frames)
    desk.render_changed()
    assert desk.jobs.last().text == "anna_001: 3 of 50 frames rendered again"
    assert hashes(desk.frames).keys() == before.keys() and stale(desk) == []
    key(desk, "brightness", {112: 1.0})
    assert stale(desk) == [111, 112, 113]  # those were drawn otherwise


@pytest.mark.parametrize(("name", "value"), [("teeth", 3), ("position", 2.0), ("gums", 0.5), ("depth", 9.0)])
def test_every_knob_counts_and_one_that_overshoots_is_held(desk, name: str, value: float) -> None:
    face = desk.generate()
    face.pose.bones["teeth"][name] = value
    face.update_tag()
    assert len(stale(desk)) == 50
    desk.render_changed()
    assert stale(desk) == []
    face.pose.bones["teeth"][name] = {"depth": 2.0}.get(name, value)
    face.update_tag()
    assert stale(desk) == []


def test_a_rig_without_the_bone_keeps_its_take_fresh(desk) -> None:
    """Files of before there were knobs."""
    import bpy

    face = desk.generate()
    bpy.ops.object.mode_set(mode="EDIT")
    face.data.edit_bones.remove(face.data.edit_bones["teeth"])
    bpy.ops.object.mode_set(mode="OBJECT")
    assert stale(desk) == []
    assert bpy.ops.edtalk.update_face() == {"FINISHED"}
    assert face.pose.bones["teeth"]["size"] == 1.0 and stale(desk) == []


@pytest.mark.parametrize("suffix", ["npz", "json"])
def test_knobs_go_out_with_the_weights_and_come_in_again(desk, tmp_path: Path, suffix: str) -> None:
    import bpy

    desk.generate()
    key(desk, "warmth", {110: 0.0, 120: 1.0})
    key(desk, "teeth", {101: 0, 130: 2})
    before = desk.part("face.fcurves").read_rows(desk.face, range(101, 151), bpy.context.scene)[1]
    out = tmp_path / f"weights.{suffix}"
    assert bpy.ops.edtalk.export_weights(filepath=str(out), format=suffix) == {"FINISHED"}
    if suffix == "npz":
        motion = Motion.load(out)
        assert motion.looks is not None
        np.testing.assert_allclose(motion.looks, before, atol=1e-6)
    face = desk.face
    for name in ("warmth", "teeth"):
        curves = desk.part("face.fcurves").curves_of(face)
        curves.fcurves.remove(curves.fcurves.find(f'pose.bones["teeth"]["{name}"]'))
        face.pose.bones["teeth"][name] = 0
    assert bpy.ops.edtalk.import_weights(filepath=str(out)) == {"FINISHED"}
    after = desk.part("face.fcurves").read_rows(desk.face, range(101, 151), bpy.context.scene)[1]
    np.testing.assert_allclose(after, before, atol=1e-4)


def test_a_table_says_that_it_does_not_hold_them(desk, tmp_path: Path) -> None:
    import bpy

    desk.generate()
    key(desk, "warmth", {110: 0.0, 120: 1.0})
    exchange, scene = desk.part("takes.exchange.weights"), bpy.context.scene
    assert "knobs of Teeth are not" in exchange.export(desk.face, scene, tmp_path / "a.csv")
    assert "Teeth" not in exchange.export(desk.face, scene, tmp_path / "a.json")


def test_teeth_that_are_off_are_seen_in_the_live_preview_and_in_the_take(
    part, tmp_path, voice, server_python
) -> None:
    """With the model that ships, on a face that is read: an open mouth with teeth and without."""
    import bpy

    made = Preview(part, ASTRONAUT, "", server_python)
    made.face.edtalk.use_crop = False
    made.face.edtalk.size = 256
    try:
        assert bpy.ops.edtalk.update_face() == {"FINISHED"}
        bones = made.face.pose.bones
        bones["handle"]["jaw_open"] = 1.0
        made.toggle()
        seen = []
        for teeth, depth in ((0, 1.0), (3, 1.0), (0, 0.0)):
            bones["teeth"]["teeth"], bones["teeth"]["depth"] = teeth, depth
            made.face.update_tag()
            bpy.context.view_layer.update()
            made.settle()
            seen.append(made.pixels().astype(int))
        assert np.abs(seen[0] - seen[1]).max() > 40 and np.abs(seen[0] - seen[2]).max() > 40
    finally:
        made.live.stop()
