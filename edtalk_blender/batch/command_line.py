# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of `blender --command edtalk ...`, and what they ask for: one shot, or those of a manifest."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy

from ...core.wire import ranges
from ...core.wire.errors import InputError
from ..face.rig import settings_of
from . import manifest
from . import options as panel
from .manifest import Shot


def parser() -> argparse.ArgumentParser:
    """The command line's own description."""
    top = argparse.ArgumentParser(
        prog="blender --command edtalk", description="Talking faces without a window"
    )
    commands = top.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="say what the server runs on")

    generate = commands.add_parser("generate", help="portrait and voice -> a take in the scene")
    panel.add_to(generate)
    generate.add_argument("--fps", type=float, help="frames a second of the scene, 23.976 and 29.97 too")
    generate.add_argument(
        "--rig", help="name of the face rig that gets the take (default: the active or only one)"
    )
    generate.add_argument("--new-face", action="store_true", default=None, help="make another face rig")
    generate.add_argument(
        "--no-render",
        dest="render",
        action="store_false",
        default=None,
        help="key the take and leave its frames to `render`, on a farm for instance",
    )

    render = commands.add_parser("render", help="render the frames that are out of date")
    render.add_argument("--rig", help="name of the face rig (default: every face of the scene)")
    render.add_argument(
        "--part", type=_typed(ranges.parse_part), metavar="N/OF", help="3/8: the third eighth"
    )
    render.add_argument(
        "--gather",
        action="store_true",
        help="render what the workers left out and take their records together; when all of them are done",
    )
    render.add_argument("--all", action="store_true", help="render frames that are up to date, too")

    export = commands.add_parser("export", help="write the weights at scene frames")
    preview = commands.add_parser("preview", help="a film of the frames that are there, with the sound")
    for command, what in (
        (export, "file that ends in .npz, .csv or .json; .livelink.csv has ARKit's shapes"),
        (preview, "file that ends in .mp4"),
    ):
        command.add_argument("--out", metavar="FILE", help=what)
        command.add_argument("--rig", help="name of the face rig, where a scene has several")
        command.add_argument(
            "--overwrite", action="store_true", default=None, help="replace a file that exists"
        )
    for command in (render, export, preview):
        command.add_argument(
            "--frames",
            type=_typed(ranges.parse),
            help="scene frames, such as 1-100,120 (default: the whole take)",
        )
    for command in (generate, render):
        command.add_argument("--save", metavar="BLEND", help="save the scene as this .blend afterwards")
    for command in (generate, render, export, preview):
        command.add_argument("--manifest", type=Path, metavar="JSON", help="do this with many shots")
        command.add_argument("--only", metavar="SHOT,SHOT", help="only these shots of the manifest")
        command.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
        command.add_argument("--report", type=Path, metavar="JSON", help="write how each shot ended")
    return top


def _typed(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """A parser's ValueError as argparse wants it."""

    def convert(text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


def asked_for(top: argparse.ArgumentParser, options: argparse.Namespace) -> Shot:
    """The shot that the command line describes, or what it changes in every shot of a manifest."""
    many, given = options.manifest is not None, {}
    if options.only is not None and not many:
        top.error("--only chooses shots of a --manifest")
    for name in ("fps", "rig", "new_face", "render", "frames", "overwrite"):
        value = getattr(options, name, None)
        if value is not None and name != "fps":
            given[name] = value
    if options.command in ("export", "preview"):
        if many and options.out is not None:
            top.error("with a --manifest, each shot says itself where its file goes")
        if not many and options.command == "export" and options.out is None:
            top.error("the following arguments are required: --out")
    try:
        if getattr(options, "fps", None) is not None:
            given["fps"] = manifest.FIELDS["fps"](options.fps)
        for name, field in (("save", "save"), ("out", options.command)):
            text = getattr(options, name, None) if field in manifest.PATHS else None
            if text is not None:
                given[field] = panel.whole_path(text, Path.cwd())
        if many and "save" in given:
            top.error("with a --manifest, each shot says itself where it is saved")
        settings = panel.given(options) if options.command == "generate" else {}
    except (ValueError, argparse.ArgumentTypeError) as error:
        top.error(str(error))
    if options.command == "generate" and not many and "portrait" not in settings:
        if not settings_of(bpy.context).portrait.strip():
            top.error("--portrait is required: the open file names none")
    return Shot(**given, settings=settings)


def chosen(options: argparse.Namespace, asked: Shot) -> list[Shot]:
    """The chosen shots; what the command line says goes for all of them. Raises InputError."""
    found = manifest.load(options.manifest, options.command, panel.table())
    if options.only is not None:
        names = [name.strip() for name in options.only.split(",") if name.strip()]
        unknown = sorted(set(names) - {shot.name for shot in found})
        if unknown or not names:
            raise InputError(f"{options.manifest.name} has no shot {', '.join(unknown) or 'without a name'}")
        found = [shot for shot in found if shot.name in names]
    changed = {
        name: getattr(asked, name)
        for name in ("fps", "rig", "new_face", "render", "frames", "overwrite")
        if getattr(asked, name) != getattr(Shot, name, None)
    }
    return [replace(shot, **changed, settings={**shot.settings, **asked.settings}) for shot in found]
