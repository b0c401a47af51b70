# SPDX-License-Identifier: GPL-3.0-or-later
"""What an animator has in front of them, for tests that press the buttons in Blender with a real server."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE = 120.0


class Desk:
    """What an animator has in front of them: a saved file, a portrait, a voice, and the buttons."""

    def __init__(
        self, part, folder: Path, portrait: Path, voice: Path, checkpoint: Path, python: str
    ) -> None:
        import bpy

        self.part, self.folder, self.voice = part, folder, voice
        self.jobs = part("server_process.jobs")
        preferences = bpy.context.preferences.addons["bl_ext.user_default.edtalk"].preferences
        if preferences.python != python:
            preferences.python = python
        bpy.ops.wm.save_as_mainfile(filepath=str(folder / "scene.blend"))
        scene = bpy.context.scene
        scene.render.fps, scene.render.fps_base = 25, 1.0
        settings = scene.edtalk
        settings.portrait, settings.audio, settings.checkpoint = str(portrait), str(voice), str(checkpoint)
        settings.use_crop, settings.crop = True, (16, 0, 64)
        settings.size, settings.detail, settings.start, settings.idle = 64, False, 101, 0.5

    @property
    def face(self):
        """The one face rig of the scene."""
        import bpy

        (face,) = self.part("face.rig").faces_in(bpy.context.scene)
        return face

    @property
    def frames(self) -> Path:
        """The folder of the face's take."""
        return self.part("pictures.image_sequence").folder_of(self.face.edtalk.take.image)

    def generate(self):
        """Press Generate and wait."""
        import bpy

        assert bpy.ops.edtalk.generate_take() == {"FINISHED"}
        return self.face

    def render_changed(self) -> None:
        """Press Render Changed and wait."""
        import bpy

        assert bpy.ops.edtalk.render_changed() == {"FINISHED"}

    def begin(self):
        """Press Generate as in the interface; nothing goes on until `until` turns the crank."""
        import bpy

        face = self.part("face.rig").active_face(bpy.context)
        order = self.part("takes.request").order_from(bpy.context, face)
        job = self.jobs.Job("Generate", self.part("takes.generation").generate(order))
        self.jobs.start(job)
        return job

    def until(self, condition: Callable[[], bool]) -> None:
        """What the timer does in the interface, until something is so."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, "it never came to that"
            self.jobs.tick()
            time.sleep(0.002)

    def streams(self, job, count: int = 5) -> Callable[[], bool]:
        """Are `count` pictures there and shown, and the job not at its end?"""
        folder = self.folder / "edtalk" / "anna_001"

        def so() -> bool:
            assert not job.finished, job.outcome
            there = len(list(folder.glob("take.*.png"))) >= count
            return there and self.face.edtalk.take.shown

        return so


def hashes(folder: Path) -> dict[int, str]:
    """Frame number -> digest, for all pictures of a take."""
    return {
        int(path.name.split(".")[1]): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.glob("take.*.png")
    }


def key_of(desk: Desk, name: str, frame: int):
    """The key of a weight at a scene frame."""
    path = desk.part("face.rig").path_of(name)
    curve = desk.part("face.fcurves").curves_of(desk.face).fcurves.find(path)
    return next(key for key in curve.keyframe_points if abs(key.co.x - frame) < 1e-3), curve


def gone(pid: int) -> bool:
    """Has this process ended?"""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except OSError:
            return True
        time.sleep(0.05)
    return False
