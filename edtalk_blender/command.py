# SPDX-License-Identifier: GPL-3.0-or-later
"""`blender --command edtalk ...`: the same jobs without a window, for farms and scripts.

    blender --command edtalk check
    blender --command edtalk generate --portrait anna.png --audio line.wav --save anna.blend
    blender -b anna.blend --command edtalk render --save anna.blend
    blender -b anna.blend --command edtalk export --out anna.csv

Exit status: 0 done, 1 it did not work (one sentence on stderr), 2 wrong arguments, 130 cancelled.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import bpy

from ..core.wire.errors import Cancelled, EDTalkError
from . import exchange, jobs, orders, reasons, rig, timing, work
from .properties import COMPOSITE_ITEMS, EMOTION_ITEMS, FORMAT_ITEMS, settings_of


def parser() -> argparse.ArgumentParser:
    """The command line's own description."""
    top = argparse.ArgumentParser(
        prog="blender --command edtalk", description="Talking faces without a window"
    )
    commands = top.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="say what the server runs on")

    generate = commands.add_parser("generate", help="portrait and voice -> a take in the scene")
    generate.add_argument("--portrait", type=Path, required=True)
    generate.add_argument("--audio", type=Path)
    generate.add_argument("--driving", type=Path, help="clip whose head motion and expression are taken over")
    generate.add_argument("--checkpoint", type=Path)
    generate.add_argument("--out", type=Path, help="folder for the takes (default: edtalk beside the .blend)")
    generate.add_argument("--start", type=int, help="scene frame at which the take begins (default: 1)")
    generate.add_argument("--emotion", choices=[item[0] for item in EMOTION_ITEMS])
    generate.add_argument("--idle", type=float, help="natural head motion and blinks, 0..1")
    generate.add_argument("--seed", type=int)
    generate.add_argument(
        "--face", type=int, help="which face of the portrait, from the left, 1 is the first"
    )
    generate.add_argument("--size", type=int, help="side of the face's square, pixels")
    generate.add_argument("--composite", choices=[item[0] for item in COMPOSITE_ITEMS])
    generate.add_argument("--format", choices=[item[0] for item in FORMAT_ITEMS])

    render = commands.add_parser("render", help="render the frames that are out of date")
    render.add_argument("--rig", help="name of the face rig (default: every face of the scene)")
    for command in (generate, render):
        command.add_argument("--save", type=Path, help="save the scene as this .blend afterwards")

    export = commands.add_parser("export", help="write the weights at scene frames")
    export.add_argument("--out", type=Path, required=True, help="file that ends in .npz, .csv or .json")
    export.add_argument("--rig", help="name of the face rig, where a scene has several")
    export.add_argument("--frames", type=frames, help="first-last, such as 90-104 (default: the whole take)")
    export.add_argument("--overwrite", action="store_true", help="replace a file that exists")
    return top


def frames(text: str) -> range:
    """Scene frames from "90-104" or "90"; both ends belong to it. Raises ArgumentTypeError."""
    found = re.fullmatch(r"(-?\d{1,7})(?:-(-?\d{1,7}))?", text)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if last < first:
        raise argparse.ArgumentTypeError(f"{text!r} is no range of frames such as 90-104")
    return range(first, last + 1)


def main(arguments: list[str]) -> int:
    """Called by Blender with what follows `--command edtalk`; the result is the exit status."""
    try:
        options = parser().parse_args(arguments)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 2
    if options.command == "check":
        return _run(jobs.Job("Check Server", work.check))
    if options.command == "export":
        return _export(options)
    result = _generate(options) if options.command == "generate" else _render(options)
    if options.save is not None and result == 0:
        bpy.ops.wm.save_as_mainfile(filepath=str(options.save.absolute()))
    return result


def _generate(options: argparse.Namespace) -> int:
    if options.save is not None and not bpy.data.filepath and options.out is None:
        options.out = options.save.absolute().parent / "edtalk"
    settings = settings_of(bpy.context)
    for name in ("portrait", "audio", "driving", "checkpoint"):
        path = getattr(options, name)
        setattr(settings, name, str(path.absolute()) if path is not None else "")
    if options.out is not None:
        settings.folder = str(options.out.absolute())
    for name in ("start", "emotion", "idle", "seed", "face", "size", "composite", "format"):
        if getattr(options, name) is not None:
            setattr(settings, name, getattr(options, name))
    reason = reasons.why_not_generate(bpy.context)
    if reason:
        return _fail(reason)
    order = orders.order_from(bpy.context, rig.active_face(bpy.context))
    return _run(jobs.Job("Generate", work.generate(order)))


def _render(options: argparse.Namespace) -> int:
    faces = [face for face in rig.faces_in(bpy.context.scene) if face.edtalk.take.image is not None]
    if options.rig is not None:
        faces = [face for face in faces if face.name == options.rig]
    if not faces:
        return _fail("There is no face rig with a take in this scene")
    result = 0
    for face in faces:
        order = orders.order_for_changes(bpy.context, face)
        result = result or _run(jobs.Job(f"Render {face.name}", work.render_changed(order)))
    return result


def _export(options: argparse.Namespace) -> int:
    scene = bpy.context.scene
    faces = [face for face in rig.faces_in(scene) if options.rig in (None, face.name)]
    if not faces:
        return _fail("There is no such face rig in this scene")
    if len(faces) > 1:
        return _fail(f"Name one of these with --rig: {', '.join(face.name for face in faces)}")
    try:
        print(exchange.export(faces[0], scene, options.out.absolute(), options.frames, options.overwrite))
    except EDTalkError as error:
        return _fail(str(error))
    return 0


def _run(job: jobs.Job) -> int:
    shown = ""

    def tell(running: jobs.Job) -> None:
        nonlocal shown
        tenth = 10 * running.done // running.total if running.total else 0
        key = f"{running.stage} {tenth}"
        if key != shown:
            shown = key
            print(
                timing.progress_text(running.stage, running.done, running.total, running.fps, running.eta),
                flush=True,
            )

    outcome = jobs.run(job, tell)
    if isinstance(job.error, Cancelled):
        print(outcome.text, file=sys.stderr)
        return 130
    if outcome.level == "ERROR":
        return _fail(jobs.sentence(outcome))
    print(jobs.sentence(outcome), flush=True)
    return 0


def _fail(sentence: str) -> int:
    print(f"edtalk: {sentence}", file=sys.stderr, flush=True)
    return 1


_handle = None


def register() -> None:
    """Make `--command edtalk` known."""
    global _handle
    _handle = bpy.utils.register_cli_command("edtalk", main)


def unregister() -> None:
    """The reverse of `register`."""
    global _handle
    if _handle is not None:
        bpy.utils.unregister_cli_command(_handle)
        _handle = None
