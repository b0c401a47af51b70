# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces drawn with a few ellipses, as shards: what the training stages can learn by heart in seconds.

Three things move: the head sideways (tx), the jaw (jaw_open) and the lids (blink). Everything is known.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from core.models import EDTalk, EDTalkConfig
from training.recipes.stage import write_config

CHANNELS = {4: 24, 8: 24, 16: 20, 32: 12}


def draw(who: int, size: int, tx: float, jaw: float, blink: float) -> tuple[np.ndarray, np.ndarray]:
    """uint8 [size, size, 3] and 68 landmarks [68, 2] in [-1, 1]."""
    rng = np.random.default_rng(who)
    skin, wall = rng.uniform((90, 60, 40), (250, 220, 200)), rng.uniform(0, 255, 3)
    hair = rng.uniform(0, 120, 3)
    line = (np.arange(size) + 0.5) * 2 / size - 1
    x, y = np.meshgrid(line, line)
    picture = np.broadcast_to(wall, (size, size, 3)).copy()

    def fill(cx: float, cy: float, rx: float, ry: float, colour: object) -> None:
        picture[((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 <= 1] = colour

    fill(tx, -0.15, 0.62, 0.75, hair)
    fill(tx, 0.05, 0.5, 0.68, skin)
    lid = 0.12 * (1 - blink) + 0.015
    for side in (-0.2, 0.2):
        fill(tx + side, -0.15, 0.13, lid, (250, 250, 250))
        fill(tx + side, -0.15, 0.06, min(lid, 0.08), (30, 40, 60))
    gap = 0.05 + 0.18 * jaw
    fill(tx, 0.38, 0.24, gap + 0.06, (170, 40, 50))
    fill(tx, 0.38, 0.18, gap, (40, 5, 10))
    points = np.zeros((68, 2))
    points[:36] = (tx, 0.0)
    around = np.linspace(0, 2 * np.pi, 6, endpoint=False)
    for part, side in ((slice(36, 42), -0.2), (slice(42, 48), 0.2)):
        points[part] = np.stack([tx + side + 0.13 * np.cos(around), -0.15 + lid * np.sin(around)], 1)
    for part, count, grow in ((slice(48, 60), 12, 0.06), (slice(60, 68), 8, 0.0)):
        around = np.linspace(0, 2 * np.pi, count, endpoint=False)
        points[part] = np.stack(
            [tx + (0.18 + grow) * np.cos(around), 0.38 + (gap + grow) * np.sin(around)], 1
        )
    return np.clip(picture, 0, 255).astype(np.uint8), points


def write_shard(folder: Path, people: range, frames: int = 8, size: int = 32, donors: int = 0) -> Path:
    """A shard as `training.heads.dataset` writes them, with ``donors`` recombined frames a person."""
    rng = np.random.default_rng((people.start, 17))
    shown = [
        [(0.0, 0.0, 0.0)] + [tuple(rng.uniform((-0.2, 0, 0), (0.2, 1, 1))) for _ in range(frames - 1)]
        for _ in people
    ]
    each, lent = frames + donors, []
    for place in range(len(people)):
        for extra in range(donors):
            who = [(place + 1 + k + extra) % len(people) for k in range(3)]
            when = rng.integers(1, frames, 3)
            mouth, pose, face = (shown[w][n] for w, n in zip(who, when))
            shown[place].append((pose[0], mouth[1], face[2]))
            lent.append([w * each + n for w, n in zip(who, when)])
    rows = [(who, motion) for who, own in zip(people, shown) for motion in own]
    images, points = zip(*(draw(who, size, *motion) for who, motion in rows))
    motion = np.array([m for _, m in rows], np.float32)
    count = len(rows)
    first = np.arange(count) // each * each
    pair = np.stack([np.where(np.arange(count) == first, first + 1, first), first + 2], 1).astype(np.int32)
    pose, mouth, expression = (np.zeros((count, n), np.float32) for n in (6, 12, 10))
    pose[:, 3], mouth[:, 0], expression[:, 7] = motion.T
    line = (np.arange(64) + 0.5) * 2 / 64 - 1
    x, y = np.meshgrid(line, line)
    flow = np.zeros((count, 2, 64, 64, 2), np.float16)
    flow[..., 0], flow[..., 1] = x, y
    shift = motion[pair, 0] - motion[:, None, 0]
    inside = ((x - motion[:, 0, None, None]) / 0.5) ** 2 + ((y - 0.05) / 0.68) ** 2 <= 1
    flow[..., 0] += inside[:, None] * shift[..., None, None]
    landmarks = np.stack(points).astype(np.float32)
    arrays = {
        "image": np.stack(images),
        "identity": np.array([who for who, _ in rows], np.int32),
        "pose": pose,
        "mouth": mouth,
        "expression": expression,
        "pair": pair,
        "flow": flow,
        "visible": np.repeat(inside[:, None], 2, 1).astype(np.uint8),
        "boxes": boxes_of(landmarks),
        "landmarks": landmarks.astype(np.float16),
    }
    if donors:
        arrays["donors"] = np.full((count, 3), -1, np.int32)
        arrays["donors"][np.arange(count) % each >= frames] = lent
    folder.mkdir(parents=True)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return folder


def write_clips(root: Path, people: range, frames: int = 12) -> Path:
    """The same as `training.recipes.clips` writes them: nothing is known but where eyes and mouth are."""
    from training.heads.people import anchors_of

    folder = write_shard(root / "shard_00000", people, frames)
    np.save(folder / "anchors.npy", anchors_of(np.load(folder / "landmarks.npy")))
    for name in ("pose", "mouth", "expression", "pair", "flow", "visible", "landmarks"):
        (folder / f"{name}.npy").unlink()
    return root


def boxes_of(landmarks: np.ndarray) -> np.ndarray:
    """[N, 68, 2] -> [N, 3, 4] as the renderer gives them."""
    from training.heads.labels import boxes

    return np.stack([boxes(points) for points in landmarks])


def config(expression: int = 10, reading: int = 0) -> EDTalkConfig:
    """A network of a few thousand parameters; ``reading`` as in `EDTalkConfig`."""
    channels = CHANNELS | ({reading: 8} if reading else {})
    return EDTalkConfig(32, 40, expression=expression, channels=channels, arithmetic="clean", reading=reading)


def model(expression: int = 10, reading: int = 0) -> EDTalk:
    """A fresh network that copies the source."""
    torch.manual_seed(0)
    net = EDTalk(config(expression, reading))
    for name, weight in net.named_parameters():
        if name.endswith("flow.weight"):
            torch.nn.init.zeros_(weight)
    return net


def write_run(folder: Path, net: EDTalk) -> Path:
    """A run's folder with this network in it."""
    write_config(folder, net.config)
    torch.save({"ema": net.state_dict(), "model": net.state_dict(), "step": 0}, folder / "state.pt")
    return folder
