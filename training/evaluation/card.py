# SPDX-License-Identifier: GPL-3.0-or-later
"""The model card: measured numbers in tables, never typed by hand, and the notes of `docs/model-notes.json`.

`edtalk evaluate --card docs/model-card.md` writes it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PIL import Image

from core.checkpoints import checkpoint
from core.files import written_whole

from .real.table import headline
from .reconstruction import sample_sheet
from .report import Evaluation
from .tables import sections

_HEAD = """# Model card: {id}

The checkpoint that EDTalk for Blender carries. It animates one portrait from 36 weights (mouth, pose,
expression) and reads mouth weights from speech. This page is written by `edtalk evaluate --card`; its numbers
were measured, not typed.

| | |
| --- | --- |
| file | `{file}`, {megabytes:.1f} MB, 16-bit floats, safetensors (no code inside) |
| picture | {size} x {size} pixels; anchoring at rest keeps the portrait's own sharpness at any output size |
| parameters | {millions:.2f} million for the picture, {audio_millions:.2f} million for speech |
| controls | 36 weights, {emotions} emotions, {handles} calibrated handles |
| licence | {licence} |
{real}
## What it learnt from

{data}

**No photograph and no recording of a person was used, at any stage.** The heads are random combinations of
CC0 MakeHuman assets, with random skin, hair, light and background; the voices are speech synthesisers whose
phone timing is known.
"""

_REAL = """
## On real faces and real voices

{prose}

{table}

Written by `edtalk evaluate --real` ([all numbers](real-faces.md)). **Everything below this section was
measured on renders and on speech synthesisers** and says how well the network learnt them, not how it does on
people.
"""

_SHEET = """
![Held-out heads](images/model-card-sheet.png)

*Rows: source, driving, redrawn from read weights, redrawn from true weights.*
"""

_CURVE = ("l1_ratio", "mouth_l1_ratio", "ssim_read", "r2_pose", "r2_mouth", "r2_expression", "r2_blink")


def write(found: Evaluation, path: Path, out: Path, notes: Path, run: Path | None = None) -> None:
    """Write the card and its sample sheet.

    Args:
        path: the checkpoint that was measured.  out: the page; pictures go to `images` beside it.
        notes: JSON with "data", "real" and "sections".  run: the training run, whose log becomes the curve.

    Numbers of real faces are taken from `real-faces.json` beside the card, when it is there.
    """
    said = json.loads(notes.read_text(encoding="utf-8"))
    text = _head(found, path, said["data"], _real(out.with_name("real-faces.json"), said["real"]))
    for place, (title, body) in enumerate(sections(found)):
        text += f"\n## {title}\n\n{body}"
        if place == 1:
            text += _SHEET
    if run is not None and (curve := _curve(run)):
        text += f"\n## How it got there\n\nHeld-out numbers while it learnt.\n\n{curve}"
    text += "".join(f"\n## {title}\n\n{body}\n" for title, body in said["sections"].items())
    minutes = found.seconds / 60
    text += f"\n*Measured in {minutes:.1f} minutes by `edtalk evaluate`.*\n"
    images = out.parent / "images"
    images.mkdir(parents=True, exist_ok=True)
    with written_whole(images / "model-card-sheet.png") as temporary:
        Image.fromarray(sample_sheet(found.made)).save(temporary)
    with written_whole(out) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _real(numbers: Path, prose: str) -> str:
    """The section on real faces; "" where nothing was measured."""
    if not numbers.is_file():
        return ""
    return _REAL.format(prose=prose, table=headline(json.loads(numbers.read_text(encoding="utf-8"))))


def _head(found: Evaluation, path: Path, data: str, real: str) -> str:
    loaded = checkpoint.load(path)
    root = Path(__file__).resolve().parents[2]
    shown = path.resolve()
    counts = [
        0 if net is None else sum(p.numel() for p in net.parameters()) / 1e6
        for net in (loaded.model, loaded.audio_to_mouth)
    ]
    return _HEAD.format(
        id=found.meta.id, file=shown.relative_to(root).as_posix() if root in shown.parents else path.name,
        megabytes=path.stat().st_size / 1e6, size=found.size, millions=counts[0], audio_millions=counts[1],
        emotions=len(found.meta.emotions), handles=len(found.meta.handles),
        licence=found.meta.licence, data=data, real=real,
    )  # fmt: skip


def _curve(run: Path, most: int = 10) -> str:
    """The held-out numbers of a run's log, some ten of them, as a table; "" where there are none."""
    log = run / "log.jsonl"
    lines: list[dict[str, Any]] = []
    if log.is_file():
        lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines() if line.strip()]
    held = [line for line in lines if _CURVE[0] in line]
    names = [name for name in _CURVE if held and name in held[-1]]
    every = max(1, -(-len(held) // most))
    shown = held[::-1][::every][::-1]
    rows = [["step", *names], ["---"] * (len(names) + 1)]
    for line in shown:
        rows.append([str(line["step"]), *(f"{line.get(name, float('nan')):.2f}" for name in names)])
    return "".join("| " + " | ".join(row) + " |\n" for row in rows) if names else ""
