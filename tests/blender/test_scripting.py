# SPDX-License-Identifier: GPL-3.0-or-later
"""`Face` for scripts: the page docs/scripting.md as it stands, and what a script is told when it errs."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support.desk import Desk, hashes

pytestmark = [pytest.mark.blender, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def desk(part, tmp_path, portrait, voice, playable_checkpoint, server_python, monkeypatch) -> Desk:
    monkeypatch.chdir(tmp_path)
    return Desk(part, tmp_path, portrait, voice, playable_checkpoint, server_python)


@pytest.fixture
def Face(part):
    return importlib.import_module("bl_ext.user_default.edtalk").Face


@pytest.fixture
def wrong(part):
    return part("batch.scripting").EDTalkError


def test_the_lines_of_the_page_work(desk) -> None:
    page = (ROOT / "docs" / "scripting.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    known: dict = {}
    exec(compile(code, "scripting.md", "exec"), known)
    face = known["face"]
    assert face.takes == ["anna_001", "anna_002"] and face.take == "anna_001"
    assert face.folder == desk.folder / "edtalk" / "anna_001"
    assert face.frames == range(101, 151) and sorted(hashes(face.folder)) == list(range(100, 151))
    assert known["rows"].shape == (50, 36) and known["rows"].dtype == np.float32
    now = face.weights()
    changed = np.abs(now - known["rows"]).max(axis=1) > 1e-4
    assert not changed[:9].any() and changed[12:].all()
    assert "up to date" in face.render_changed()


def test_only_the_frames_that_a_key_changed_are_made_again(desk, Face) -> None:
    face = Face(desk.generate())
    before = hashes(face.folder)
    for frame, value in ((110, 0.0), (112, 1.0), (114, 0.0)):
        face.handles.key("smile", value, frame=frame)
    said = face.render_changed()
    after = hashes(face.folder)
    made = {number for number in after if after[number] != before[number]}
    assert said.startswith(f"anna_001: {len(made)} of 50 frames") and 1 <= len(made) <= 3
    assert 112 in made


def test_a_face_is_found_again_after_undo_and_gone_with_its_file(desk, Face, wrong) -> None:
    import bpy

    face = Face(desk.generate())
    bpy.ops.ed.undo_push(message="before")
    face.emotions["happy"] = 0.25
    bpy.ops.ed.undo_push(message="happy")
    bpy.ops.ed.undo()
    assert face.emotions["happy"] == 0 and face.take == "anna_001" and face == Face()
    kept = face.object
    bpy.data.objects.remove(kept)
    with pytest.raises(wrong, match="no face rig"):
        Face(kept)
    for use in (lambda: face.name, lambda: face.weights(101), lambda: face.emotions["happy"], face.generate):
        with pytest.raises(wrong, match="gone") as told:
            use()
        assert told.value.hint
    with pytest.raises(wrong, match="no active face rig"):
        Face()


def test_two_faces_are_apart_whichever_is_active(desk, Face, tmp_path) -> None:
    one = Face(desk.generate())
    other = Face.make("anna.png", "line.wav", start=1)
    assert {face.name for face in Face.all()} == {one.name, other.name} and one != other
    assert Face() == other and other.frames == range(1, 51)
    one.handles.key("smile", 1.0, frame=112)
    assert one.handles["smile"] == 0  # keyed at another frame than the scene's, so nothing moves now
    assert one.render_changed().startswith(f"{one.take}: 50 of 50")
    one.generate(size=96)
    assert len(one.takes) == 2 and other.takes == [other.take] and one.settings.size == 96


@pytest.mark.parametrize(
    ("use", "sentence", "hint"),
    [
        (lambda face: face.emotions["hapy"], "no emotion called hapy", "happy"),
        (lambda face: face.handles.key("wink", 1), "no handle called wink", "smile"),
        (lambda face: face.emotions.__setitem__("happy", 1.5), "happy is 0 to 1, not 1.5", ""),
        (lambda face: face.emotions.key("sad", float("nan")), "sad is a number", ""),
        (lambda face: face.handles.key("smile", 1, frame=1e9), "A frame is a number", ""),
        (lambda face: face.weights(["x"]), "Frames are numbers", "weights"),
        (lambda face: face.weights([1, float("inf")]), "Frames are numbers", "weights"),
        (lambda face: face.generate(emotoin="happy"), "no setting emotoin", "emotion"),
        (lambda face: face.generate(size=1), "size wants a whole number", ""),
        (lambda face: setattr(face, "take", "bob_001"), "no take called bob_001", "anna_001"),
        (lambda face: type(face)("Bob"), "no face rig called Bob", "It has"),
        (lambda face: type(face)(42), "This is no face rig", "It has"),
        (lambda face: type(face)(face.object.children[0]), "This is no face rig", "It has"),
        (lambda face: type(face).make("gone.png", "line.wav"), "gone.png", ""),
    ],
)
def test_a_mistake_is_one_sentence_with_a_hint_and_changes_nothing(
    desk, Face, wrong, use, sentence: str, hint: str
) -> None:
    face = Face(desk.generate())
    before, frames = face.weights(), hashes(face.folder)
    with pytest.raises(wrong, match=re.escape(sentence)) as told:
        use(face)
    assert hint in told.value.hint
    assert face.takes == ["anna_001"] and face.settings.size == 64
    assert np.array_equal(face.weights(), before) and hashes(face.folder) == frames


def test_the_console_shows_the_hint_below_the_error(desk, Face, wrong) -> None:
    face = Face(desk.generate())
    with pytest.raises(wrong) as told:
        face.take = "bob_001"
    assert told.value.__notes__ == [told.value.hint]


def test_sliders_are_mappings(desk, Face) -> None:
    face = Face(desk.generate())
    assert "happy" in face.emotions and "hapy" not in face.emotions and face.handles.get("wink") is None
    face.emotions["happy"] = 0.5
    assert dict(face.emotions)["happy"] == 0.5 and len(face.emotions) == 8
    assert face.weights([]).shape == (0, 36) and face.weights(101.5).shape == (1, 36)


def test_the_front_door_loads_nothing_of_blender_before_face_is_asked_for() -> None:
    code = (
        "import importlib.util, sys; "
        f"spec = importlib.util.spec_from_file_location('door', {str(ROOT / '__init__.py')!r}); "
        "door = importlib.util.module_from_spec(spec); spec.loader.exec_module(door); "
        "print('bpy' in sys.modules, hasattr(door, 'Fac'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
