# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure what a checkpoint's weights do, and write the handles (yaw in degrees, smile, blink ...) into it.

    edtalk calibrate                                       the checkpoint shipped with EDTalk
    edtalk calibrate mine.safetensors
    edtalk calibrate EDTalk.pt --out published.safetensors

Heads are rendered, the checkpoint redraws them with each weight moved in turn, and least squares does the
rest. Only what the file says about itself changes, not its tensors; the file is replaced whole or not at all.
Each head is a hundred frames: a large published model on a processor without a graphics card is best
calibrated on a few (--heads 4). It runs in a checkout, since the heads are not part of the extension.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from core.wire.errors import InputError
from server.commands.terminal import DEVICES, Bars, whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `edtalk calibrate`."""
    parser.add_argument(
        "checkpoint", nargs="?", default="", metavar="FILE", help="default: the one shipped with EDTalk"
    )
    parser.add_argument("--out", default="", metavar="FILE", help="write a copy there, leave FILE as it is")
    parser.add_argument(
        "--heads", type=int, default=16, metavar="N", help="heads to measure on (default: %(default)s)"
    )
    parser.add_argument("--dry-run", action="store_true", help="measure and show, write nothing")
    parser.add_argument("--device", choices=DEVICES, default="auto", help="default: the fastest that is here")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")


def run(options: argparse.Namespace) -> int:
    """Measure, show, write."""
    from dataclasses import replace

    from core.checkpoints import checkpoint
    from core.engine.engine import Engine
    from training.evaluation.calibration import Settings, calibrate

    path = Path(whole(options.checkpoint)) if options.checkpoint else checkpoint.default_checkpoint()
    out = Path(whole(options.out)) if options.out else path
    if options.heads < 1:
        raise InputError("At least one head is needed to measure on")
    loaded = checkpoint.load(path)
    ours = out.suffix == ".safetensors" and (path.suffix == ".safetensors" or out != path)
    if not ours and not options.dry_run:
        raise InputError(
            f"Handles cannot be written into {path.name}, which is in the published format",
            hint="Add --out FILE.safetensors to write a converted copy that carries them",
        )
    engine = Engine(loaded.model, options.device, loaded.meta.id, loaded.meta.channels, loaded.meta.emotions)
    with Bars(options.quiet) as bars:
        found = calibrate(engine, Settings(heads=options.heads), bars.progress)
    for one in found:
        print(_line(one.action.name, one.handle, one.gain, one.likeness))
    if options.dry_run:
        return 0
    meta = replace(loaded.meta, handles=tuple(one.handle for one in found if one.handle is not None))
    if path.suffix == ".safetensors":
        checkpoint.rewrite(path, meta, out)
    else:
        checkpoint.save(out, loaded.model, meta, loaded.audio_to_mouth, half=False)
    print(f"{out}: {len(meta.handles)} handles")
    return 0


def _line(name: str, handle: object, gain: float, likeness: float) -> str:
    from core.wire.channels import CHANNELS, Handle

    if not isinstance(handle, Handle):
        shown = f"{max(gain, 0):.0%} of the movement, likeness {likeness:.2f}"
        return f"{name:<10} left out: all that this checkpoint shows is {shown}"
    most = max(abs(weight) for weight in handle.direction)
    parts = [
        f"{weight:+.3g} {channel}"
        for channel, weight in zip(CHANNELS, handle.direction, strict=True)
        if abs(weight) > 0.1 * most
    ]
    span = f"{handle.soft_min:g} .. {handle.soft_max:g} {handle.unit}".rstrip()
    return f"{name:<10} {span:<14} likeness {likeness:.2f}, gain {gain:.2f}: {', '.join(parts)}"
