# SPDX-License-Identifier: GPL-3.0-or-later
"""Live preview with a real server: what is posed is what is shown, and nothing else is touched."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from core.wire.mouth_knobs import DEFAULTS

pytestmark = [pytest.mark.blender, pytest.mark.slow]

PATIENCE = 120.0


class Preview:
    """A face rig with a portrait, the toggle, and the crank of the timers."""

    def __init__(self, part, portrait: Path, checkpoint: Path, python: str) -> None:
        import bpy

        self.part, self.live, self.picture = part, part("preview.live"), part("preview.live_picture")
        self.switch = part("preview.live_switch")
        preferences = bpy.context.preferences.addons["bl_ext.user_default.edtalk"].preferences
        if preferences.python != python:
            preferences.python = python
        self.face = part("face.rig").make_rig(bpy.context.scene, "Anna")
        bpy.context.view_layer.objects.active = self.face
        settings = self.face.edtalk
        settings.portrait, settings.checkpoint = str(portrait), str(checkpoint)
        settings.use_crop, settings.crop, settings.size = True, (16, 0, 64), 64

    def toggle(self) -> None:
        """Press the button."""
        import bpy

        assert bpy.ops.edtalk.live_preview() == {"FINISHED"}

    def slide(self, name: str, value: float) -> None:
        """Move a slider as the interface does."""
        import bpy

        bones = self.face.pose.bones
        bones[self.part("face.rig").bank_of(name)][name] = value
        self.face.update_tag()
        bpy.context.view_layer.update()

    def until(self, condition: Callable[[], bool]) -> None:
        """What the timers do in the interface, until something is so."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, f"it never came to that: {self.live.trouble()}"
            self.part("server_process.jobs").tick()
            self.live.tick()
            time.sleep(0.002)

    def settle(self) -> None:
        """Until the picture shows what is posed now."""
        state = self.live._state
        self.until(lambda: self.picture.shown() is not None and not state.changed and state.pending is None)

    def pixels(self) -> np.ndarray:
        """What the preview image shows, uint8 [H, W, 4], top row first."""
        image = self.picture.image_or_none()
        values = np.empty(len(image.pixels), np.float32)
        image.pixels.foreach_get(values)
        width, height = image.size
        return np.rint(values.reshape(height, width, 4)[::-1] * 255).astype(np.uint8)


@pytest.fixture
def preview(part, portrait, tiny_checkpoint, server_python) -> Iterator[Preview]:
    made = Preview(part, portrait, tiny_checkpoint, server_python)
    yield made
    made.live.stop()
    made.switch._refused = False


def test_a_moved_slider_changes_the_picture(preview) -> None:
    preview.toggle()
    preview.settle()
    first = preview.pixels()
    assert first.shape == (64, 64, 4) and first[..., 3].min() == 255
    preview.slide("mouth_00", 3.0)
    preview.settle()
    assert not np.array_equal(preview.pixels(), first)
    assert preview.picture.shown().weights[0] == 3.0
    preview.slide("mouth_00", 0.0)
    preview.settle()
    assert np.array_equal(preview.pixels(), first)


def test_the_playhead_shows_the_curves_with_what_lies_on_top(preview) -> None:
    import bpy

    animation = preview.part("face.fcurves")
    animation.new_action(preview.face, "take")
    weights = np.zeros((2, 36), np.float32)
    weights[1, 25] = 2.0
    animation.write_weights(preview.face, np.array([1.0, 11.0]), weights)
    preview.toggle()
    for frame, value in ((1, 0.0), (6, 1.0), (11, 2.0)):
        bpy.context.scene.frame_set(frame)
        preview.settle()
        assert preview.picture.shown().weights[25] == pytest.approx(value, abs=1e-6)


def test_the_newest_pose_wins_and_one_request_is_in_flight(preview) -> None:
    preview.toggle()
    preview.settle()
    server = preview.part("server_process.supervisor").server_or_none()
    before = server._last_number
    preview.slide("mouth_01", 0.5)
    preview.live.tick()
    for value in (1.0, 1.5, 2.0, 2.5):
        preview.slide("mouth_01", value)
    preview.settle()
    assert preview.picture.shown().weights[1] == 2.5
    assert server._last_number - before <= 2


def test_nothing_is_asked_while_nothing_changes(preview) -> None:
    preview.toggle()
    preview.settle()
    server = preview.part("server_process.supervisor").server_or_none()
    before = server._last_number
    preview.slide("mouth_00", 0.0)
    for _ in range(20):
        preview.live.tick()
    assert server._last_number == before


def test_the_preview_stands_as_the_server_wrote_it(preview) -> None:
    """Top row on top, colours as they are."""
    preview.toggle()
    preview.settle()
    written = np.load(preview.picture.shown().out)
    assert np.array_equal(preview.pixels(), written)
    assert not np.array_equal(written, written[::-1])


def test_it_starts_the_server_and_says_so(preview) -> None:
    preview.part("server_process.supervisor").stop_server()
    preview.toggle()
    preview.live.tick()
    assert preview.part("server_process.jobs").current().title == "Live Preview"
    preview.settle()
    assert preview.part("server_process.supervisor").server_or_none().ready


def test_a_server_that_cannot_start_switches_it_off_with_the_reason(preview, tmp_path) -> None:
    import bpy

    preferences = bpy.context.preferences.addons["bl_ext.user_default.edtalk"].preferences
    preview.part("server_process.supervisor").stop_server()
    preferences.python = str(tmp_path / "nowhere" / "python")
    preview.toggle()
    preview.until(lambda: not preview.live.is_on())
    assert "does not exist" in preview.live.trouble()


def test_a_killed_server_is_started_again_at_the_next_edit(preview) -> None:
    preview.toggle()
    preview.settle()
    pid = preview.part("server_process.supervisor").server_or_none().pid
    os.kill(pid, signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
    preview.until(lambda: not preview.part("server_process.supervisor").server_or_none().alive)
    preview.slide("mouth_02", 1.0)
    preview.until(lambda: preview.picture.shown().weights[2] == 1.0)
    assert preview.part("server_process.supervisor").server_or_none().pid != pid
    assert not preview.live.trouble()


def test_a_portrait_without_a_face_is_said_once_and_not_asked_again(preview) -> None:
    preview.face.edtalk.use_crop = False
    preview.toggle()
    preview.until(lambda: bool(preview.live.trouble()))
    assert "face" in preview.live.trouble().lower() and preview.live.is_on()
    server = preview.part("server_process.supervisor").server_or_none()
    before = server._last_number
    for _ in range(20):
        preview.live.tick()
    assert server._last_number == before


def test_a_new_face_without_a_portrait_yet_is_no_trouble(preview) -> None:
    import bpy

    preview.toggle()
    preview.settle()
    first, portrait = preview.face, preview.face.edtalk.portrait
    assert bpy.ops.edtalk.new_face() == {"FINISHED"}
    preview.live.tick()
    preview.live.tick()
    assert preview.live.is_on() and not preview.live.trouble()
    settings, new = first.edtalk, bpy.context.view_layer.objects.active
    assert new != first
    new.edtalk.checkpoint, new.edtalk.size = settings.checkpoint, settings.size
    new.edtalk.use_crop, new.edtalk.crop, new.edtalk.portrait = True, tuple(settings.crop), portrait
    preview.until(lambda: preview.live._state.asked_face == new.session_uid)
    preview.settle()
    assert not preview.live.trouble()


def test_undo_and_another_file_do_not_stop_it(preview, tmp_path) -> None:
    import bpy

    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.ed.undo_push(message="before")
    preview.toggle()
    preview.settle()
    preview.slide("mouth_00", 2.0)
    preview.settle()
    bpy.ops.ed.undo_push(message="slide")
    bpy.ops.ed.undo()
    preview.face = bpy.data.objects["Anna"]
    preview.until(lambda: preview.picture.shown().weights[0] == 0.0)
    preview.settle()
    bpy.ops.wm.read_homefile(use_empty=True)
    assert preview.picture.image_or_none() is None
    for _ in range(5):
        preview.live.tick()
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    preview.face = bpy.data.objects["Anna"]
    preview.settle()
    preview.until(lambda: preview.picture.image_or_none() is not None)
    assert preview.live.is_on() and not preview.live.trouble()


def test_switched_off_it_leaves_the_file_as_it_was(preview) -> None:
    import bpy

    images, handlers = set(bpy.data.images), len(bpy.app.handlers.depsgraph_update_post)
    plane = preview.part("pictures.image_sequence").make_plane(preview.face, bpy.context.scene)
    shown = preview.part("pictures.image_sequence").texture_of(plane).image
    preview.toggle()
    preview.settle()
    assert preview.part("pictures.image_sequence").texture_of(plane).image == shown
    preview.toggle()
    assert set(bpy.data.images) == images
    assert len(bpy.app.handlers.depsgraph_update_post) == handlers
    assert not bpy.app.timers.is_registered(preview.live.tick)
    assert preview.live.tick() is None


def test_a_preview_the_artist_uses_stays(preview) -> None:
    preview.toggle()
    preview.settle()
    preview.picture.image_or_none().use_fake_user = True
    preview.toggle()
    assert preview.picture.image_or_none() is not None


def test_it_lies_on_the_square_around_the_face(preview) -> None:
    preview.toggle()
    preview.settle()
    shown = preview.picture.shown()
    assert [point[::2] for point in preview.picture.corners(preview.face, shown)] == [
        (-1, -1),
        (1, -1),
        (-1, 1),
        (1, 1),
    ]
    preview.face.edtalk.composite = "paste"
    preview.face.edtalk.take.width, preview.face.edtalk.take.height = 96, 64
    points = np.array([point[::2] for point in preview.picture.corners(preview.face, shown)])
    pixels = (points * (1, -1) + 1) / 2 * (96, 64)
    assert np.allclose(pixels, [(16, 64), (80, 64), (16, 0), (80, 0)])


def test_it_comes_by_itself_until_the_artist_refuses(preview) -> None:
    live, switch = preview.live, preview.switch
    switch.offer()
    assert live.is_on()
    preview.toggle()
    switch.offer()
    assert not live.is_on()
    preview.toggle()
    preview.live.stop()
    switch.offer()
    assert live.is_on()


def test_it_comes_back_with_a_file_whose_frames_are_counted(preview, monkeypatch) -> None:
    import bpy

    live, switch, take = preview.live, preview.switch, preview.face.edtalk.take
    status = preview.part("takes.status")
    assert switch.resume() is None and not live.is_on()  # a face without a take
    take.image = bpy.data.images.new("take", 8, 8)
    assert switch.resume() == switch.WAIT and not live.is_on()  # not counted yet
    counted = {preview.face.session_uid: ("", 1, np.zeros(1, np.uint8), np.zeros((1, 36)), [DEFAULTS])}
    monkeypatch.setattr(status, "_states", counted)
    assert switch.resume() is None and live.is_on()
    preview.toggle()
    assert switch.resume() is None and not live.is_on()  # refused
    take.image = None


def test_it_begins_after_a_job_that_went_well_and_after_no_other(preview) -> None:
    jobs = preview.part("server_process.jobs")

    def work(fails: bool):
        def steps(job):
            yield
            if fails:
                raise ValueError("no")
            return jobs.Outcome("INFO", "done")

        return steps

    for fails, on in ((True, False), (False, True)):
        jobs.start(jobs.Job("Generate", work(fails)))
        jobs.current().afterwards = preview.switch.offer
        preview.until(lambda: jobs.current() is None)
        assert preview.live.is_on() is on


def test_no_server_is_started_for_a_picture_that_is_there(preview, monkeypatch) -> None:
    service, status = preview.part("server_process.supervisor"), preview.part("takes.status")
    service.stop_server()
    known = preview.live.request(preview.face).weights
    counted = {preview.face.session_uid: ("", 1, np.zeros(1, np.uint8), np.array([known]), [DEFAULTS])}
    monkeypatch.setattr(status, "_states", counted)
    preview.toggle()
    for _ in range(20):
        preview.part("server_process.jobs").tick()
        preview.live.tick()
    assert service.server_or_none() is None and preview.part("server_process.jobs").current() is None
    preview.slide("mouth_00", 3.0)
    preview.settle()
    assert preview.picture.shown().weights[0] == 3.0


def test_without_a_face_or_a_portrait_the_button_is_grey(preview) -> None:
    import bpy

    preview.face.edtalk.portrait = ""
    assert not bpy.ops.edtalk.live_preview.poll()
    assert "portrait" in preview.live.why_not(bpy.context)
    bpy.data.objects.remove(preview.face)
    assert not bpy.ops.edtalk.live_preview.poll()
    assert "Select a face rig" in preview.live.why_not(bpy.context)


def test_switching_the_add_on_off_switches_it_off(preview) -> None:
    import bpy

    before = len(bpy.app.handlers.frame_change_post)
    preview.toggle()
    preview.settle()
    bpy.ops.preferences.addon_disable(module="bl_ext.user_default.edtalk")
    try:
        assert not preview.live.is_on() and len(bpy.app.handlers.frame_change_post) == before
    finally:
        bpy.ops.preferences.addon_enable(module="bl_ext.user_default.edtalk")


def test_the_add_on_looks_at_the_file_that_is_open_when_it_is_installed(part, monkeypatch) -> None:
    asked = []
    for module, what in ((part("takes.status"), "forget"), (part("preview.live_switch"), "resume_soon")):
        module.unregister()
        with monkeypatch.context() as patch:
            patch.setattr(module, what, lambda what=what: asked.append(what))
            module.register()
    assert asked == ["forget", "resume_soon"]


def test_blender_has_nothing_to_ask_about_when_the_file_is_saved(preview) -> None:
    preview.toggle()
    preview.settle()
    preview.slide("mouth_00", 3.0)
    preview.settle()
    image = preview.picture.image_or_none()
    assert not image.is_dirty and tuple(image.size) == (64, 64)
    image.use_fake_user = True
    before = preview.pixels()
    preview.toggle()
    assert image.packed_file is not None and np.array_equal(preview.pixels(), before)
    preview.toggle()
    preview.slide("mouth_00", -3.0)
    preview.settle()
    assert not np.array_equal(preview.pixels(), before)  # the same image goes on
    assert preview.picture.image_or_none() == image
