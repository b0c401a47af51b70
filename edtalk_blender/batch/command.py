# SPDX-License-Identifier: GPL-3.0-or-later
"""`blender --command edtalk ...`: the same jobs without a window, for farms and scripts.

    blender --command edtalk check
    blender --command edtalk generate --portrait anna.png --audio line.wav --save anna.blend
    blender -b anna.blend --command edtalk render --frames 1-100,120
    blender -b anna.blend --command edtalk export --out anna.csv
    blender -b anna.blend --command edtalk preview --out anna.mp4
    blender --command edtalk generate --manifest shots.json --dry-run

With a manifest a command does every shot of it: one that fails does not stop the others, and the end sums up.
Exit status: 0 done, 1 something did not work (one sentence each on stderr), 2 wrong arguments or a wrong
manifest (nothing was begun), 130 cancelled.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

import bpy

from ...core.wire.errors import Cancelled, EDTalkError, InputError, OutputBlocked
from ..server_process import jobs, setup
from ..settings import files, timing
from . import command_line, run
from .manifest import Shot

DONE, FAILED, WRONG, CANCELLED = 0, 1, 2, 130
REPORT_SCHEMA = 1


def main(arguments: list[str]) -> int:
    """Called by Blender with what follows `--command edtalk`; the result is the exit status."""
    top = command_line.parser()
    try:
        options = top.parse_args(arguments)
        if options.command == "check":
            return _check()
        asked = command_line.asked_for(top, options)
        todo = [asked] if options.manifest is None else command_line.chosen(options, asked)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else WRONG
    except InputError as error:
        for line in error.message.splitlines():
            _complain(line)
        return WRONG
    results = _do_all(options, todo)
    if options.report is not None:
        try:
            _write_report(options, results)
        except OutputBlocked as error:
            _complain(str(error))
            return FAILED
    ends = {result.status for result in results}
    return CANCELLED if "cancelled" in ends else FAILED if "failed" in ends else DONE


# ----------------------------------------------------------------------------------------------- shots


def _do_all(options: argparse.Namespace, todo: Sequence[Shot]) -> list[run.Result]:
    """Every shot, one after the other."""
    began_with, many = bpy.data.filepath, options.manifest is not None
    results = []
    for number, shot in enumerate(todo, 1):
        if many:
            print(f"edtalk: {shot.name} ({number} of {len(todo)})", flush=True)
        results.append(_do(options, shot, began_with if many else None))
        if results[-1].status == "cancelled":
            break
    left = todo[len(results) :]
    results += [run.Result(shot.name, "cancelled", "Not begun") for shot in left]
    if many:
        _sum_up(results)
    return results


def _do(options: argparse.Namespace, shot: Shot, template: str | None) -> run.Result:
    """One shot of a manifest (`template` is the .blend to begin with) or of the open file (None)."""
    began, label = time.monotonic(), f"{shot.name}: " if shot.name else ""
    try:
        if template is not None:
            run.open_file(shot.open or (template if options.command == "generate" else shot.save))
        result = _act(options, replace(shot, save="") if _only_opens(options) else shot)
    except Cancelled as error:
        result = run.Result(shot.name, "cancelled", error.message or "Cancelled")
    except EDTalkError as error:
        result = run.Result(shot.name, "failed", error.message, error.hint)
    result.seconds = round(time.monotonic() - began, 3)
    text = f"{result.said}. {result.hint}" if result.hint else result.said
    if result.status in ("failed", "cancelled"):
        _complain(f"{label}{text}")
    else:
        print(f"{label}{text}", flush=True)
    return result


def _only_opens(options: argparse.Namespace) -> bool:
    """In a manifest, `save` is what generate saves and what the others open."""
    return options.manifest is not None and options.command != "generate"


def _act(options: argparse.Namespace, shot: Shot) -> run.Result:
    if options.dry_run:
        return run.plan(options.command, shot, getattr(options, "part", None))
    if options.command == "render":
        return run.render(shot, _tell(), options.part, options.all, options.gather)
    return {"generate": run.generate, "export": run.export, "preview": run.preview}[options.command](
        shot, _tell()
    )


def _sum_up(results: Sequence[run.Result]) -> None:
    counts = {
        status: sum(r.status == status for r in results)
        for status in ("done", "planned", "failed", "cancelled")
    }
    parts = [f"{count} {status}" for status, count in counts.items() if count]
    names = [result.shot for result in results if result.status == "failed"]
    failed = f" ({', '.join(names)})" if names else ""
    whole = "1 shot" if len(results) == 1 else f"{len(results)} shots"
    print(f"edtalk: {whole}: {', '.join(parts)}{failed}", flush=True)


def _write_report(options: argparse.Namespace, results: Sequence[run.Result]) -> None:
    """How each shot ended, for scripts; whole or not at all. Raises OutputBlocked."""
    data = {
        "schema": REPORT_SCHEMA,
        "command": options.command,
        "shots": [result.to_dict() for result in results],
    }
    path = options.report.absolute()
    try:
        files.write_whole(path, json.dumps(data, indent=1).encode())
    except OSError as error:
        raise OutputBlocked(f"{path} cannot be written: {error.strerror or error}") from error


# ---------------------------------------------------------------------------------------------- talking


def _check() -> int:
    try:
        print(jobs.sentence(run.run(jobs.Job("Check Server", setup.check), _tell())), flush=True)
    except Cancelled as error:
        _complain(str(error))
        return CANCELLED
    except EDTalkError as error:
        _complain(f"{error.message}. {error.hint}" if error.hint else error.message)
        return FAILED
    return DONE


def _tell() -> run.Tell:
    """Prints a line a stage and a line a tenth of it."""
    shown = ""

    def tell(running: jobs.Job) -> None:
        nonlocal shown
        tenth = 10 * running.done // running.total if running.total else 0
        key = f"{running.stage} {tenth}"
        if key != shown:
            shown = key
            said = timing.progress_text(running.stage, running.done, running.total, running.fps, running.eta)
            print(said, flush=True)

    return tell


def _complain(sentence: str) -> None:
    print(f"edtalk: {sentence}", file=sys.stderr, flush=True)


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
