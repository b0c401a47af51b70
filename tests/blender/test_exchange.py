# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights go out as .npz, .csv and .json and come in again unchanged; a wrong file is one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from core.wire.formats import weights as formats
from tests.support.desk import Desk, hashes

pytestmark = pytest.mark.blender

FORMATS = ("npz", "csv", "json")
FIRST, COUNT = 101, 30


@pytest.fixture
def files(checkout):
    return checkout("edtalk_blender.takes.exchange.weight_files")


@pytest.fixture
def bad_motion(checkout):
    return checkout("core.wire.errors").BadMotion


def table(files, rate: float = 24.0, first: int = FIRST):
    weights = np.random.default_rng(3).normal(size=(COUNT, 36)).astype(np.float32)
    return files.Table(weights, np.arange(first, first + COUNT), rate, "model-a")


@pytest.fixture
def face(part, tmp_path: Path):
    """A saved file with a face whose take holds a curve on every weight."""
    import bpy

    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = 24, 1.0
    face = part("face.rig").make_rig(bpy.context.scene, "Anna")
    bpy.context.view_layer.objects.active = face
    part("face.fcurves").new_action(face, "anna_001")
    weights = np.random.default_rng(5).normal(size=(COUNT, 36)).astype(np.float32)
    part("face.fcurves").write_weights(face, np.arange(FIRST, FIRST + COUNT), weights)
    take = face.edtalk.take
    take.name, take.last, take.first, take.model = "anna_001", FIRST + COUNT - 1, FIRST, "model-a"
    return face


# --------------------------------------------------------------------------------------- the files alone


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(("rate", "first"), [(24.0, 101), (30 / 1.001, -5), (25.0, 0)])
def test_a_file_reads_back_exactly(files, tmp_path, suffix: str, rate: float, first: int) -> None:
    written = table(files, rate, first)
    files.save(tmp_path / f"a.{suffix}", written)
    read = files.load(tmp_path / f"a.{suffix}")
    assert (read.weights == written.weights).all() and (read.numbers == written.numbers).all()
    assert read.rate == pytest.approx(rate, rel=1e-9)
    assert read.model == ("" if suffix == "csv" else "model-a")
    assert [path.name for path in tmp_path.iterdir()] == [f"a.{suffix}"]


def test_the_command_line_reads_what_blender_writes_and_the_reverse(files, tmp_path) -> None:
    from core.motion.motion import Motion

    written = table(files)
    for suffix, load, save in (("npz", Motion.load, Motion.save), ("csv", Motion.load_csv, Motion.save_csv)):
        files.save(tmp_path / f"a.{suffix}", written)
        motion = load(tmp_path / f"a.{suffix}")
        assert (motion.weights == written.weights).all() and (motion.numbers == written.numbers).all()
        assert motion.rate == 24.0
        save(motion, tmp_path / f"b.{suffix}")
        again = files.load(tmp_path / f"b.{suffix}")
        assert (again.weights == written.weights).all() and again.rate == 24.0


def test_rows_come_in_the_order_of_their_numbers(files, tmp_path) -> None:
    data = json.loads(formats.json_text(table(files)))
    data["numbers"].reverse()
    (tmp_path / "a.json").write_text(json.dumps(data))
    read = files.load(tmp_path / "a.json")
    assert read.numbers[0] == FIRST and (read.weights == table(files).weights[::-1]).all()


CHANGES = {
    "a later layout": {"schema": 2},
    "other channels": {"channels": ["smile"] * 36},
    "a number named twice": {"numbers": [5] * COUNT},
    "half a frame": {"numbers": [i + 0.5 for i in range(COUNT)]},
    "too few numbers": {"numbers": [1, 2]},
    "rows too short": {"weights": [[0.0] * 35] * COUNT},
    "ragged rows": {"weights": [[0.0] * 36, [0.0]]},
    "no rows": {"weights": [], "numbers": []},
    "words for weights": {"weights": [["1"] * 36] * COUNT},
    "a weight beyond all bounds": {"weights": [[1e300] * 36] * COUNT},
    "no frame rate": {"rate": 0},
    "a rate that is none": {"rate": None},
    "frames without end": {"numbers": [*range(COUNT - 1), 900000]},
    "frames Blender does not know": {"numbers": [*range(COUNT - 1), 10**30]},
}


@pytest.mark.parametrize("what", CHANGES)
def test_json_that_holds_other_things_is_refused(files, bad_motion, tmp_path, what: str) -> None:
    data = json.loads(formats.json_text(table(files))) | CHANGES[what]
    (tmp_path / "a.json").write_text(json.dumps(data))
    with pytest.raises(bad_motion, match=r"a\.json") as caught:
        files.load(tmp_path / "a.json")
    assert "\n" not in str(caught.value)


WRONG = {
    "none.npz": None,
    "text.npz": b"hello",
    "empty.csv": b"",
    "other.csv": b"a,b\n1,2\n",
    "binary.csv": bytes(range(256)),
    "list.json": b"[1, 2]",
    "nan.json": b'{"weights": [NaN]}',
    "deep.json": b"[" * 100000,
    "cut.json": b'{"schema": 1, "rate"',
    "film.mp4": b"....",
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_of_another_kind_is_refused(files, bad_motion, tmp_path, name: str) -> None:
    if WRONG[name] is not None:
        (tmp_path / name).write_bytes(WRONG[name])
    with pytest.raises(bad_motion, match=name) as caught:
        files.load(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_pickles_are_not_opened(files, bad_motion, tmp_path) -> None:
    np.savez(tmp_path / "a.npz", mouth=np.array([{}], object))
    with pytest.raises(bad_motion, match=r"a\.npz"):
        files.load(tmp_path / "a.npz")


def test_a_csv_with_a_short_row_is_refused(files, bad_motion, tmp_path) -> None:
    text = formats.csv_text(table(files)).splitlines()
    (tmp_path / "a.csv").write_text("\n".join([*text, "131,1.0,2.0"]))
    with pytest.raises(bad_motion, match="cells long"):
        files.load(tmp_path / "a.csv")


# ------------------------------------------------------------------------------------------- in Blender


@pytest.mark.parametrize("suffix", FORMATS)
def test_out_and_in_again_every_frame_has_the_same_weights(part, face, tmp_path, suffix: str) -> None:
    import bpy

    path, frames = tmp_path / f"anna.{suffix}", range(FIRST, FIRST + COUNT)
    read = part("face.fcurves").read_weights
    before = read(face, frames, bpy.context.scene)
    assert bpy.ops.edtalk.export_weights(filepath=str(path)) == {"FINISHED"}
    assert bpy.ops.edtalk.import_weights(filepath=str(path)) == {"FINISHED"}
    take = face.edtalk.take
    assert (take.name, take.first, take.last) == ("face_001", FIRST, FIRST + COUNT - 1)
    assert face.animation_data.action.name == take.name != "anna_001"
    assert bpy.data.actions["anna_001"].use_fake_user
    assert (read(face, frames, bpy.context.scene) == before).all()


def test_what_drivers_and_layers_do_is_exported(part, face, tmp_path) -> None:
    import bpy

    face.animation_data_clear()
    curve = face.driver_add('pose.bones["mouth"]["mouth_03"]')
    curve.driver.expression = "frame * 0.5"
    assert bpy.ops.edtalk.export_weights(filepath=str(tmp_path / "a.json")) == {"FINISHED"}
    data = json.loads((tmp_path / "a.json").read_text())
    column = data["channels"].index("mouth_03")
    assert [row[column] for row in data["weights"]] == [0.5 * number for number in data["numbers"]]
    assert (data["rate"], data["model"], data["schema"]) == (24.0, "model-a", 1)


def test_steps_of_another_rate_begin_at_the_start_frame_and_keep_their_time(
    part, files, face, tmp_path
) -> None:
    import bpy

    steps = table(files, 25.0, 0)
    files.save(tmp_path / "motion.npz", steps)
    face.edtalk.start = 201
    assert bpy.ops.edtalk.import_weights(filepath=str(tmp_path / "motion.npz")) == {"FINISHED"}
    assert (face.edtalk.take.first, face.edtalk.take.last) == (201, 201 + 28)  # 30 / 25 s at 24 a second
    middle = 201 + 24 / 25 * 10.5 - 0.5
    read = part("face.fcurves").read_weights(face, [middle], bpy.context.scene)
    np.testing.assert_allclose(read[0], steps.weights[10], atol=1e-3)


def test_weights_of_another_checkpoint_are_imported_with_a_warning(files, face, tmp_path, capfd) -> None:
    import bpy

    face.edtalk.take.model = "model-b"
    files.save(tmp_path / "a.npz", table(files))
    assert bpy.ops.edtalk.import_weights(filepath=str(tmp_path / "a.npz")) == {"FINISHED"}
    said = capfd.readouterr().out
    assert "model-a" in said and "model-b" in said and face.edtalk.take.model == "model-b"


def test_what_changes_imported_weights_is_said(files, face, tmp_path, capfd) -> None:
    import bpy

    files.save(tmp_path / "a.npz", table(files))
    bpy.ops.edtalk.import_weights(filepath=str(tmp_path / "a.npz"))
    assert "mute them" not in capfd.readouterr().out
    face.driver_add('pose.bones["mouth"]["mouth_03"]').driver.expression = "9"
    bpy.ops.edtalk.import_weights(filepath=str(tmp_path / "a.npz"))
    assert "mute them" in capfd.readouterr().out


def test_a_scene_without_a_face_gets_one(part, files, edtalk, tmp_path) -> None:
    import bpy

    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    files.save(tmp_path / "a.csv", table(files))
    assert bpy.ops.edtalk.import_weights(filepath=str(tmp_path / "a.csv")) == {"FINISHED"}
    (face,) = part("face.rig").faces_in(bpy.context.scene)
    assert face.edtalk.take.first == FIRST and not bpy.ops.edtalk.render_changed.poll()


def test_a_wrong_file_changes_nothing(face, tmp_path) -> None:
    import bpy

    (tmp_path / "a.csv").write_text("hello")
    actions = len(bpy.data.actions)
    with pytest.raises(RuntimeError, match="does not begin with the columns"):
        bpy.ops.edtalk.import_weights(filepath=str(tmp_path / "a.csv"))
    assert len(bpy.data.actions) == actions and face.edtalk.take.name == "anna_001"


def test_an_import_can_be_undone(face, files, tmp_path) -> None:
    import bpy

    files.save(tmp_path / "a.csv", table(files))
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.edtalk.import_weights("EXEC_DEFAULT", True, filepath=str(tmp_path / "a.csv"))
    bpy.ops.ed.undo()
    assert bpy.data.objects["Anna"].edtalk.take.name == "anna_001"
    assert bpy.data.objects["Anna"].animation_data.action.name == "anna_001"


def test_a_range_without_end_is_refused_before_it_is_evaluated(face, tmp_path) -> None:
    import bpy

    face.edtalk.take.last = 1000000
    with pytest.raises(RuntimeError, match="999900 frames are more than"):
        bpy.ops.edtalk.export_weights(filepath=str(tmp_path / "a.npz"))
    assert not (tmp_path / "a.npz").exists()


def test_without_a_face_there_is_nothing_to_export(edtalk) -> None:
    import bpy

    assert not bpy.ops.edtalk.export_weights.poll()


def test_the_command_exports(part, face, tmp_path, capsys) -> None:
    main, path = part("batch.command").main, tmp_path / "out.csv"
    assert main(["export", "--out", str(path), "--frames", "105-109"]) == 0
    assert [line.split(",")[0] for line in path.read_text().splitlines()[1:]] == [
        str(n) for n in range(105, 110)
    ]
    assert main(["export", "--out", str(path)]) == 1
    assert "exists already" in capsys.readouterr().err
    assert main(["export", "--out", str(path), "--overwrite"]) == 0
    assert len(path.read_text().splitlines()) == COUNT + 1
    assert main(["export", "--out", str(path), "--rig", "nobody"]) == 1
    assert main(["export", "--out", str(path), "--frames", "9-3"]) == 2
    into = tmp_path / "new" / "a.csv"
    assert main(["export", "--out", str(into)]) == 0 and into.exists()
    (tmp_path / "file").write_text("not a folder")
    assert main(["export", "--out", str(tmp_path / "file" / "a.csv")]) == 1
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.slow
def test_render_changed_makes_the_pictures_of_imported_weights(
    part, tmp_path, portrait, voice, tiny_checkpoint, server_python
) -> None:
    import bpy

    desk = Desk(part, tmp_path, portrait, voice, tiny_checkpoint, server_python)
    bpy.context.scene.edtalk.write_origin = False  # imported weights do not know their sound and seed
    desk.generate()
    made = hashes(desk.frames)
    bpy.ops.edtalk.export_weights(filepath=str(tmp_path / "a.json"))
    assert bpy.ops.edtalk.import_weights(filepath=str(tmp_path / "a.json")) == {"FINISHED"}
    desk.render_changed()
    assert desk.frames.name == "anna_002" and hashes(desk.frames) == made


@pytest.mark.slow
def test_until_it_has_pictures_an_imported_take_leaves_the_strips_and_keeps_its_name(
    part, tmp_path, portrait, voice, tiny_checkpoint, server_python
) -> None:
    import bpy

    desk = Desk(part, tmp_path, portrait, voice, tiny_checkpoint, server_python)
    desk.generate()
    scene, sequencer = bpy.context.scene, part("pictures.sequencer")
    bpy.ops.edtalk.export_weights(filepath=str(tmp_path / "a.npz"))
    bpy.ops.edtalk.import_weights(filepath=str(tmp_path / "a.npz"))
    bpy.ops.edtalk.import_weights(filepath=str(tmp_path / "a.npz"))
    assert desk.face.edtalk.take.name == "anna_003"
    assert not any(strip.mute for strip in sequencer.find_strips(scene, "anna_001"))
    assert (
        part("pictures.take_folder").free_name(desk.frames.parent, str(portrait)) == "anna_004"
    )  # in any other file, too
    desk.render_changed()
    assert all(strip.mute for strip in sequencer.find_strips(scene, "anna_001"))
    new = sequencer.find_strips(scene, "anna_003")
    assert len(new) == len(sequencer.find_strips(scene, "anna_001")) and not any(s.mute for s in new)
