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
import importlib.util
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]  # Blender's own Python knows neither

from desk_measures import MODULE, TAKE, changed, curves, evaluation, installed, ticks  # noqa: E402
from desk_previews import previews  # noqa: E402

from training.commands.bench import into_page  # noqa: E402


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
