# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole model from nothing, in one command: heads, every network, one checkpoint, handles and card.

    edtalk train everything --out runs/all               the 256 pixel recipe, meant for a GPU
    edtalk train everything --out runs/all --minutes 9   again and again, until it says that all is done
    edtalk train everything --out runs/try --scale 0.002 --size 64    a rehearsal, on any machine

It only starts the recipes, with the arguments that `docs/training.md` gives one by one, each in a process
of its own, so that none leaves memory behind. Pictures and sounds learn side by side. What has been finished
is written down in ``OUT/done`` and not done again; what was stopped goes on where it was.

``OUT/result`` then holds what is worth carrying away: the checkpoint, what was measured, the model card, the
last sample sheet and the log.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch

from core.checkpoints.checkpoint import default_checkpoint
from core.wire.errors import InputError

from ..heads.dataset import HELD_OUT, DatasetSettings
from ..shared.loop import from_command_line, reached

SIZES = (64, 128, 256)
SHORT = 120.0
"""Seconds that must be left for a step that cannot be stopped in the middle."""


@dataclass(frozen=True)
class Settings:
    """Every recipe, one after the other."""

    out: Path
    minutes: float = 0.0  # stop after so long, to be gone on with; 0: run to the end
    size: int = 256  # of the finished model's picture
    scale: float = 1.0  # share of the heads and of the steps, for a rehearsal
    batch: int = 32  # pairs a step
    workers: int = 0  # processes that render and threads that read pictures; 0: one for each core but one
    processes: int = 1  # data-parallel training processes, one for each GPU
    compile: bool = torch.cuda.is_available()  # minutes that a GPU earns back, and a processor does not
    voices: bool = True  # train the sound networks too; without, those of the present checkpoint are kept


@dataclass(frozen=True)
class Step:
    """One command. Those that take long take ``--minutes``, and say in their folder how far they came."""

    name: str
    command: tuple[str, ...]  # module and arguments
    folder: str = ""  # of the run or of the shards, below the settings' ``out``
    steps: int = 0  # length of the training loop
    shards: int = 0  # of the heads to be rendered
    parallel: bool = False  # may run as several processes

    def whole(self, out: Path) -> bool:
        """Whether a run that ended by itself has come to its end, or only to the end of its minutes."""
        if self.shards:
            return len(list((out / self.folder).glob("shard_*"))) >= self.shards
        if not self.steps:
            return True
        return reached(out / self.folder) >= self.steps


def pictures(s: Settings) -> list[Step]:
    """Heads, then encoder, banks and generator, from small to full size."""
    workers = str(_workers(s))
    steps = [_heads(s, "data/train", 6000), _heads(s, "data/heldout", 64, HELD_OUT)]
    data = ("--data", "data/train", "--heldout", "data/heldout", "--ahead", workers) + (
        ("--learning-rate", "0.003", "--floor", "0.04", "--clip", "20")
    )
    before = ""
    for size in [side for side in SIZES if side <= s.size]:
        if size > SIZES[0]:  # reading pictures alone is cheap, and what is read well is drawn well
            steps.append(_loop(s, f"read{size}", "reading", 3000, size, before, *data, batch=2 * s.batch))
            before = f"read{size}"
        reading = (*(("--reading", str(s.batch)) if before else ()), *(("--compile",) if s.compile else ()))
        length = 3000 if size < s.size else 12000
        steps.append(_loop(s, f"draw{size}", "encoder_generator", length, size, before, *data, *reading))
        before = f"draw{size}"
    return steps


def sounds(s: Settings) -> list[Step]:
    """What hears, moves the head and feels: small networks that need no GPU."""
    speech = ("--corpus", "data/speech", "--threads", "2", "--workers", str(_workers(s)))
    feelings = ("--corpus", "data/feelings", "--threads", "2")
    lengths = {"audio_to_mouth": 6000, "audio_to_pose": 3000, "speech_to_expression": 3000}
    return [
        Step(
            name,
            (f"training.recipes.{name}", "--out", name, "--steps", str(_steps(s, steps)))
            + (feelings if name == "speech_to_expression" else speech),
            name,
            _steps(s, steps),
        )
        for name, steps in lengths.items()
    ]


def finish(s: Settings) -> list[Step]:
    """One checkpoint, its handles, its numbers."""
    run = f"draw{min(s.size, SIZES[-1])}"
    file = "result/edtalk-heads.safetensors"
    heard = (
        ("--audio", "audio_to_mouth/audio_to_mouth.safetensors")
        + ("--pose", "audio_to_pose/audio_to_pose.safetensors")
        + ("--expression", "speech_to_expression/speech_to_expression.safetensors")
        if s.voices
        else ("--keep", str(default_checkpoint()))
    )
    notes = str(Path(__file__).parents[2] / "docs" / "model-notes.json")
    return [
        Step(
            "ship",
            ("training.recipes.ship", "--run", run, "--heldout", "data/heldout", "--out", file, *heard),
        ),
        Step("calibrate", ("server.cli", "calibrate", file, "--quiet")),
        Step(
            "evaluate",
            ("server.cli", "evaluate", file, "--quiet", "--heldout", "data/heldout", "--run", run)
            + ("--json", "result/evaluation.json", "--card", "result/model-card.md", "--notes", notes),
        ),
    ]


def main(s: Settings) -> bool:
    """Go on with what is not done yet; whether all of it is now. Raises InputError when a recipe fails."""
    if s.size not in SIZES:
        raise InputError(f"--size is one of {', '.join(map(str, SIZES))}, not {s.size}")
    for folder in ("done", "result"):
        (s.out / folder).mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + 60 * s.minutes if s.minutes else None
    lanes = [pictures(s), *([sounds(s)] if s.voices else [])]
    with ThreadPoolExecutor(len(lanes)) as side_by_side:
        begun = [side_by_side.submit(_follow, s, lane, until) for lane in lanes]
        ends = [lane.result() for lane in begun]
        whole = all(ends) and _follow(s, finish(s), until)
    _gather(s)
    print("all is done" if whole else "time is up: the same command goes on", flush=True)
    return whole


def _heads(s: Settings, folder: str, heads: int, first_seed: int = 0) -> Step:
    settings = DatasetSettings(s.out / folder, max(8, round(s.scale * heads)), first_seed, size=s.size)
    who = ("--identities", str(settings.identities), "--first-seed", str(first_seed))
    how = ("--out", folder, "--size", str(s.size), "--workers", str(_workers(s)))
    shards = len(list(settings.shards()))
    return Step(Path(folder).name, ("training.heads.dataset", *how, *who), folder, shards=shards)


def _loop(
    s: Settings, name: str, recipe: str, steps: int, size: int, before: str, *more: str, batch: int = 0
) -> Step:
    steps = _steps(s, steps)
    arguments = ("--out", name, "--size", str(size), "--steps", str(steps), "--batch", str(batch or s.batch))
    grown = ("--grow-from", f"{before}/state.pt") if before else ()
    return Step(name, (f"training.recipes.{recipe}", *arguments, *grown, *more), name, steps, parallel=True)


def _workers(s: Settings) -> int:
    return s.workers or max(1, (os.cpu_count() or 2) - 1)


def _steps(s: Settings, steps: int) -> int:
    return max(2, round(s.scale * steps))


def _follow(s: Settings, steps: Sequence[Step], until: float | None) -> bool:
    """Do these in turn; False when time is up first."""
    for step in steps:
        mark = s.out / "done" / step.name
        if mark.exists():
            continue
        if not _do(s, step, until):
            return False
        mark.write_text(" ".join(step.command) + "\n", encoding="utf-8")
    return True


def _do(s: Settings, step: Step, until: float | None) -> bool:
    left = None if until is None else until - time.monotonic()
    if left is not None and left < (SHORT if not (step.steps or step.shards) else 1):
        return False
    began = time.monotonic()
    starter: tuple[str, ...] = ("-m",)
    if step.parallel and s.processes > 1:
        starter = ("-m", "torch.distributed.run", f"--nproc-per-node={s.processes}", "-m")
    command = [sys.executable, *starter, *step.command]
    if left is not None and (step.steps or step.shards):
        command += ["--minutes", f"{max(0.05, (left - 15) / 60):.2f}"]  # a last look takes a moment
    root = str(Path(__file__).parents[2])
    environment = {
        "OMP_WAIT_POLICY": "PASSIVE",  # recipes run side by side: threads that wait must not spin
        **os.environ,
        "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]),
    }
    with (s.out / "result" / f"{step.name.replace(' ', '-')}.log").open("a", encoding="utf-8") as log:
        code = subprocess.call(command, cwd=s.out, env=environment, stdout=log, stderr=subprocess.STDOUT)
    if code:
        raise InputError(f"The step {step.name} failed with exit code {code}", hint=f"{log.name} says why")
    print(f"{step.name}: {time.monotonic() - began:.0f} s", flush=True)
    return step.whole(s.out)


def _gather(s: Settings) -> None:
    """The last sample sheet, beside the checkpoint."""
    for step in pictures(s):
        for sheet in sorted((s.out / step.folder).glob("sheet_*.png"))[-1:]:
            shutil.copyfile(sheet, s.out / "result" / f"{step.name}.png")


if __name__ == "__main__":
    main(from_command_line(Settings))
