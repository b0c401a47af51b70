# SPDX-License-Identifier: GPL-3.0-or-later
"""Copy to Shape Keys: a 3D character does what the face does, by drivers and by baked keys, and nothing of
its own is lost.
"""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from core.wire.channels import CHANNELS, EMOTIONS

pytestmark = pytest.mark.blender

FRAMES = np.arange(1.0, 31.0)
NAMED = {
    "mouth_00": "Jaw Open",
    "mouth_01": "Wide",
    "mouth_02": "Pucker",
    "mouth_04": "Press",
    "mouth_05": "Lip to Teeth",
    "expression_00": "Angry",
    "expression_04": "Happy",
    "expression_06": "Surprised",
    "expression_07": "Blink",
    "expression_08": "Gaze X",
}
KEYS = ("jawOpen", "mouthPucker", "mouthSmile_L", "eyeBlinkLeft", "eyeLookOutLeft", "cheekPuff", "Tall")


def description() -> dict:
    """A checkpoint that names its channels; its neutral is not zero, and it has handles."""
    neutral = np.zeros(10)
    neutral[4], neutral[6] = 0.3, -0.2
    presets = {name: neutral.copy() for name in EMOTIONS}
    presets["happy"][4] += 1.2
    presets["surprised"][6] += 1.4
    presets["angry"][0] += 1.0
    jaw, smile = np.zeros(36), np.zeros(36)
    jaw[0], smile[30] = 1.5, 1.1
    handle = {"description": "", "unit": "", "soft_min": 0.0, "soft_max": 1.0}
    return {
        "id": "named-1",
        "size": 64,
        "channels": [
            {
                "name": name,
                "label": NAMED.get(name, name),
                "description": "",
                "soft_min": 0.0,
                "soft_max": 1.5,
                "default": 0.0,
                "used": True,
            }
            for name in CHANNELS
        ],
        "emotions": {name: row.tolist() for name, row in presets.items()},
        "handles": [
            {"name": "jaw_open", "label": "Jaw", "direction": jaw.tolist(), **handle},
            {"name": "smile", "label": "Smile", "direction": smile.tolist(), **handle},
        ],
    }


@pytest.fixture
def face(part):
    """A face with a take of 30 frames in which everything moves."""
    import bpy

    face = part("face.rig").make_rig(bpy.context.scene, "Anna")
    messages = importlib.import_module(part("face.sliders").messages.__name__)
    part("face.sliders").fit_to_checkpoint(face, messages.Described.from_dict(description()))
    phase = np.arange(36)[None] / 5 + FRAMES[:, None] / 4
    part("takes.edit_on_top").land(face, "take_001", FRAMES, (0.6 + 0.6 * np.sin(phase)).astype(np.float32))
    take = face.edtalk.take
    take.name, take.last, take.first = "take_001", 30, 1
    bpy.context.view_layer.objects.active = face
    return face


@pytest.fixture
def character():
    return make_character(KEYS)


def make_character(keys, name: str = "Bob"):
    """A mesh with shape keys."""
    import bpy

    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    ob = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(ob)
    ob.shape_key_add(name="Basis")
    for key in keys:
        ob.shape_key_add(name=key).value = 0.0  # from 5.0 it is 1
    return ob


def follow(face, character, way: str = "DRIVERS", **more) -> None:
    import bpy

    face.edtalk_character = character
    assert bpy.ops.edtalk.copy_to_shape_keys(way=way, **more) == {"FINISHED"}


def played(character, frames=FRAMES) -> dict[str, np.ndarray]:
    """Shape key -> its evaluated value at scene frames."""
    import bpy

    names = [block.name for block in character.data.shape_keys.key_blocks][1:]
    rows = []
    for frame in frames:
        bpy.context.scene.frame_set(int(frame))
        graph = bpy.context.evaluated_depsgraph_get()
        blocks = character.evaluated_get(graph).data.shape_keys.key_blocks
        rows.append([blocks[name].value for name in names])
    return dict(zip(names, np.array(rows).T))


def expected(part, face) -> dict[str, np.ndarray]:
    import bpy

    total = part("face.fcurves").read_weights(face, FRAMES, bpy.context.scene)
    jaw, pucker, happy, blink = (total[:, i] / 1.5 for i in (0, 2, 30, 33))
    return {
        "jawOpen": np.clip(jaw, 0, 1),
        "mouthPucker": np.clip(pucker, 0, 1),
        "mouthSmile_L": np.clip(0.8 * happy, 0, 1),
        "eyeBlinkLeft": np.clip(blink + 0.12 * happy, 0, 1),
        "eyeLookOutLeft": np.clip(total[:, 34] / 2.667, 0, 1),
        "cheekPuff": np.zeros(len(FRAMES)),
        "Tall": np.zeros(len(FRAMES)),
    }


def assert_follows(part, face, character) -> None:
    shown, wanted = played(character), expected(part, face)
    for name, values in wanted.items():
        np.testing.assert_allclose(shown[name], values, atol=0.01, err_msg=name)
    assert np.ptp(wanted["jawOpen"]) > 0.3


@pytest.mark.parametrize("way", ["DRIVERS", "BAKE"])
def test_the_character_does_what_the_face_does(part, face, character, way: str) -> None:
    follow(face, character, way)
    assert_follows(part, face, character)


@pytest.mark.parametrize("way", ["DRIVERS", "BAKE"])
def test_emotions_handles_and_neutral_are_in_it(part, face, character, way: str) -> None:
    for bone, name, value in (
        ("emotion", "happy", 0.6),
        ("emotion", "surprised", 0.4),
        ("emotion", "neutral", 0.7),
        ("handle", "jaw_open", 0.2),
        ("handle", "smile", 0.3),
    ):
        face.pose.bones[bone][name] = value
    before = {name: values.copy() for name, values in expected(part, face).items()}
    follow(face, character, way)
    assert_follows(part, face, character)
    assert before["mouthSmile_L"].max() > 0.2


def test_drivers_need_no_python_and_follow_later_edits(part, face, character) -> None:
    import bpy

    follow(face, character)
    for driver in character.data.shape_keys.animation_data.drivers:
        assert driver.driver.is_valid and driver.driver.is_simple_expression
    face.pose.bones["handle"]["smile"] = 0.5
    face.update_tag()  # as a slider that is dragged does
    bpy.context.view_layer.update()
    assert_follows(part, face, character)


def test_what_was_found_missing_and_idle_is_listed(part, face, character) -> None:
    import bpy

    follow(face, character)
    text = bpy.data.texts["EDTalk Shape Keys"].as_string()
    assert "mouthSmile_L  <-  mouthSmileLeft" in text
    idle = text.split("nothing of the face moves them:")[1].split("\n\n")[0]
    assert "cheekPuff" in idle
    assert "Tall" in text.split("Not recognised:")[1].split("\n\n")[0]
    assert "tongueOut" in text.split("does not have:")[1]


@pytest.mark.parametrize("way", ["DRIVERS", "BAKE"])
def test_a_driver_of_the_artists_stays_unless_asked(part, face, character, way: str) -> None:
    keys = character.data.shape_keys
    keys.key_blocks["jawOpen"].driver_add("value").driver.expression = "0.25"
    follow(face, character, way)
    assert np.allclose(played(character)["jawOpen"], 0.25)
    follow(face, character, way, replace=True)
    assert_follows(part, face, character)


def test_keys_of_the_artists_stay_and_baking_keeps_the_action_before(part, face, character) -> None:
    import bpy

    block = character.data.shape_keys.key_blocks["Tall"]
    for frame, value in ((1, 0.0), (30, 1.0)):
        block.value = value
        block.keyframe_insert("value", frame=frame)
    action = character.data.shape_keys.animation_data.action
    follow(face, character, "BAKE")
    now = character.data.shape_keys.animation_data.action
    assert now != action and action.name in bpy.data.actions and action.use_fake_user
    assert played(character)["Tall"][-1] == pytest.approx(1.0)
    np.testing.assert_allclose(played(character)["jawOpen"], expected(part, face)["jawOpen"], atol=0.01)


def test_bake_after_drive_and_drive_after_bake_leave_one_master(part, face, character) -> None:
    follow(face, character, "DRIVERS")
    follow(face, character, "BAKE")
    assert not character.data.shape_keys.animation_data.drivers
    assert_follows(part, face, character)
    follow(face, character, "DRIVERS", replace=True)
    assert_follows(part, face, character)


def test_a_parent_stands_for_all_its_meshes(part, face) -> None:
    import bpy

    body = bpy.data.objects.new("Character", None)
    bpy.context.scene.collection.objects.link(body)
    head, teeth = make_character(KEYS, "Head"), make_character(("jawOpen",), "Teeth")
    head.parent = teeth.parent = body
    follow(face, body)
    np.testing.assert_allclose(played(teeth)["jawOpen"], expected(part, face)["jawOpen"], atol=0.01)
    assert_follows(part, face, head)


def test_visemes_move_a_character_that_has_no_arkit_names(part, face) -> None:
    bob = make_character(("A", "I", "U", "E", "O", "Blink"))
    follow(face, bob)
    shown = played(bob)
    np.testing.assert_allclose(shown["Blink"], np.clip(played_blink(part, face), 0, 1), atol=0.01)
    assert np.ptp(shown["A"]) > 0.2


def played_blink(part, face) -> np.ndarray:
    import bpy

    return part("face.fcurves").read_weights(face, FRAMES, bpy.context.scene)[:, 33] / 1.5


def test_removing_drivers_frees_ours_and_leaves_others(part, face, character) -> None:
    import bpy

    keys = character.data.shape_keys
    keys.key_blocks["Tall"].driver_add("value").driver.expression = "0.25"
    follow(face, character)
    assert bpy.ops.edtalk.release_shape_keys() == {"FINISHED"}
    assert [driver.data_path for driver in keys.animation_data.drivers] == ['key_blocks["Tall"].value']
    assert not bpy.ops.edtalk.release_shape_keys.poll()


@pytest.mark.parametrize(("way", "words"), [("DRIVERS", "follow the face"), ("BAKE", "are keyed")])
def test_it_says_whether_the_character_follows_or_has_keys(part, face, character, way, words) -> None:
    import bpy

    tally = part("character.shape_keys").copy(face, character, bpy.context.scene, way, "AUTO", 1.0, False)
    assert f"shape keys of {character.name} {words} (ARKit)" in tally.sentence(character)


def test_copying_is_one_undo_step(part, face, character) -> None:
    import bpy

    face.edtalk_character = character
    bpy.ops.ed.undo_push(message="before")
    assert bpy.ops.edtalk.copy_to_shape_keys("EXEC_DEFAULT", True, way="DRIVERS") == {"FINISHED"}
    bpy.ops.ed.undo()
    data = bpy.data.objects["Bob"].data.shape_keys.animation_data
    assert data is None or not data.drivers


def test_a_checkpoint_without_names_goes_by_its_handles(part, face, character) -> None:
    import bpy

    labels = {name: name for name in CHANNELS}
    face["edtalk_labels"] = labels
    follow(face, character)
    jaw = part("face.fcurves").read_weights(face, FRAMES, bpy.context.scene)[:, 0] / 1.5
    np.testing.assert_allclose(played(character)["jawOpen"], np.clip(jaw, 0, 1), atol=0.01)
    del face["edtalk_handles"]
    with pytest.raises(RuntimeError, match="does not say what its channels do"):
        bpy.ops.edtalk.copy_to_shape_keys()


def test_without_a_character_the_button_is_grey(part, face) -> None:
    import bpy

    assert not bpy.ops.edtalk.copy_to_shape_keys.poll()
