# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of training recipes share: a toy voice, and the ways a recipe is run and cut off."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core import mel
from core.speech import corpus
from core.speech.corpus import Recordings
from core.speech.visemes import timed

ROOT = Path(__file__).resolve().parent.parent


def toy_voice(count: int = 12) -> Recordings:
    """A buzz for an open jaw, a hum for pressed lips, silence between: a language of two sounds."""
    rng = np.random.default_rng(0)
    samples, visemes, sample_ends, viseme_ends = [], [], [], []
    for _ in range(count):
        rows: list[tuple[str, float, float]] = []
        at = 0.0
        for name in ["silence", *rng.permutation(["aa", "p", "silence"] * 3)]:
            rows.append((str(name), at, at + 0.2))
            at += 0.2
            time = np.arange(3200) / mel.RATE
            loud = {"silence": 0.0, "aa": 0.5, "p": 0.25}[str(name)]
            wave = np.sign(np.sin(2 * np.pi * 150 * time)) if name == "aa" else np.sin(2 * np.pi * 150 * time)
            samples.append((loud * wave * 32767).astype(np.int16))
        visemes.append(timed(rows))
        sample_ends.append(sum(map(len, samples)))
        viseme_ends.append(sum(map(len, visemes)))
    return Recordings(
        "flite-toy",
        np.concatenate(samples),
        np.array(sample_ends),
        np.concatenate(visemes),
        np.array(viseme_ends),
    )


def toy_corpus(folder: Path, *names: str) -> Path:
    """A folder with one file for each voice, all of them toys."""
    folder.mkdir(exist_ok=True)
    voice = toy_voice(14)
    for name in names:
        corpus.save(folder / f"{name}.npz", [voice[i] for i in range(len(voice))])
    return folder


def run(recipe: str, *arguments: object, processes: int = 1) -> str:
    """Run a recipe as its users do, in one process or several on this machine; returns what it printed."""
    command = [sys.executable, "-m", f"core.training.{recipe}"]
    if processes > 1:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        several = ["torch.distributed.run", "--nproc-per-node", processes, "--master-port", port, "-m"]
        command = [sys.executable, "-m", *map(str, several), f"core.training.{recipe}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        env=environment,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def weights_of(out: Path) -> dict[str, torch.Tensor]:
    """The trained weights a run left."""
    weights: dict[str, torch.Tensor] = torch.load(out / "state.pt", weights_only=True)["model"]
    return weights


def log_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text(encoding="utf-8").splitlines()]
