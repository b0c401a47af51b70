# SPDX-License-Identifier: GPL-3.0-or-later
"""A film of a take's frames with the sound. The server's Python makes it, by a command of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import bpy

from ...core.wire import ranges
from ...core.wire.errors import ServerError
from ...core.wire.origin import CONSENT
from ..pictures import image_sequence, take_folder
from ..server_process import environment
from ..server_process.client import clean_environment
from ..settings import timing
from ..settings.paths import absolute
from ..settings.preferences import preferences
from ..takes import origin
from ..takes.exchange import sound as take_sound


def make(face: bpy.types.Object, scene: bpy.types.Scene, path: Path, frames: Sequence[int]) -> None:
    """Write these scene frames of the face's take as an .mp4; one that is there goes. Raises NotStarted,
    ServerError with what the command said, of a frame that is missing for instance.
    """
    chosen, settings, take = preferences(), face.edtalk, face.edtalk.take
    python = environment.finish(environment.find_python(chosen.python if chosen else ""))
    rate = timing.rate_in(scene)
    sound = take_sound.sound_of(face) or absolute(settings.driving)
    folder = image_sequence.folder_of(take.image)
    command = [
        *(str(python), "-m", "server.cli", "preview", "--frames-in", str(folder), "--name", take_folder.STEM),
        *("--suffix", take_folder.SUFFIXES[settings.format], "--fps", repr(rate), "--out", str(path)),
        f"--frames={ranges.say(number + take.shift for number in frames)}",
        *("--from", repr((frames[0] - take.first) / rate)),
        *(("--sound", sound) if sound else ()),
        *_said(origin.asked(face)),
        *("--overwrite", "--quiet"),
    ]
    done = subprocess.run(
        command,
        capture_output=True,
        env=clean_environment(os.environ, environment.ROOT),
        stdin=subprocess.DEVNULL,
        creationflags=subprocess.CREATE_NO_WINDOW if sys.platform == "win32" else 0,
    )
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        said = next((line for line in reversed(lines) if line.startswith("edtalk: ")), "".join(lines[-1:]))
        raise ServerError(said.removeprefix("edtalk: ") or f"The film failed (status {done.returncode})")


def _said(asked: Mapping[str, Any]) -> list[str]:
    """What the frames may not say yet of who is shown; the rest of the record stands in them."""
    known = asked["origin"]
    flags = [f"--{name}={known[name]}" for name in CONSENT if name in known]
    return flags if asked["mark"] else ["--no-origin"]
