# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the animator's side takes in Blender: keys, evaluation, changed frames, the main thread, previews.

    python tools/bench_desk.py                                    # with Blender as a module, or
    blender -b --python tools/bench_desk.py -- --json 4.5.json
    python tools/bench_desk.py --collect 4.2.json 4.5.json --doc docs/desk-speed.md

Measured is the extension itself, built and installed as users have it. Where there is a plainer way to the
same end it is measured in the same run, so that a busy machine slows both alike. `--collect` measures nothing
and puts what several runs wrote into the page, a column each. Close other programs first.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import math
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
MODULE = "bl_ext.user_default.edtalk"
DEMO = ROOT / "demo"
MARKS = ("<!-- bench: begin -->", "<!-- bench: end -->")
KEYS = 3000
TAKE = 1500

# A server without a model: it answers every preview at once with the same picture.
STUB = """
import os, sys
source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
sys.path.append({root!r})
import numpy as np
from core.wire import envelope, framing, messages
picture = np.random.default_rng(0).integers(0, 255, (256, 256, 4), np.uint8)
reader, writer = framing.Reader(source), framing.Writer(sink)
while (data := reader.read()) is not None:
    asked = envelope.open_request(data)
    message = asked.message()
    if isinstance(message, messages.Preview):
        with open(message.out + ".part", "wb") as file:
            np.save(file, picture)
        os.replace(message.out + ".part", message.out)
        answer = messages.Previewed(out=message.out, width=256, height=256, ms=0)
    else:
        answer = messages.Initialized(protocol=messages.PROTOCOL, server="stub", python="", torch="",
                                      device="cpu", memory_mb=0, pid=os.getpid(), checkpoints=())
    writer.write(envelope.result(asked.number, answer))
"""


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
    """The extension as users have it, installed from its zip unless it is there already: part("rig")."""
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

    animation, rig = part("animation"), part("rig")
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

    animation, scene = part("animation"), bpy.context.scene
    face = part("rig").make_rig(scene, "Evaluated")
    bpy.context.view_layer.objects.active = face
    animation.new_action(face, "Take")
    animation.write_weights(face, 101 + np.arange(KEYS), speech(KEYS))
    part("layers").edit_on_top(face)
    face.pose.bones["mouth"]["mouth_03"] = 0.5
    face.keyframe_insert(part("rig").path_of("mouth_03"), frame=200)
    driver = face.driver_add(part("rig").path_of("expression_07")).driver
    variable = driver.variables.new()
    variable.targets[0].id, variable.targets[0].data_path = face, part("rig").path_of("mouth_00")
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
    module, takes = part("rendered"), part("takes")
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

    jobs, orders, work = part("jobs"), part("orders"), part("work")
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

    (face,) = part("rig").faces_in(bpy.context.scene)
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


# ------------------------------------------------------------------------------------------------ previews


def previews(part, scratch: Path, repeats: int) -> list[Row]:
    """From a slider's new value to the picture in Blender's image; needs the take that `ticks` made."""
    rows = []
    service, live = part("service"), part("live")
    stub = scratch / "stub"
    (stub / "server").mkdir(parents=True)
    (stub / "server" / "__init__.py").touch()
    (stub / "server" / "__main__.py").write_text(STUB.format(root=str(ROOT)), encoding="utf-8")
    real = service.server_or_none()
    python = real.python
    plain = part("client").Server(python, stub, scratch / "stub.log")
    plain.start()
    while not plain.greeted():
        plain.listen(0.05)
    for what, server, target in (
        ("preview, from slider to picture, without a model", plain, "under 5 ms"),
        ("the same with the model", real, ""),
    ):
        service._server = server
        live.start()
        try:
            rows.append(Row(what, [once(part, live, 0.01 * turn) for turn in range(repeats + 5)][5:], target))
        finally:
            live.stop()
    plain.stop()
    service._server = real
    return rows


def once(part, live, value: float) -> float:
    """Seconds from setting a weight until its picture is shown; the timer's own waits are left out."""
    import bpy

    (face,) = part("rig").faces_in(bpy.context.scene)
    before = part("live_picture").shown()
    began = time.perf_counter()
    face.pose.bones["mouth"]["mouth_00"] = value + 1e-3
    face.update_tag()
    bpy.context.view_layer.update()
    live._state.changed = True
    while part("live_picture").shown() is before:
        live.tick()
        time.sleep(1e-4)  # as Blender does, and longer; else the thread that reads the pipe cannot run
        assert not live.trouble(), live.trouble()
        assert time.perf_counter() - began < 60, "no picture came"
    return time.perf_counter() - began


# ---------------------------------------------------------------------------------------------- the page


def measure(options: argparse.Namespace) -> dict:
    """Everything, in this Blender."""
    import bpy

    repeats = 5 if options.quick else 25
    with tempfile.TemporaryDirectory(prefix="edtalk-desk-", ignore_cleanup_errors=True) as folder:
        scratch = Path(folder)
        part = installed(scratch)
        try:
            python = options.python or os.environ.get("EDTALK_PYTHON") or own_python()
            bpy.context.preferences.addons[MODULE].preferences.python = python
            rows = curves(part, repeats) + evaluation(part, repeats) + changed(part, repeats, scratch)
            rows += ticks(part, scratch, (10 if options.quick else TAKE / 24))
            rows += previews(part, scratch, 20 if options.quick else 200)
        finally:
            bpy.ops.wm.read_homefile(use_empty=True)
            bpy.ops.preferences.addon_disable(module=MODULE)  # Blender must let go of every timer and handler
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    system = f"{platform.system()} {platform.machine()}"
    version = ".".join(map(str, bpy.app.version))
    return {"blender": version, "system": system, "cores": usable, "date": str(date.today()), "rows": rows}


def own_python() -> str:
    """This interpreter when it can run the server; "" lets the extension look for one."""
    return sys.executable if importlib.util.find_spec("torch") is not None else ""


def table(runs: Sequence[dict]) -> str:
    """Markdown, a column for each run."""
    first = runs[0]
    head = ["", "target", *(f"Blender {run['blender']}" for run in runs)]
    lines = [f"Measured on {first['date']} by `make bench`: {first['system']}, {first['cores']} cores.", ""]
    lines += ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for rows in zip(*(run["rows"] for run in runs)):
        values = []
        for row in rows:
            text = f"{row['median_ms']:.2f} ms"
            if row["runs"] > 1:
                text += f" ({row['low_ms']:.2f} to {row['high_ms']:.2f}), 95 % within {row['p95_ms']:.2f}"
            if row["plain"]:
                text += f"; {row['ratio']:.1f} times as fast as {row['plain']}"
            values.append(text)
        lines.append("| " + " | ".join([rows[0]["what"], rows[0]["target"], *values]) + " |")
    return "\n".join(lines)


def into_page(page: Path, text: str) -> None:
    """Replace what stands between the marks, whole or not at all."""
    old = page.read_text(encoding="utf-8") if page.is_file() else "\n".join(MARKS)
    before, rest = old.split(MARKS[0], 1)
    new = page.with_name(f".{page.name}.{os.getpid()}.part")
    new.write_text(f"{before}{MARKS[0]}\n{text}\n{MARKS[1]}{rest.split(MARKS[1], 1)[1]}", encoding="utf-8")
    os.replace(new, page)


def main(arguments: Sequence[str]) -> None:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--python", default="", help="the server's Python (default: this one, or the usual ones)"
    )
    parser.add_argument("--quick", action="store_true", help="few repetitions, rough numbers")
    parser.add_argument("--json", type=Path, help="write the numbers")
    parser.add_argument("--doc", type=Path, help="put the table into this page")
    parser.add_argument("--collect", type=Path, nargs="+", metavar="JSON", help="measure nothing, take these")
    options = parser.parse_args(arguments)
    if options.collect:
        runs = [json.loads(path.read_text("utf-8")) for path in options.collect]
    else:
        runs = [measure(options)]
        if options.json:
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_text(json.dumps(runs[0], indent=1), encoding="utf-8")
    print(table(runs))
    if options.doc:
        into_page(options.doc, table(runs))


def in_blender(arguments: Sequence[str]) -> None:
    """With a user folder of its own, so that the artist's Blender is left alone."""
    if importlib.util.find_spec("bpy") is not None and "bpy" not in sys.modules:
        resources = tempfile.mkdtemp(prefix="edtalk-desk-user-")
        os.environ["BLENDER_USER_RESOURCES"] = resources
        try:
            main(arguments)
        finally:
            shutil.rmtree(resources, ignore_errors=True)
    else:
        main(arguments)


if __name__ == "__main__":
    in_blender(sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:])
