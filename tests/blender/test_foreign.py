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


def keys_of(part, action, face) -> dict[str, list[tuple[float, float]]]:
    """Path -> all keys of the face's curves in an action."""
    curves = part("face.fcurves").curves_in(action, part("face.take_action").slot_of(action, face)).fcurves
    return {curve.data_path: [tuple(key.co) for key in curve.keyframe_points] for curve in curves}


def test_every_key_outside_the_shapes_stays_where_it_was(part, scene, face, tmp_path: Path) -> None:
    import bpy

    take_of = part("face.take_action").take_of
    yaw = part("face.fcurves").curves_of(face).fcurves.find(part("face.rig").path_of("pose_00"), index=0)
    yaw.keyframe_points.insert(FIRST + 7.37, 3.0).interpolation = "BEZIER"  # by hand, between two frames
    yaw.modifiers.new("NOISE").strength = 0.0
    before = keys_of(part, take_of(face), face)
    (tmp_path / "a.tsv").write_text(CUES.replace("0.00\tX\n", ""))  # from 0.40 to 1.75 seconds
    assert bpy.ops.edtalk.import_weights(filepath=str(tmp_path / "a.tsv")) == {"FINISHED"}
    after = keys_of(part, take_of(face), face)
    old = bpy.data.actions["anna_001"]
    assert take_of(face) != old and keys_of(part, old, face) == before
    first, last = FIRST + 10, FIRST + 43
    for path, keys in before.items():
        if "mouth" not in path:
            assert after[path] == keys
        else:
            outside = [key for key in keys if not first - 0.5 < key[0] < last + 0.5]
            assert [key for key in after[path] if key in outside] == outside
            assert [key[0] for key in after[path]] == sorted({key[0] for key in after[path]})
    assert keys_of(part, take_of(face), face)[yaw.data_path][8] == pytest.approx((FIRST + 7.37, 3.0))
    curves = part("face.fcurves").curves_of(face).fcurves
    assert len(curves.find(yaw.data_path, index=0).modifiers) == 1
    assert (face.edtalk.take.first, face.edtalk.take.last) == (FIRST, FIRST + COUNT - 1)
    mouth = control(part, weights_of(part, scene, range(FIRST, FIRST + COUNT)), "press")
    assert mouth[12] > 0.9


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda scene: setattr(scene.render, "fps", 30), "laid out for 25 frames a second"),
        (lambda scene: setattr(scene.render, "fps_base", 1.001), "laid out for 25 frames a second"),
    ],
)
def test_a_mouth_for_a_take_of_another_rate_is_refused(part, scene, face, tmp_path, change, cause) -> None:
    import bpy

    part("takes.retime").note(face, FIRST, 25.0)
    change(scene)
    (tmp_path / "a.tsv").write_text(CUES)
    actions = len(bpy.data.actions)
    with pytest.raises(RuntimeError, match=cause):
        bpy.ops.edtalk.import_weights(filepath=str(tmp_path / "a.tsv"))
    assert face.edtalk.take.name == "anna_001" and len(bpy.data.actions) == actions


def test_shapes_after_the_take_are_left_out_and_counted(part, face, tmp_path, capfd) -> None:
    import bpy

    (tmp_path / "a.tsv").write_text(CUES + "5.00\tA\n6.00\tX\n")
    assert bpy.ops.edtalk.import_weights(filepath=str(tmp_path / "a.tsv")) == {"FINISHED"}
    assert "2 shapes begin after the take's end" in capfd.readouterr().out
    assert face.edtalk.take.last == FIRST + COUNT - 1
    (tmp_path / "b.tsv").write_text("50.00\tA\n60.00\tX\n")
    with pytest.raises(RuntimeError, match="the take has no frame there"):
        bpy.ops.edtalk.import_weights(filepath=str(tmp_path / "b.tsv"))


def test_a_phone_at_rest_is_this_face_at_rest_and_a_closed_mouth_is_closed(
    part, scene, face, tmp_path
) -> None:
    import bpy

    rest = np.linspace(-1, 1, 36).astype(np.float32)
    face[part("face.rig").REST] = rest.tolist()
    still = Curves(arkit.NAMES, ((0.0,) * 52,) * 30, 25.0)
    (tmp_path / "a.csv").write_text(livelink.write(still))
    assert bpy.ops.edtalk.import_weights(filepath=str(tmp_path / "a.csv")) == {"FINISHED"}
    weights = weights_of(part, scene, [FIRST + 3])[0]
    np.testing.assert_allclose(weights[20:], rest[20:], atol=1e-6)
    assert not weights[:20].any()
    bpy.ops.edtalk.export_weights(filepath=str(tmp_path / "b.csv"), format="livelink")
    assert not np.array(livelink.read((tmp_path / "b.csv").read_bytes(), "b.csv").rows).any()


@pytest.mark.parametrize(("fps", "code"), [(24, "00:01:15:00"), (30, "00:01:00:02"), (60, "00:00:30:00")])
def test_ntsc_rates_go_out_in_the_time_codes_of_editors(part, scene, face, tmp_path, fps, code) -> None:
    """Scene frame 1800 of 23.976, 29.97 and 59.94 frames a second; 29.97 leaves 2 numbers out."""
    import bpy

    scene.render.fps, scene.render.fps_base = fps, 1.001
    face.edtalk.take.last = face.edtalk.take.first = 1800
    bpy.ops.edtalk.export_weights(filepath=str(tmp_path / "a.csv"), format="livelink")
    with (tmp_path / "a.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["Timecode"] == f"{code}.000" and row["BlendShapeCount"] == "61"


def test_a_table_that_a_spreadsheet_wrote_back_is_read(part, scene, face, tmp_path: Path) -> None:
    import bpy

    frames = range(FIRST, FIRST + COUNT)
    before = weights_of(part, scene, frames)
    bpy.ops.edtalk.export_weights(filepath=str(tmp_path / "a.csv"), format="csv")
    text = (tmp_path / "a.csv").read_text()
    german = text.replace(",", ";").replace(".", ",").replace("\n", "\r\n").encode("utf-8-sig")
    sheets = {"german": german, "tabs": text.replace(",", "\t").encode("utf-16")}
    for name, data in sheets.items():
        (tmp_path / f"{name}.csv").write_bytes(data)
        assert bpy.ops.edtalk.import_weights(filepath=str(tmp_path / f"{name}.csv")) == {"FINISHED"}
        np.testing.assert_array_equal(weights_of(part, scene, frames), before)


def test_the_command_line_writes_live_link_by_the_name(part, scene, face, tmp_path: Path) -> None:
    assert part("batch.command").main(["export", "--out", str(tmp_path / "a.livelink.csv")]) == 0
    assert len(livelink.read((tmp_path / "a.livelink.csv").read_bytes(), "a.csv").rows) == COUNT


def test_the_file_menus_have_both(part, edtalk) -> None:
    import bpy

    drawn = [
        [getattr(one, "__name__", "") for one in menu._dyn_ui_initialize()]
        for menu in (bpy.types.TOPBAR_MT_file_import, bpy.types.TOPBAR_MT_file_export)
    ]
    assert "draw_import" in drawn[0] and "draw_export" in drawn[1]


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
