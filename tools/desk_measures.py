# SPDX-License-Identifier: GPL-3.0-or-later
"""What `bench_desk.py` measures on the extension as users have it: curves, evaluation, changed frames, and
the turns of the timer while frames stream in.
"""

from __future__ import annotations

import importlib
import math
import subprocess
import sys
import time
import wave
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
MODULE = "bl_ext.user_default.edtalk"
DEMO = ROOT / "demo"
KEYS = 3000
TAKE = 1500


class Row(dict):
    """What, milliseconds (median, low and high quartile, 95th percentile), target, and the plainer way."""

    def __init__(
        self, what: str, seconds: Sequence[float], target: str = "", plain: str = "", ratio: float = 0
    ):
        ms = 1000 * np.asarray(seconds)
        low, median, high, p95 = (float(np.quantile(ms, share)) for share in (0.25, 0.5, 0.75, 0.95))
        super().__init__(
            what=what, median_ms=median, low_ms=low, high_ms=high, p95_ms=p95, most_ms=float(ms.max()),
            runs=len(ms), target=target, plain=plain, ratio=ratio,
        )  # fmt: skip


def measured(run: Callable[[], object], repeats: int) -> list[float]:
    """Seconds of each run, after one to warm up."""
    run()
    found = []
    for _ in range(repeats):
        began = time.perf_counter()
        run()
        found.append(time.perf_counter() - began)
    return found


# ------------------------------------------------------------------------------------------- the extension


def installed(scratch: Path) -> Callable[[str], object]:
    """The extension as users have it, installed from its zip unless it is there already: part("face.rig")."""
    import bpy

    if MODULE not in bpy.context.preferences.addons:
        build = [sys.executable, str(ROOT / "tools" / "build_extension.py"), "--out", str(scratch / "dist")]
        subprocess.run(build, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        (archive,) = (scratch / "dist").glob("*.zip")
        bpy.ops.extensions.package_install_files(
            filepath=str(archive), repo="user_default", enable_on_install=True, overwrite=True
        )
    return lambda name: importlib.import_module(f"{MODULE}.edtalk_blender.{name}")


def speech(count: int, rate: float = 25.0) -> np.ndarray:
    """Smooth random weights [count, 36], as fast as speech."""
    noise = np.random.default_rng(0).normal(size=(count, 36))
    kernel = np.hanning(7) / np.hanning(7).sum()
    return np.stack([np.convolve(column, kernel, "same") for column in noise.T], axis=1).astype(np.float32)


# -------------------------------------------------------------------------------------------------- curves


def curves(part, repeats: int) -> list[Row]:
    """Writing a take to the rig."""
    import bpy

    animation, rig = part("face.fcurves"), part("face.rig")
    face = rig.make_rig(bpy.context.scene, "Bench")
    weights, frames = speech(KEYS), 101 + np.arange(KEYS) * (24 / 25)

    def write() -> None:
        animation.new_action(face, "Take")
        animation.write_weights(face, frames, weights)

    def insert() -> None:
        """One key after the other, on one curve."""
        animation.new_action(face, "Plain")
        curve = animation.curves_of(face).fcurves.new(rig.path_of("mouth_00"), index=0)
        for frame, value in zip(frames.tolist(), weights[:, 0].tolist()):
            curve.keyframe_points.insert(frame, value, options={"FAST"})
        curve.update()

    ours, plain = measured(write, repeats), measured(insert, 3)
    ratio = 36 * np.median(plain) / np.median(ours)
    what = f"write a take: {KEYS} keys on each of 36 curves"
    return [Row(what, ours, "", "keys inserted one by one", float(ratio))]


def evaluation(part, repeats: int) -> list[Row]:
    """Reading the rig at every frame, with NLA and drivers, in a scene that is slow by itself."""
    import bpy

    animation, scene = part("face.fcurves"), bpy.context.scene
    face = part("face.rig").make_rig(scene, "Evaluated")
    bpy.context.view_layer.objects.active = face
    animation.new_action(face, "Take")
    animation.write_weights(face, 101 + np.arange(KEYS), speech(KEYS))
    part("takes.edit_on_top").edit_on_top(face)
    face.pose.bones["mouth"]["mouth_03"] = 0.5
    face.keyframe_insert(part("face.rig").path_of("mouth_03"), frame=200)
    driver = face.driver_add(part("face.rig").path_of("expression_07")).driver
    variable = driver.variables.new()
    variable.targets[0].id, variable.targets[0].data_path = face, part("face.rig").path_of("mouth_00")
    driver.expression = f"0.5 * {variable.name}"
    for number in range(200):  # somebody's scene
        prop = bpy.data.objects.new(f"Prop {number}", None)
        scene.collection.objects.link(prop)
        prop.keyframe_insert("location", frame=1)
        prop.location.x = 5
        prop.keyframe_insert("location", frame=KEYS)
    numbers = np.arange(101, 101 + KEYS)
    ours = measured(lambda: animation.read_weights(face, numbers, scene), repeats)

    def step() -> None:
        for number in numbers[:100].tolist():
            scene.frame_set(number)

    ratio = KEYS / 100 * np.median(measured(step, 3)) / np.median(ours)
    what = f"evaluate {KEYS} frames, with an NLA layer and a driver"
    return [Row(what, ours, "", "stepping through a scene of 200 keyed objects", float(ratio))]


def changed(part, repeats: int, scratch: Path) -> list[Row]:
    """Which of a take's pictures are out of date."""
    module, takes = part("pictures.frame_record"), part("pictures.take_folder")
    folder, look = scratch / "take", bytes(range(16))
    folder.mkdir()
    numbers, weights = np.arange(101, 101 + KEYS), speech(KEYS)
    files = [takes.file_name(int(number), "png") for number in numbers]
    with module.Rendered(folder) as record:
        for number, name, row in zip(numbers.tolist(), files, weights):
            (folder / name).write_bytes(b"a picture")
            record.note(number, row, look)
    edited = weights.copy()
    edited[700:714, 3] += 0.1
    record = module.Rendered(folder)
    assert record.changed(numbers, edited, look, files).sum() == 14

    def plain() -> None:
        for name in files:
            (folder / name).stat()

    rows = [
        Row(f"read the record of {KEYS} pictures", measured(lambda: module.Rendered(folder), repeats)),
        Row("write it", measured(record.save, repeats)),
    ]
    ours, stats = (
        measured(run, repeats) for run in (lambda: record.changed(numbers, edited, look, files), plain)
    )
    ratio = float(np.median(stats) / np.median(ours))
    return [*rows, Row("find the 14 frames that changed", ours, "", "asking for each file by itself", ratio)]


# --------------------------------------------------------------------------------------------- main thread


def ticks(part, scratch: Path, seconds: float) -> list[Row]:
    """Main-thread time of each turn of the timer, while a take is generated and its frames stream in."""
    import bpy

    jobs, orders, work = part("server_process.jobs"), part("takes.request"), part("takes.generation")
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(scratch / "bench.blend"))
    settings = bpy.context.scene.edtalk
    settings.portrait, settings.audio = (
        str(DEMO / "portrait.png"),
        str(lengthened(scratch / "voice.wav", seconds)),
    )
    settings.size, settings.start, settings.detail = 64, 101, False
    job = jobs.Job("Generate", work.generate(orders.order_from(bpy.context, None)))
    jobs.start(job)
    streaming, landing, took = [], [], 0.0
    while not job.finished:
        time.sleep(jobs.TICK)
        folder = next((scratch / "edtalk").glob("*"), None)
        frames = folder is not None and (folder / "take.0101.png").exists()
        began = time.perf_counter()
        jobs.tick()
        took = time.perf_counter() - began
        (streaming if frames else landing).append(took)
    assert job.error is None, job.outcome
    rows = [Row(f"a turn of the timer while {count(part)} frames stream in", streaming, "95 % under 10 ms")]
    return [*rows, Row("the turn in which a take lands on the rig, once", [max(landing)])]


def count(part) -> int:
    """Frames of the only take."""
    import bpy

    (face,) = part("face.rig").faces_in(bpy.context.scene)
    return face.edtalk.take.last - face.edtalk.take.first + 1


def lengthened(path: Path, seconds: float) -> Path:
    """The demo's voice, repeated to a length."""
    with wave.open(str(DEMO / "voice.wav"), "rb") as voice:
        settings, data = voice.getparams(), voice.readframes(voice.getnframes())
    size = int(seconds * settings.framerate) * settings.sampwidth * settings.nchannels
    with wave.open(str(path), "wb") as file:
        file.setparams(settings)
        file.writeframes((data * math.ceil(size / len(data)))[:size])
    return path
