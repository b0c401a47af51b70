# SPDX-License-Identifier: GPL-3.0-or-later
"""The model card: measured numbers in a table, never typed by hand.

python -m core.evaluation.card --heldout DIR
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ..checkpoint import default_checkpoint, load
from ..files import written_whole
from ..training.data import HeadShards
from ..training.loop import from_command_line
from .reconstruction import measure, redraw, sample_sheet

_HEAD = """# Model card: {id}

The checkpoint that EDTalk for Blender carries. It animates one portrait from 36 weights (mouth, pose,
expression) and reads mouth weights from speech. This page is written by `python -m core.evaluation.card`;
its numbers were measured, not typed.

| | |
| --- | --- |
| file | `core/checkpoints/{file}`, {megabytes:.1f} MB, 16-bit floats, safetensors (no code inside) |
| picture | {size} x {size} pixels; detail transfer carries the portrait's sharpness to any output size |
| parameters | {millions:.2f} million for the picture, {audio_millions:.2f} million for speech |
| licence | {licence} |

## What it learnt from

{data}

**No photograph and no recording of a person was used, at any stage.** The heads are random combinations of
CC0 MakeHuman assets, with random skin, hair, light and background; the voices are speech synthesisers whose
phone timing is known.

## How well it redraws heads it has never seen

{pairs} pairs (source, driving) of {heads} held-out identities, at the model's own size. A ratio compares the
mean absolute error with that of *copying the source*: 1 is no better than doing nothing, 0 is the truth.
*Read* means that the weights come from the driving picture through the encoder, *true* that the renderer's
own weights were given, as an animator gives them.

| | copy the source | read weights | true weights | ground truth |
| --- | --- | --- | --- | --- |
"""

_TAIL = """
Weights read off held-out pictures, coefficient of determination (1 is perfect, 0 is guessing the mean):

| pose | mouth | emotions | blink | gaze |
| --- | --- | --- | --- | --- |
| {r2_pose:.2f} | {r2_mouth:.2f} | {r2_expression:.2f} | {r2_blink:.2f} | {r2_gaze:.2f} |

![Held-out heads](images/model-card-sheet.png)

*Rows: source, driving, redrawn from read weights, redrawn from true weights.*
"""


@dataclass(frozen=True)
class Settings:
    """Measure a checkpoint on held-out heads and write the model card."""

    heldout: Path
    notes: Path = Path("docs/model-notes.json")
    out: Path = Path("docs/model-card.md")
    checkpoint: str = ""
    pairs: int = 256


def table(m: dict[str, float]) -> str:
    """The rows of the redrawing table."""
    rows = []
    for name, label in (("l1", "whole picture"), ("mouth_l1", "mouth box"), ("eyes_l1", "eye boxes")):
        read, true = m[f"{name}_ratio"], m[f"{name}_ratio_true"]
        rows.append(f"| error, {label} (ratio) | 1.00 | {read:.2f} | {true:.2f} | 0.00 |")
    rows.append(f"| SSIM | {m['ssim_copy']:.3f} | {m['ssim_read']:.3f} | {m['ssim_true']:.3f} | 1.000 |")
    rows.append(f"| PSNR, dB | {m['psnr_copy']:.1f} | {m['psnr_read']:.1f} | {m['psnr_true']:.1f} | - |")
    return "\n".join(rows) + "\n"


def main(s: Settings) -> dict[str, float]:
    """Measure, write the card and its sheet, return the numbers."""
    began = time.monotonic()
    path = Path(s.checkpoint) if s.checkpoint else default_checkpoint()
    loaded = load(path)
    shards = HeadShards(s.heldout, loaded.model.config.size)
    made = redraw(loaded.model.eval(), shards, s.pairs)
    numbers = measure(made)
    notes = json.loads(s.notes.read_text(encoding="utf-8"))
    count = sum(p.numel() for p in loaded.model.parameters())
    audio = 0 if loaded.audio_to_mouth is None else sum(p.numel() for p in loaded.audio_to_mouth.parameters())
    text = _HEAD.format(
        id=loaded.meta.id, file=path.name, megabytes=path.stat().st_size / 1e6, size=loaded.model.config.size,
        millions=count / 1e6, audio_millions=audio / 1e6, licence=loaded.meta.licence, data=notes["data"],
        pairs=s.pairs, heads=shards.identities(),
    )  # fmt: skip
    text += table(numbers) + _TAIL.format(**numbers)
    text += "".join(f"\n## {title}\n\n{body}\n" for title, body in notes["sections"].items())
    images = s.out.parent / "images"
    images.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sample_sheet(made)).save(images / "model-card-sheet.png")
    with written_whole(s.out) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return {**numbers, "seconds": time.monotonic() - began}


if __name__ == "__main__":
    print(json.dumps(main(from_command_line(Settings)), indent=1))
