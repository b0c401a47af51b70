# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders training shards: pictures of random people in random motion, with exact labels.

    python -m training.heads.dataset --out DIR --identities 3200 --first-seed 0 --workers 2

A shard is a folder of plain .npy arrays (N frames, P pairs per frame, S pixels):
    image      uint8   [N, S, S, 3]
    identity   int32   [N]                seed of the person
    pose       float32 [N, 6]             factors in natural units (training/factors.py)
    mouth      float32 [N, 12]
    expression float32 [N, 10]
    pair       int32   [N, P]             place in this shard of the source frame, same person
    flow       float16 [N, P, 64, 64, 2]  where each pixel of the frame lies in the source: x right, y down
    visible    uint8   [N, P, 64, 64]     0 background, 1 surface seen in both, 2 surface hidden in the source
    boxes      float32 [N, 3, 4]          mouth, picture-left eye, picture-right eye: x0, y0, x1, y1
    landmarks  float16 [N, 68, 2]
    donors     int32   [N, 3]             only with --recombined: places in this shard of the three frames, of
                                          other people, that lend mouth, pose and expression; else -1
All places in pictures are in [-1, 1]. The first frame of each person is at rest. Recombinations come after a
person's other frames: what taking mouth, pose and expression apart and putting them together should give.

A shard appears by renaming its finished folder, so what exists is whole; finished shards are left alone when
the command is run again. People of seed 1 000 000 and up are kept for evaluation.
"""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.factors import Factors
from training.heads.labels import boxes, flow
from training.heads.motion import random_factors, resting_factors
from training.heads.pack import Ints
from training.heads.render import Frame, HeadRenderer

HELD_OUT = 1_000_000
"""Seeds from here on are never trained on."""

# One rasteriser and one BLAS thread per worker: the workers are the parallelism.
SINGLE_THREADED = ("LP_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

_MOTION_STREAM, _PAIR_STREAM, _DONOR_STREAM = 8, 9, 10


@dataclass(frozen=True)
class DatasetSettings:
    """What to render and where."""

    out: Path
    identities: int
    first_seed: int = 0
    frames: int = 12  # per identity, the first at rest; at least 2
    size: int = 128
    pairs: int = 3
    recombined: int = 0  # more frames per identity, that wear what three others lend
    shard_identities: int = 32
    workers: int = 2
    minutes: float = 0.0  # begin no further shard after so long, to be gone on with; 0: render all

    def shards(self) -> Iterator[tuple[int, range]]:
        """(shard number, seeds) of every shard; the last may be smaller."""
        end = self.first_seed + self.identities
        for number, start in enumerate(range(self.first_seed, end, self.shard_identities)):
            yield number, range(start, min(start + self.shard_identities, end))

    def folder(self, number: int) -> Path:
        """Where a finished shard lies."""
        return self.out / f"shard_{number:05d}"


def render_dataset(settings: DatasetSettings) -> Iterator[Path]:
    """Renders what is missing and yields each shard's folder when it is finished (in any order)."""
    settings.out.mkdir(parents=True, exist_ok=True)
    missing = [(number, seeds) for number, seeds in settings.shards() if not settings.folder(number).exists()]
    until = time.monotonic() + 60 * settings.minutes if settings.minutes else math.inf
    if settings.workers <= 1:
        for number, seeds in missing:
            yield _render_shard(settings, number, seeds)
            if time.monotonic() > until:
                return
        return
    with (
        _environment(SINGLE_THREADED),
        ProcessPoolExecutor(settings.workers, mp_context=get_context("spawn")) as workers,
    ):
        for done in as_completed([workers.submit(_render_shard, settings, *shard) for shard in missing]):
            if done.cancelled():
                continue
            yield done.result()
            if time.monotonic() > until:
                workers.shutdown(wait=False, cancel_futures=True)


def load_shard(folder: Path, mmap: bool = True) -> dict[str, NDArray[Any]]:
    """All arrays of a shard by name, read lazily when `mmap`."""
    return {
        file.stem: np.load(file, mmap_mode="r" if mmap else None, allow_pickle=False)
        for file in sorted(folder.glob("*.npy"))
    }


def render_identity(
    renderer: HeadRenderer, seed: int, frames: int, pairs: int, borrowed: Sequence[Factors] = ()
) -> dict[str, NDArray[Any]]:
    """One person's part of a shard: `frames` of their own motion, then `borrowed` motion; `pair` counts from
    this person's first frame."""
    motion = [*motion_of(seed, frames), *borrowed]
    frames = len(motion)
    person = renderer.person(seed)
    try:
        drawn = [renderer.frame(person, factors) for factors in motion]
    finally:
        person.release()
    sources = source_frames(seed, frames, pairs)
    flows, visibles = _flows(drawn, sources, person.figure.triangles)
    return {
        "image": np.stack([f.image for f in drawn]),
        "identity": np.full(frames, seed, np.int32),
        "pose": np.stack([f.pose for f in motion]),
        "mouth": np.stack([f.mouth for f in motion]),
        "expression": np.stack([f.expression for f in motion]),
        "pair": sources,
        "flow": flows,
        "visible": visibles,
        "boxes": np.stack([boxes(f.landmarks) for f in drawn]),
        "landmarks": np.stack([f.landmarks for f in drawn]).astype(np.float16),
    }


def motion_of(seed: int, frames: int) -> list[Factors]:
    """The motion of a person in the data set: at rest first, then random."""
    rng = np.random.default_rng((seed, _MOTION_STREAM))
    return [resting_factors(rng), *(random_factors(rng) for _ in range(frames - 1))]


def source_frames(seed: int, frames: int, pairs: int) -> NDArray[np.int32]:
    """Source frame of each pair, [frames, pairs]: the resting frame, then any others; never itself."""
    rng = np.random.default_rng((seed, _PAIR_STREAM))
    other = rng.integers(1, frames, (frames, pairs))
    sources = (np.arange(frames)[:, None] + other) % frames
    sources[1:, 0] = 0
    return sources.astype(np.int32)


def donors_of(seeds: range, frames: int, count: int) -> NDArray[np.int32]:
    """Who lends what to each person: [people, count, 3 banks, 2] place of a person and one of their frames.

    Mouth, pose and expression come from three different people, as far as there are so many; never from the
    person, nor from a frame at rest.
    """
    result = np.zeros((len(seeds), count, 3, 2), np.int32)
    for place, seed in enumerate(seeds):
        rng = np.random.default_rng((seed, _DONOR_STREAM))
        others = [other for other in range(len(seeds)) if other != place] or [place]
        for row in result[place]:
            row[:, 0] = rng.choice(others, 3, replace=len(others) < 3)
            row[:, 1] = rng.integers(1, frames, 3)
    return result


def _recombined(seeds: range, frames: int, donors: NDArray[np.int32]) -> list[list[Factors]]:
    """The motion that each person borrows."""
    motion = [motion_of(seed, frames) for seed in seeds]
    return [
        [
            Factors(
                motion[pose[0]][pose[1]].pose,
                motion[mouth[0]][mouth[1]].mouth,
                motion[face[0]][face[1]].expression,
            )
            for mouth, pose, face in rows
        ]
        for rows in donors
    ]


def _flows(drawn: list[Frame], sources: NDArray[np.int32], triangles: Ints) -> tuple[NDArray[Any], ...]:
    pairs = [[flow(drawn[j], drawn[i], triangles) for i in row] for j, row in enumerate(sources)]
    return (
        np.stack([[position for position, _ in row] for row in pairs]).astype(np.float16),
        np.stack([[visible for _, visible in row] for row in pairs]),
    )


_renderers: dict[int, HeadRenderer] = {}


def _render_shard(settings: DatasetSettings, number: int, seeds: range) -> Path:
    if settings.size not in _renderers:  # one OpenGL context per process
        _renderers[settings.size] = HeadRenderer(settings.size)
    renderer = _renderers[settings.size]
    donors = donors_of(seeds, settings.frames, settings.recombined)
    parts = [
        render_identity(renderer, seed, settings.frames, settings.pairs, borrowed)
        for seed, borrowed in zip(seeds, _recombined(seeds, settings.frames, donors))
    ]
    each = settings.frames + settings.recombined
    for place, part in enumerate(parts):
        part["pair"] = part["pair"] + np.int32(place * each)
        if settings.recombined:
            part["donors"] = np.full((each, 3), -1, np.int32)
            part["donors"][settings.frames :] = donors[place, ..., 0] * each + donors[place, ..., 1]
    folder = settings.folder(number)
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}")
    unfinished.mkdir()
    try:
        for name in parts[0]:
            joined = np.concatenate([part[name] for part in parts])
            np.save(unfinished / f"{name}.npy", joined, allow_pickle=False)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


@contextmanager
def _environment(names: tuple[str, ...]) -> Iterator[None]:
    """Sets environment variables to "1" for the child processes started inside; restores them afterwards."""
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def settings_of(arguments: list[str] | None = None) -> DatasetSettings:
    """What the command line asks for; see the module docstring."""
    import argparse

    parser = argparse.ArgumentParser(description="Render training shards of synthetic heads.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--identities", type=int, required=True)
    for name in ("first_seed", "frames", "recombined", "size", "pairs", "shard_identities", "workers"):
        parser.add_argument("--" + name.replace("_", "-"), type=int, default=getattr(DatasetSettings, name))
    parser.add_argument("--minutes", type=float, default=DatasetSettings.minutes)
    return DatasetSettings(**vars(parser.parse_args(arguments)))


def main(arguments: list[str] | None = None) -> None:
    """Render, and say how fast."""
    settings = settings_of(arguments)
    start, frames = time.monotonic(), 0
    for folder in render_dataset(settings):
        frames += len(np.load(folder / "identity.npy"))
        print(f"{folder.name}  {frames / (time.monotonic() - start):.1f} frames/s", flush=True)


if __name__ == "__main__":
    main()
