# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole jobs for `edtalk bench`: a server of its own is asked, over the pipe, what Blender would ask.

Start-up, analysis, frames to files, previews from request to pixels, and how much memory it takes.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, TypeVar, cast

from core.wire import envelope, framing, messages
from core.wire.errors import Died
from core.wire.messages import (
    Analyze,
    Analyzed,
    Cancel,
    CancelTaken,
    Decode,
    Decoded,
    Initialize,
    Initialized,
    Preview,
    Previewed,
)
from server.commands.terminal import whole
from server.machine import peak_memory_mb

ROOT = Path(__file__).resolve().parents[2]
SIZES = (256, 512, 1024)
SECONDS, LONG = 10, 1800
"""Length of the job's voice, and of the one that memory is measured with."""

M = TypeVar("M", bound=messages.Message)
Row = tuple[str, str]


class Server:
    """A server of its own, asked one thing after the other.

    Usage:
        with Server("cpu") as server:
            hello = server.ask(Initialize(protocol=messages.PROTOCOL), Initialized)
    """

    def __init__(self, device: str) -> None:
        command = [sys.executable, "-m", "server", "--device", device]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._stdin = cast(BinaryIO, self._process.stdin)
        self._reader = framing.Reader(cast(BinaryIO, self._process.stdout))
        self._writer = framing.Writer(self._stdin)
        self._number = 0

    def __enter__(self) -> Server:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stdin.close()  # then it leaves
        self._process.wait()

    def ask(self, message: messages.Message, answer: type[M]) -> M:
        """Send a request and wait for its answer. Raises what the server answers with."""
        self._number += 1
        request = envelope.request(self._number, message)
        self._writer.write(request)
        while (data := self._reader.read()) is not None:
            reply = envelope.open_reply(data, {self._number: str(request["method"])})
            if reply.error is not None:
                raise reply.error
            if reply.number == self._number:
                assert isinstance(reply.message, answer)
                return reply.message
        raise Died("The server left in the midst of a measurement", hint="Ask `edtalk doctor`")

    @property
    def peak_mb(self) -> int:
        """The most memory it has had so far."""
        return peak_memory_mb(self._process.pid)


def whole_jobs(options: argparse.Namespace, scratch: Path) -> tuple[dict[str, Any], list[Row]]:
    """Start-up, analysis, frames to files, previews, memory."""
    ready = [ready_after(options.device) for _ in range(1 if options.quick else 3)]
    voice = lengthened(Path(whole(options.audio)), SECONDS, scratch / "voice.wav")
    long = lengthened(Path(whole(options.audio)), LONG, scratch / "long.wav")
    rows: list[Row] = []
    with Server(options.device) as server:
        hello = greet(server)
        rows += [
            ("device", hello.device),
            ("start: ready to work after", f"{statistics.median(ready):.2f} s"),
        ]
        pipe = [clocked(lambda: server.ask(Cancel(request=0), CancelTaken))[0] for _ in range(200)]
        rows.append(("pipe: a question and its answer", f"{1000 * statistics.median(pipe):.2f} ms"))
        took, _ = clocked(lambda: analyzed(server, options, voice, scratch / "take.npz"))
        rows.append(("first analysis, model loaded", f"{took:.2f} s"))
        analysis, take = clocked(lambda: analyzed(server, options, voice, scratch / "take.npz"))
        rows.append((f"analysis of {take.seconds:.0f} s of sound", f"{analysis:.2f} s"))
        motion = cut(scratch / "take.npz", options.frames)
        fps = {}
        for size in SIZES:
            for detail in (False, True):
                decoded = drawn(server, options, motion, scratch / "frames", size, detail, take.crop)
                what = f"decode {size}{' with detail' if detail else ''}, to PNG files"
                rows.append((what, f"{decoded.fps:.1f} frames a second"))
                fps[size, detail] = decoded.fps
        share = decoded.written / take.steps
        job = decoded.written / (analysis * share + decoded.written / fps[512, True])
        rows.append((f"job: {SECONDS} s of speech to 512 PNG, analysis too", f"{job:.1f} frames a second"))
        previews = previewed(server, options, scratch, take, 20 if options.quick else 200)
        p50, p95 = statistics.median(previews), sorted(previews)[int(0.95 * len(previews))]
        rows.append(
            ("preview 256 with detail, over the pipe", f"{p50:.1f} ms, 95 of 100 within {p95:.1f} ms")
        )
    short_mb, long_mb = (peak_of_job(options, sound, scratch) for sound in (voice, long))
    drew = f"analysed, {options.frames} frames of 512 drawn"
    rows.append((f"memory: {SECONDS} s {drew}", f"{short_mb} MB"))
    rows.append((f"memory: {LONG // 60} minutes {drew}", f"{long_mb} MB"))
    numbers = {
        "shipped": {"job_512_fps": job, "preview_ms_p50": p50, "preview_ms_p95": p95},
        "memory_mb": {"job_10s": short_mb, "job_30min": long_mb},
        "server_ready_s": statistics.median(ready),
    }
    return numbers, rows


def peak_of_job(options: argparse.Namespace, sound: Path, scratch: Path) -> int:
    """Megabytes that a fresh server takes at most to analyse a sound and draw its first frames."""
    take = scratch / f"{sound.stem}.npz"
    with Server(options.device) as server:
        greet(server)
        found = analyzed(server, options, sound, take)
        drawn(server, options, cut(take, options.frames), scratch / sound.stem, 512, True, found.crop)
        return server.peak_mb


def ready_after(device: str) -> float:
    """Seconds from starting a server to its first answer."""
    began = time.perf_counter()
    with Server(device) as server:
        greet(server)
        return time.perf_counter() - began


def greet(server: Server) -> Initialized:
    """The first question, which any server must be able to answer."""
    return server.ask(Initialize(protocol=messages.PROTOCOL, client="bench"), Initialized)


def clocked(work: Callable[[], M]) -> tuple[float, M]:
    """Seconds that it took, and what it gave."""
    began = time.perf_counter()
    done = work()
    return time.perf_counter() - began, done


def analyzed(server: Server, options: argparse.Namespace, sound: Path, out: Path) -> Analyzed:
    """Analyse a sound, idle motion included."""
    asked = Analyze(
        portrait=whole(options.source),
        audio=str(sound),
        checkpoint=whole(options.checkpoint),
        out=str(out),
        crop=options.crop,
        face=options.face,
        idle=0.5,
        overwrite=True,
    )
    return server.ask(asked, Analyzed)


def drawn(
    server: Server,
    options: argparse.Namespace,
    motion: Path,
    out: Path,
    size: int,
    detail: bool,
    crop: tuple[float, float, float],
) -> Decoded:
    """Draw a motion file into a folder."""
    asked = Decode(
        portrait=whole(options.source),
        motion=str(motion),
        out=str(out),
        name=f"{size}{detail}.",
        checkpoint=whole(options.checkpoint),
        crop=crop,
        size=size,
        detail=detail,
    )
    return server.ask(asked, Decoded)


def previewed(
    server: Server, options: argparse.Namespace, scratch: Path, take: Analyzed, count: int
) -> list[float]:
    """Milliseconds from request to pixels of moving sliders, after the first."""
    times = []
    for number in range(count + 3):
        weights = [weight + 0.01 * number for weight in take.source_weights]
        asked = Preview(
            portrait=whole(options.source),
            weights=tuple(weights),
            checkpoint=whole(options.checkpoint),
            crop=take.crop,
            detail=True,
            out=str(scratch / "preview.npy"),
        )
        times.append(1000 * clocked(lambda asked=asked: server.ask(asked, Previewed))[0])  # type: ignore[misc]
    return times[3:]


def cut(motion: Path, frames: int) -> Path:
    """The first frames of a motion file, in its place."""
    from core.motion.motion import Motion

    Motion.load(motion).slice(0, frames).save(motion)
    return motion


def lengthened(sound: Path, seconds: int, out: Path) -> Path:
    """A sound repeated or cut to a length, as a WAV file at 16 kHz."""
    import numpy as np
    import soundfile

    from core.sound.audio import load_audio
    from core.sound.mel import RATE

    samples = load_audio(sound)
    with soundfile.SoundFile(out, "w", RATE, 1, "PCM_16") as file:
        left = seconds * RATE
        while left > 0:
            file.write(np.asarray(samples[:left]))
            left -= len(samples)
    return out
