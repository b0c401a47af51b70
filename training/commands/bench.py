# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast this machine analyses and decodes, beside the published way and beside what its silicon could do.

    edtalk bench
    edtalk bench --quick --json speed.json
    edtalk bench --runs 2 --doc docs/speed.md
    edtalk bench --source face.png --audio voice.wav --device cpu

Whole jobs run in a server of their own, over the pipe, as Blender asks for them, files written included.
Close other programs first. `--doc` puts the table between the two bench marks of that page.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

from core.files import written_whole
from core.wire.errors import InputError
from server.commands.terminal import add_source, whole
from server.machine import about

from .bench_jobs import Row, whole_jobs
from .bench_ways import ways

DEMO = Path(__file__).resolve().parents[2] / "demo"
MARKS = ("<!-- bench: begin -->", "<!-- bench: end -->")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `edtalk bench`."""
    add_source(parser, str(DEMO / "portrait.png"))
    parser.add_argument(
        "--audio", default=str(DEMO / "voice.wav"), metavar="SOUND", help="default: the demo's voice"
    )
    parser.add_argument(
        "--frames", type=int, default=250, help="frames of the 512 job at most (default: %(default)s)"
    )
    parser.add_argument("--quick", action="store_true", help="few repetitions, rough numbers")
    parser.add_argument("--runs", type=int, default=1, help="measure so often; the table shows each")
    parser.add_argument("--json", default="", metavar="FILE", help="write the key numbers of the last run")
    parser.add_argument("--doc", default="", metavar="FILE", help="put the table into this page")


def run(options: argparse.Namespace) -> int:
    """Measure, print, and write what was asked for."""
    columns: list[list[Row]] = []
    machine = about()
    for number in range(options.runs):
        with tempfile.TemporaryDirectory(prefix="edtalk-bench-") as folder:
            numbers, rows = measure(options, Path(folder))
        columns.append(rows)
        for name, value in rows if number == 0 else []:
            print(f"{name:<50}  {value}")
    if options.json:
        with written_whole(whole(options.json)) as temporary:
            temporary.write_text(json.dumps({**numbers, "machine": machine}, indent=1), encoding="utf-8")
    if options.doc:
        into_page(Path(whole(options.doc)), table(machine, columns))
    return 0


def measure(options: argparse.Namespace, scratch: Path) -> tuple[dict[str, Any], list[Row]]:
    """One run: the numbers of `--json` but the machine, and the rows of the table."""
    jobs, job_rows = whole_jobs(options, scratch)
    decoding, decoding_rows = published(options)
    return {"published": decoding, **jobs}, job_rows + decoding_rows + parts(options, scratch)


# --- the network alone ------------------------------------------------------------------------------


def published(options: argparse.Namespace) -> tuple[dict[str, float], list[Row]]:
    """The published network: frames a second beside the naive loop and the floor."""
    import torch

    from core.engine.engine import choose_device
    from training.evaluation import speed

    device = str(choose_device(options.device))
    rows: list[Row] = []
    for batch in (0,) if device == "cpu" else (1, 4, 16):
        with ways(device, batch) as asked:
            found = speed.published(asked, device, 1 if options.quick else 9)
        name = (
            f"published 256, {torch.get_num_threads()} threads"
            if device == "cpu"
            else f"published 256, batches of {batch}"
        )
        fps = found.summary
        floor, naive = fps["floor_fps"], fps["naive_fps"]
        rows.append((f"{name}: naive loop", f"{naive:.2f} frames a second; {found.naive}"))
        for precision, times in (("exact", found.exact), ("fast", found.fast)):
            got = times.fps
            marks = f"{got / naive:.1f} x naive, {100 * got / floor:.0f} % of the floor"
            rows.append((f"{name}: {precision}", f"{got:.2f} frames a second, {marks}; {times}"))
        rates = f"{found.compute / 1e12:.2f} TFLOP/s, {found.copy / 1e9:.0f} GB/s copied"
        rows.append((f"{name}: floor", f"{floor:.2f} frames a second ({rates})"))
        rows.append((f"{name}: fast from exact", f"{found.p999:.2f} levels at the 99.9th percentile"))
    return fps, rows


def parts(options: argparse.Namespace, scratch: Path) -> list[Row]:
    """One frame of both models, part by part, with one thread and with all."""
    import torch

    from core.engine.engine import Engine
    from training.evaluation import speed

    most, repeats = torch.get_num_threads(), 3 if options.quick else 25
    rows: list[Row] = []
    try:
        for threads in sorted({1, most}):
            torch.set_num_threads(threads)
            for name, engine in (
                ("shipped", Engine.from_checkpoint(whole(options.checkpoint) or None, options.device)),
                ("published", Engine(speed.published_model(), options.device)),
            ):
                said = f"{name}, {threads} thread{'s' * (threads > 1)}: "
                rows += [(said + part, value) for part, value in speed.parts(engine, repeats, scratch)]
    finally:
        torch.set_num_threads(most)
    return rows


# --- the page ---------------------------------------------------------------------------------------


def table(machine: dict[str, Any], columns: list[list[Row]]) -> str:
    """Markdown: the machine, and a column for each run."""
    lines = [
        f"Measured on {date.today()} by `edtalk bench`. "
        + ", ".join(f"{k}: {v}" for k, v in machine.items()),
        "",
    ]
    heads = ["", *(f"run {number + 1}" for number in range(len(columns)))]
    lines += ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    for place, (name, _) in enumerate(columns[0]):
        lines.append("| " + " | ".join([name, *(column[place][1] for column in columns)]) + " |")
    return "\n".join(lines)


def into_page(page: Path, text: str) -> None:
    """Replace what stands between the marks. Raises InputError for a page without them."""
    old = page.read_text(encoding="utf-8") if page.is_file() else "\n".join(MARKS)
    if any(mark not in old for mark in MARKS):
        raise InputError(f"{page.name} lacks the lines {MARKS[0]} and {MARKS[1]}")
    before, after = old.split(MARKS[0])[0], old.split(MARKS[1])[1]
    with written_whole(page) as temporary:
        temporary.write_text(f"{before}{MARKS[0]}\n{text}\n{MARKS[1]}{after}", encoding="utf-8")
