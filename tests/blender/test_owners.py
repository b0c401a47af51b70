# SPDX-License-Identifier: GPL-3.0-or-later
"""A take's frames belong to the file that made them; whoever copied it gets a take of its own."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.support.desk import Desk, hashes, key_of

pytestmark = [pytest.mark.blender, pytest.mark.slow]


@pytest.fixture
def desk(part, tmp_path, portrait, voice, tiny_checkpoint, server_python) -> Desk:
    made = Desk(part, tmp_path, portrait, voice, tiny_checkpoint, server_python)
    made.generate()
    import bpy

    bpy.ops.wm.save_mainfile()
    return made


def everything(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "rendered.npz"}


def edit(desk) -> None:
    key, curve = key_of(desk, "mouth_00", 121)
    key.co.y += 0.5
    curve.update()


def save_as_beside(desk):
    import bpy

    bpy.ops.wm.save_as_mainfile(filepath=str(desk.folder / "scene_v002.blend"))


def save_as_elsewhere(desk):
    import bpy

    (desk.folder / "versions" / "two").mkdir(parents=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(desk.folder / "versions" / "two" / "scene.blend"))


def save_a_copy_and_open_it(desk):
    import bpy

    copy = str(desk.folder / "copy.blend")
    bpy.ops.wm.save_as_mainfile(filepath=copy, copy=True)
    bpy.ops.wm.open_mainfile(filepath=copy)


def copy_the_file(desk):
    import bpy

    shutil.copyfile(desk.folder / "scene.blend", desk.folder / "scene copy.blend")
    bpy.ops.wm.open_mainfile(filepath=str(desk.folder / "scene copy.blend"))


def append_the_face(desk):
    import bpy

    settings = {name: bpy.path.abspath(getattr(desk.face.edtalk, name)) for name in ("portrait", "audio")}
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(desk.folder / "shot.blend"))
    with bpy.data.libraries.load(str(desk.folder / "scene.blend")) as (there, here):
        here.objects = list(there.objects)
    for ob in here.objects:
        bpy.context.scene.collection.objects.link(ob)
    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = 25, 1.0
    for name, value in settings.items():
        setattr(desk.face.edtalk, name, value)


def append_into_an_unsaved_file(desk):
    import bpy

    settings = {name: bpy.path.abspath(getattr(desk.face.edtalk, name)) for name in ("portrait", "audio")}
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(str(desk.folder / "scene.blend")) as (there, here):
        here.objects = list(there.objects)
    for ob in here.objects:
        bpy.context.scene.collection.objects.link(ob)
    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = 25, 1.0
    for name, value in settings.items():
        setattr(desk.face.edtalk, name, value)


COPIES = [
    save_as_beside,
    save_as_elsewhere,
    save_a_copy_and_open_it,
    copy_the_file,
    append_the_face,
    append_into_an_unsaved_file,
]


@pytest.mark.parametrize("copy", COPIES)
def test_a_copy_renders_into_a_take_of_its_own(desk, part, copy, monkeypatch, tmp_path) -> None:
    import bpy

    monkeypatch.setattr(part("pictures.take_folder").tempfile, "gettempdir", lambda: str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    first = desk.frames
    before, pictures = everything(first), hashes(first)
    copy(desk)
    edit(desk)
    desk.render_changed()
    mine = desk.frames
    assert mine != first and desk.face.edtalk.take.name == mine.name != "anna_001"
    assert everything(first) == before
    changed = [n for n, digest in hashes(mine).items() if digest != pictures[n]]
    assert 0 < len(changed) < 10 and sorted(hashes(mine)) == sorted(pictures)
    assert "stays as it is" in desk.jobs.last().hint and "of 50 frames" in desk.jobs.last().text
    desk.render_changed()
    assert desk.frames == mine and "up to date" in desk.jobs.last().text
    assert everything(first) == before
    if copy is not append_into_an_unsaved_file:
        bpy.ops.wm.open_mainfile(filepath=str(desk.folder / "scene.blend"))
        desk.render_changed()
        assert desk.frames == first and "up to date" in desk.jobs.last().text and everything(first) == before


def test_plane_strips_and_rows_show_the_take_of_its_own(desk, part) -> None:
    import bpy

    save_as_beside(desk)
    desk.render_changed()
    face, sequence = desk.face, part("pictures.image_sequence")
    assert sequence.texture_of(sequence.plane_of(face)).image == face.edtalk.take.image
    assert [row.name for row in part("takes.take_rows").rows_of(face)] == ["anna_002"]
    assert face.animation_data.action.name == "anna_002" == face.edtalk.take.image.name
    strips = [
        s for s in part("pictures.sequencer").find_strips(bpy.context.scene, "anna_002") if s.type == "IMAGE"
    ]
    assert [Path(bpy.path.abspath(strip.directory)).name for strip in strips] == ["anna_002"]


def test_who_was_renamed_or_moved_with_its_frames_goes_on_in_them(desk, tmp_path) -> None:
    import bpy

    (desk.folder / "scene.blend").rename(desk.folder / "final.blend")
    bpy.ops.wm.open_mainfile(filepath=str(desk.folder / "final.blend"))
    desk.render_changed()
    assert desk.frames == desk.folder / "edtalk" / "anna_001"
    bpy.ops.wm.save_mainfile()
    (tmp_path / "moved").mkdir()
    for name in ("final.blend", "edtalk", "anna.png", "line.wav"):
        os.rename(desk.folder / name, tmp_path / "moved" / name)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "moved" / "final.blend"))
    desk.face.edtalk.portrait = str(tmp_path / "moved" / "anna.png")
    desk.render_changed()
    assert desk.frames == tmp_path / "moved" / "edtalk" / "anna_001"


def test_a_worker_of_a_farm_leaves_the_frames_of_another_file_alone(desk, part) -> None:
    first = desk.frames
    before, record = everything(first), (first / "rendered.npz").read_bytes()
    save_as_beside(desk)
    edit(desk)
    shot = part("batch.manifest").Shot(name="shot")
    saved = part("batch.manifest").Shot(name="shot", save=str(desk.folder / "other.blend"))
    for one, share, whole in (
        (shot, (1, 2), False),
        (shot, None, False),
        (shot, None, True),
        (saved, (1, 2), False),
        (saved, None, True),
    ):
        with pytest.raises(Exception, match=r"belong to scene\.blend and stay"):
            part("batch.run").render(one, lambda job: None, part=share, all_frames=whole)
    assert (first / "rendered.npz").read_bytes() == record
    assert everything(first) == before and not (desk.folder / "edtalk" / "anna_002").exists()


@pytest.mark.parametrize("copy", [save_as_beside, copy_the_file, append_the_face])
def test_a_copy_that_deletes_a_take_with_its_files_leaves_those_of_the_first(desk, copy) -> None:
    import bpy

    first = desk.frames
    before = everything(first)
    copy(desk)
    bpy.context.view_layer.objects.active = desk.face
    assert bpy.ops.edtalk.delete_take(take="anna_001", files=True) == {"FINISHED"}
    assert everything(first) == before


def test_a_copy_that_is_cancelled_leaves_nothing_behind(desk, part) -> None:
    import bpy

    save_as_beside(desk)
    order = part("takes.request").order_for_changes(bpy.context, desk.face)
    job = desk.jobs.Job("Render Changed", part("takes.generation").render_changed(order))
    desk.jobs.start(job)
    desk.until(lambda: job.done > 3)
    job.cancel()
    desk.until(lambda: job.finished)
    assert not (desk.folder / "edtalk" / "anna_002").exists() and desk.face.edtalk.take.name == "anna_001"


@pytest.mark.parametrize(
    "damage", [b"", b"[]", b"[" * 100_000, b'{"blend": 5}', b'{"blend": "\\u0000", "session": ""}']
)
def test_a_damaged_note_is_none(desk, damage: bytes) -> None:
    (desk.frames / "edtalk-blend.json").write_bytes(damage)
    desk.render_changed()
    assert desk.frames.name == "anna_001" and "up to date" in desk.jobs.last().text
    assert json.loads((desk.frames / "edtalk-blend.json").read_bytes())["blend"] == "../../scene.blend"


# ------------------------------------------------------------------------------------------------- unsaved


def test_two_blenders_that_ask_at_once_get_two_folders(part, tmp_path) -> None:
    takes = part("pictures.take_folder")
    names = [takes.claim(tmp_path / "edtalk", "anna.png") for _ in range(3)]
    (tmp_path / "edtalk" / "anna_004").symlink_to(tmp_path / "nowhere")
    names.append(takes.claim(tmp_path / "edtalk", "anna.png"))
    assert names == ["anna_001", "anna_002", "anna_003", "anna_005"]


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="rights of Unix")
def test_takes_of_unsaved_files_lie_where_only_their_user_may_look(part, tmp_path, monkeypatch) -> None:
    takes = part("pictures.take_folder")
    monkeypatch.setattr(takes.tempfile, "gettempdir", lambda: str(tmp_path))
    folder = takes.private_folder()
    assert folder.stat().st_mode & 0o777 == 0o700 and takes.private_folder() == folder
    folder.rmdir()
    (tmp_path / "theirs").mkdir()
    folder.symlink_to(tmp_path / "theirs")
    with pytest.raises(Exception, match="somebody else's"):
        takes.private_folder()


def test_a_take_of_an_unsaved_file_is_its_own_once_the_file_is_saved(
    desk, part, tmp_path, monkeypatch
) -> None:
    import bpy

    monkeypatch.setattr(part("pictures.take_folder").tempfile, "gettempdir", lambda: str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    settings = {
        name: getattr(bpy.context.scene.edtalk, name) for name in ("portrait", "audio", "checkpoint", "size")
    }
    bpy.ops.wm.read_homefile(use_empty=True)
    for name, value in settings.items():
        setattr(bpy.context.scene.edtalk, name, value)
    bpy.context.scene.edtalk.use_crop, bpy.context.scene.edtalk.crop = True, (16, 0, 64)
    desk.generate()
    first = desk.frames
    assert json.loads((first / "edtalk-blend.json").read_bytes())["blend"] == ""
    blend = str(tmp_path / "first.blend")
    bpy.ops.wm.save_as_mainfile(filepath=blend)
    assert json.loads((first / "edtalk-blend.json").read_bytes())["blend"].endswith("first.blend")
    monkeypatch.setattr(part("takes.owners"), "SESSION", "another Blender")
    bpy.ops.wm.open_mainfile(filepath=blend)
    desk.render_changed()
    assert desk.frames == first
