# SPDX-License-Identifier: GPL-3.0-or-later
"""Other programs' files onto a face, and a face's take into a Live Link Face CSV, through the two buttons."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from core.wire.formats import arkit, livelink
from core.wire.formats.curves import Curves

pytestmark = pytest.mark.blender
FIRST, COUNT = 101, 50
HEADER_A2F = ",".join(["timeCode", *(f"blendShapes.{name}" for name in livelink.ORDER)])
CUES = "0.00\tX\n0.40\tA\n0.60\tD\n1.20\tF\n1.60\tX\n"


@pytest.fixture
def scene(edtalk):
    import bpy

    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = 25, 1.0
    bpy.context.scene.edtalk.start = FIRST
    return bpy.context.scene


@pytest.fixture
def face(part, scene, tmp_path: Path):
    """A saved file with a face whose take holds a curve on every weight."""
    import bpy

    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    face = part("face.rig").make_rig(scene, "Anna")
    bpy.context.view_layer.objects.active = face
    weights = np.random.default_rng(5).normal(size=(COUNT, 36)).astype(np.float32)
    part("takes.edit_on_top").land(face, "anna_001", np.arange(FIRST, FIRST + COUNT, dtype=float), weights)
    take = face.edtalk.take
    take.name, take.last, take.first, take.model = "anna_001", FIRST + COUNT - 1, FIRST, "model-a"
    return face


def weights_of(part, scene, frames) -> np.ndarray:
    (face,) = part("face.rig").faces_in(scene)
    return part("face.fcurves").read_weights(face, frames, scene)


def control(part, weights: np.ndarray, name: str) -> np.ndarray:
    """How strong a control of the checkpoint that ships is in these weights."""
    direction = part("face.controls").directions_of(None)[name]
    return weights @ direction / (direction @ direction)


def nod(rate: float = 60.0) -> str:
    """Two seconds of a jaw that opens, both eyes that shut, and a head that turns."""
    names = ("jawOpen", "eyeBlinkLeft", "eyeBlinkRight", "headYaw")
    rows = tuple((k / 120, 1 - k / 120, 1 - k / 120, 0.25 * k / 120) for k in range(121))
    return livelink.write(Curves(names, rows, rate))


def test_a_phones_csv_becomes_a_take_with_its_time_kept(part, scene, tmp_path: Path) -> None:
    import bpy

    (tmp_path / "a.csv").write_text(nod())
    assert bpy.ops.edtalk.import_weights(filepath=str(tmp_path / "a.csv")) == {"FINISHED"}
    (face,) = part("face.rig").faces_in(scene)
    take = face.edtalk.take
    assert (take.first, take.last) == (FIRST, FIRST + 50)
    weights = weights_of(part, scene, [FIRST, FIRST + 25, FIRST + 49])
    np.testing.assert_allclose(control(part, weights, "jaw_open"), [0, 0.5, 1.0], atol=0.03)
    np.testing.assert_allclose(control(part, weights, "blink"), [1.0, 0.5, 0.0], atol=0.03)
    np.testing.assert_allclose(weights[:, 20], [0, 0.5, 1.0], atol=0.03)


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_audio2face_files_become_takes(part, scene, tmp_path: Path, kind: str) -> None:
    import json

    import bpy

    place = livelink.ORDER.index("JawOpen")
    rows = [[0.8 if k == place else 0.0 for k in range(52)] for _ in range(31)]
    if kind == "json":
        data = {"exportFps": 30, "numPoses": 52, "facsNames": livelink.ORDER, "weightMat": rows}
        text = json.dumps(data)
    else:
        lines = [",".join([f"{k / 30:.6f}", *map(str, row)]) for k, row in enumerate(rows)]
        text = "\n".join([HEADER_A2F, *lines])
    (tmp_path / f"a.{kind}").write_text(text)
    assert bpy.ops.edtalk.import_weights(filepath=str(tmp_path / f"a.{kind}")) == {"FINISHED"}
    weights = weights_of(part, scene, [FIRST + 5, FIRST + 20])
    np.testing.assert_allclose(control(part, weights, "jaw_open"), 0.8, atol=0.01)


def test_mouth_shapes_replace_the_mouth_and_nothing_else(part, scene, face, tmp_path: Path) -> None:
    import bpy

    frames = range(FIRST, FIRST + COUNT)
    before = weights_of(part, scene, frames)
    (tmp_path / "a.tsv").write_text(CUES)
    assert bpy.ops.edtalk.import_weights(filepath=str(tmp_path / "a.tsv")) == {"FINISHED"}
    after = weights_of(part, scene, frames)
    np.testing.assert_allclose(after[:, 20:], before[:, 20:], atol=1e-5)
    assert face.edtalk.take.name != "anna_001" and "anna_001" in [a.name for a in bpy.data.actions]
    assert control(part, after, "press")[12] > 0.9 and control(part, after, "jaw_open")[22] > 0.5
    assert control(part, after, "pucker")[35] > 0.7 and abs(control(part, after, "jaw_open")[2]) < 0.02


def test_edits_on_top_are_not_doubled_by_another_mouth(part, scene, face, tmp_path: Path) -> None:
    import bpy

    bpy.ops.edtalk.edit_on_top()
    bone = face.pose.bones["pose"]
    bone["pose_00"] = 2.0
    bone.keyframe_insert('["pose_00"]', frame=FIRST + 10)
    before = weights_of(part, scene, [FIRST + 10, FIRST + 30])
    (tmp_path / "a.tsv").write_text(CUES)
    bpy.ops.edtalk.import_weights(filepath=str(tmp_path / "a.tsv"))
    np.testing.assert_allclose(
        weights_of(part, scene, [FIRST + 10, FIRST + 30])[:, 20:], before[:, 20:], atol=1e-4
    )


def test_without_a_take_the_shapes_are_a_take_of_their_own(part, scene, tmp_path: Path) -> None:
    import bpy

    (tmp_path / "a.tsv").write_text(CUES)
    assert bpy.ops.edtalk.import_weights(filepath=str(tmp_path / "a.tsv")) == {"FINISHED"}
    weights = weights_of(part, scene, [FIRST + 12])
    assert control(part, weights, "press")[0] > 0.9 and not weights[:, 20:].any()


def test_a_take_goes_out_as_live_link_and_another_reader_finds_it(part, scene, tmp_path: Path) -> None:
    import bpy

    (tmp_path / "a.csv").write_text(nod(25.0))
    bpy.ops.edtalk.import_weights(filepath=str(tmp_path / "a.csv"))
    out = tmp_path / "out.csv"
    assert bpy.ops.edtalk.export_weights(filepath=str(out), format="livelink") == {"FINISHED"}
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows[0]) == 63 and len(rows) == 121
    assert float(rows[0]["JawOpen"]) < 0.02 < 0.7 < float(rows[120]["JawOpen"])
    assert float(rows[0]["EyeBlinkLeft"]) > 0.6 and float(rows[120]["EyeBlinkRight"]) < 0.02
    assert float(rows[120]["HeadYaw"]) == pytest.approx(0.25, abs=0.01)
    back = livelink.read(out.read_bytes(), "out.csv")
    assert back.rate == 25.0 and set(arkit.NAMES) < set(back.names)


def test_our_own_tables_are_still_ours(part, scene, face, tmp_path: Path) -> None:
    import bpy

    frames = range(FIRST, FIRST + COUNT)
    before = weights_of(part, scene, frames)
    for kind in ("csv", "json"):
        out = tmp_path / f"own.{kind}"
        bpy.ops.edtalk.export_weights(filepath=str(out), format=kind)
        bpy.ops.edtalk.import_weights(filepath=str(out))
        np.testing.assert_allclose(weights_of(part, scene, frames), before, atol=1e-5)


@pytest.mark.parametrize("name", ["a.csv", "a.json", "a.tsv", "a.TextGrid", "a.dat", "a.pgo", "a.pg2"])
def test_a_file_of_nobody_changes_nothing(part, scene, face, tmp_path: Path, name: str) -> None:
    import bpy

    (tmp_path / name).write_text("hello")
    with pytest.raises(RuntimeError, match=name):
        bpy.ops.edtalk.import_weights(filepath=str(tmp_path / name))
    assert face.edtalk.take.name == "anna_001"
