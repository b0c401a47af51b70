# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast this machine analyses and decodes, on the demo's portrait and voice or on your own.

    edtalk bench
    edtalk bench --source face.png --audio voice.wav --device cpu

Each line is one job as Blender asks for it, files written included. Close other programs first.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from core.wire.messages import Analyze, Analyzed, Decode, Decoded, Preview, Previewed

from .terminal import Bars, add_source, whole

DEMO = Path(__file__).resolve().parent.parent / "demo"
SIZES = (256, 512, 1024)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `edtalk bench`."""
    add_source(parser, str(DEMO / "portrait.png"))
    parser.add_argument(
        "--audio", default=str(DEMO / "voice.wav"), metavar="SOUND", help="default: the demo's voice"
    )
    parser.add_argument(
        "--frames", type=int, default=50, help="frames to decode each time (default: %(default)s)"
    )


def run(options: argparse.Namespace) -> int:
    """Measure and print."""
    from core.motion import Motion

    from .runtime import Runtime

    portrait, checkpoint = whole(options.source), whole(options.checkpoint)
    with tempfile.TemporaryDirectory(prefix="edtalk-bench-") as folder, Bars(options.quiet) as report:
        scratch, began = Path(folder), time.perf_counter()
        runtime = Runtime(options.device)
        hello = runtime.hello()
        print(f"{'device':<26}{hello.device}, torch {hello.torch}")
        print(f"{'start':<26}{time.perf_counter() - began:.2f} s")
        motion = scratch / "motion.npz"
        analyze = Analyze(
            portrait=portrait,
            audio=whole(options.audio),
            checkpoint=checkpoint,
            out=str(motion),
            crop=options.crop,
            face=options.face,
            overwrite=True,
        )
        runtime.answer(analyze, report)  # loads the model, the face finder and the sound libraries
        print(f"{'first analysis':<26}{time.perf_counter() - began:.2f} s after start")
        began = time.perf_counter()
        analyzed = runtime.answer(analyze, report)
        assert isinstance(analyzed, Analyzed)
        took = time.perf_counter() - began
        print(f"{'analysis':<26}{took:.2f} s for {analyzed.seconds:.1f} s of sound")
        take = Motion.load(motion)
        take = take.slice(0, options.frames)
        take.save(motion)
        for size in SIZES:
            for detail in (False, True):
                decoded = runtime.answer(
                    Decode(
                        portrait=portrait,
                        motion=str(motion),
                        out=str(scratch / "frames"),
                        name=f"{size}{detail}.",
                        checkpoint=checkpoint,
                        crop=analyzed.crop,
                        size=size,
                        detail=detail,
                    ),
                    report,
                )
                assert isinstance(decoded, Decoded)
                what = f"decode {size}{' with detail' if detail else ''}"
                print(f"{what:<26}{decoded.fps:.1f} frames a second")
        preview = Preview(
            portrait=portrait,
            weights=tuple(take.weights[0].tolist()),
            checkpoint=checkpoint,
            crop=analyzed.crop,
            out=str(scratch / "preview.npy"),
        )
        times = []
        for _ in range(10):
            previewed = runtime.answer(preview, report)
            assert isinstance(previewed, Previewed)
            times.append(previewed.ms)
        print(f"{'preview 256':<26}{sorted(times)[len(times) // 2]:.0f} ms")
    return 0
