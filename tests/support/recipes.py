# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of training recipes share: a toy voice, and the ways a recipe is run and cut off."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.sound import mel
from training.speech import corpus
from training.speech.corpus import Recordings
from training.speech.visemes import timed

ROOT = Path(__file__).resolve().parents[2]


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


def learn_until(reached: Callable[[], bool], train: Callable[[int], object], stride: int, most: int) -> None:
    """Trains in parts, each of which goes on where the last one stopped, until `reached()` or `most` steps.

    How many steps an effect needs depends on rounding, so on the make of the processor: on some, a
    fixed number that is enough here is too few. ``train(steps)`` runs a recipe up to that step; its learning
    rate must not depend on the number of steps (``decay_from=1``).
    """
    for steps in range(stride, most + 1, stride):
        train(steps)
        if reached():
            return


def run_together(*arguments: object, processes: int = 2) -> None:
    """Run Python with these arguments in several processes that know of each other, as `torchrun` starts them
    (whose own start takes seconds; `test_training_loop` goes through it)."""
    here = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "WORLD_SIZE": str(processes)}
    here |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    started = [
        subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=here | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(processes)
    ]
    try:
        said = [process.communicate(timeout=300)[1] for process in started]
    finally:
        for process in started:
            process.kill()
    assert not any(process.returncode for process in started), "\n".join(said)[-3000:]


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def weights_of(out: Path) -> dict[str, torch.Tensor]:
    """The trained weights a run left."""
    weights: dict[str, torch.Tensor] = torch.load(out / "state.pt", weights_only=True)["model"]
    return weights


def log_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text(encoding="utf-8").splitlines()]
