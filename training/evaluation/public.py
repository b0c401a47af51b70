# SPDX-License-Identifier: GPL-3.0-or-later
"""The same table for real clips, with public metrics where the user has them.

    edtalk evaluate --clips folder --metric mypackage.mymodule:sharpness

Each clip's first frame is the source, its own frames drive it (the paper's protocol), and the redrawn frames
are compared with the real ones.  Nothing is downloaded: a metric whose package or weights are not on this
machine shows a dash and says what it lacks.

A metric is a function of redrawn and true frames and the sound; add it to `METRICS`, or name your own:

    def sharpness(drawn, truth, sound):    # [T, 3, S, S] in [-1, 1] twice; float32 [N] at 16 kHz, or None
        return float((drawn[..., 1:] - drawn[..., :-1]).abs().mean())

Shapes: T frames, S side of the picture.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.engine.engine import Engine
from core.engine.portrait import framed
from core.models.layers import resampled
from core.pictures import face, video
from core.pictures.picture import Picture
from core.sound import audio
from core.wire.errors import InputError, NoFace, UnreadableAudio

from .calibration import pictures_of
from .likeness import landmark_distance
from .reader import load_reader
from .reconstruction import ssim

Sound = NDArray[np.float32] | None
Measure = Callable[[Tensor, Tensor, Sound], float]

CLIPS = {".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v"}
STEP = 1 / 25
LONGEST = 100
"""Frames of a clip that are looked at: four seconds."""

_HUB = "the weights are looked for in torch's hub folder; nothing is downloaded"


@dataclass(frozen=True)
class Metric:
    """A number for a table.  `lacks` says why it cannot be had here; "" when it can."""

    measure: Measure
    lacks: Callable[[], str] = lambda: ""


@dataclass
class Row:
    """One way to make the frames: its numbers for each clip, by metric."""

    name: str
    values: dict[str, list[float]] = field(default_factory=dict)

    def mean(self, metric: str) -> float:
        """Over the clips; nan where there is nothing."""
        found = [value for value in self.values.get(metric, []) if not math.isnan(value)]
        return float(np.mean(found)) if found else float("nan")


def _l1(drawn: Tensor, truth: Tensor, sound: Sound) -> float:
    return float((drawn - truth).abs().mean() / 2)


def _psnr(drawn: Tensor, truth: Tensor, sound: Sound) -> float:
    error = ((drawn - truth) ** 2).mean((1, 2, 3))
    return float((10 * torch.log10(4 / error)).mean())  # infinite for the truth


def _ssim(drawn: Tensor, truth: Tensor, sound: Sound) -> float:
    return ssim(drawn, truth)


def _lmd(part: str) -> Measure:
    def measured(drawn: Tensor, truth: Tensor, sound: Sound) -> float:
        reader = load_reader()
        distance = landmark_distance(reader.read(drawn).landmarks, reader.read(truth).landmarks)
        return float(getattr(distance, part))

    return measured


def _lpips(drawn: Tensor, truth: Tensor, sound: Sound) -> float:
    metric = importlib.import_module("torchmetrics.image.lpip").LearnedPerceptualImagePatchSimilarity("alex")
    return float(metric(drawn.clamp(-1, 1), truth.clamp(-1, 1)))


def _fid(drawn: Tensor, truth: Tensor, sound: Sound) -> float:
    metric = importlib.import_module("torchmetrics.image.fid").FrechetInceptionDistance(2048, normalize=True)
    metric.update((truth + 1) / 2, real=True)
    metric.update((drawn.clamp(-1, 1) + 1) / 2, real=False)
    return float(metric.compute())


def _syncnet(drawn: Tensor, truth: Tensor, sound: Sound) -> float:
    if sound is None:
        return float("nan")
    scorer = torch.jit.load(os.environ["EDTALK_SYNCNET"], map_location="cpu")  # type: ignore[no-untyped-call]
    with torch.inference_mode():
        return float(scorer((drawn.clamp(-1, 1) + 1) / 2, torch.from_numpy(sound)))


def _needs(*packages: str, weights: str = "") -> Callable[[], str]:
    def lacks() -> str:
        for package in packages:
            if importlib.util.find_spec(package) is None:
                return f"needs the package {package.replace('_', '-')}"
        if weights and not list(Path(torch.hub.get_dir()).rglob(weights)):
            return f"needs {weights}: {_HUB}"
        return ""

    return lacks


def _needs_syncnet() -> str:
    file = os.environ.get("EDTALK_SYNCNET", "")
    if not file:
        return "set EDTALK_SYNCNET to a TorchScript file: (frames [T,3,S,S] in 0..1, samples) -> confidence"
    return "" if Path(file).is_file() else f"EDTALK_SYNCNET names {file}, which is not there"


METRICS: dict[str, Metric] = {
    "L1": Metric(_l1),
    "PSNR, dB": Metric(_psnr),
    "SSIM": Metric(_ssim),
    "M-LMD, %": Metric(_lmd("mouth")),
    "F-LMD, %": Metric(_lmd("face")),
    "LPIPS": Metric(_lpips, _needs("torchmetrics", "torchvision", weights="alexnet-owt-*.pth")),
    "FID": Metric(_fid, _needs("torchmetrics", "torch_fidelity", weights="*inception-2015-12-05-*.pth")),
    "SyncNet": Metric(_syncnet, _needs_syncnet),
}
"""Name -> metric.  M-LMD and F-LMD look through the landmark reader, which has seen renders only."""


def own_metric(name: str) -> Metric:
    """A metric given as "module:function".  Raises InputError when it cannot be had."""
    module, _, function = name.partition(":")
    try:
        measure = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(
            f"There is no metric {name!r}: {error}", hint="Give it as package.module:function"
        ) from error
    return Metric(measure)


def measure(
    checkpoint: Path | str,
    folder: Path,
    own: Sequence[str] = (),
    say: Callable[[str, int, int], None] = lambda *_: None,
) -> list[Row]:
    """Measure any checkpoint, a published one too, on the clips in a folder.

    Returns:
        The rows "copy the source", "redrawn", "ground truth".
    Raises:
        InputError: there are no clips, or none with a face.
    """
    clips = sorted(p for p in folder.glob("*") if p.suffix.lower() in CLIPS) if folder.is_dir() else []
    if not clips:
        raise InputError(f"There are no clips in {folder}", hint=f"Clips end in {', '.join(sorted(CLIPS))}")
    metrics = {**METRICS, **{name: own_metric(name) for name in own}}
    usable = {name: metric for name, metric in metrics.items() if not metric.lacks()}
    engine = Engine.from_checkpoint(checkpoint)
    rows = [Row("copy the source"), Row("redrawn"), Row("ground truth")]
    seen = 0
    for done, clip in enumerate(clips):
        try:
            frames = _frames(engine, clip)
        except NoFace:
            continue
        seen += 1
        truth = resampled(torch.from_numpy(frames).permute(0, 3, 1, 2) / 127.5 - 1, engine.size)
        drawn = pictures_of(engine, engine.prepare(frames[0]), engine.weights_of(frames))
        sound = _sound(clip)
        for row, pictures in zip(rows, (truth[:1].expand_as(truth), drawn, truth), strict=True):
            for name, metric in usable.items():
                row.values.setdefault(name, []).append(float(metric.measure(pictures, truth, sound)))
        say("clips", done + 1, len(clips))
    if not seen:
        raise InputError(f"No clip in {folder} begins with a face", hint="Crop the clips around the face")
    return rows


def table(rows: list[Row]) -> str:
    """Markdown, and a line for each metric that could not be had."""
    names = list(rows[0].values)
    lines = ["| | " + " | ".join(names) + " |", "|" + " --- |" * (len(names) + 1)]
    for row in rows:
        cells = (f"{row.mean(name):.3f}" if math.isfinite(row.mean(name)) else "-" for name in names)
        lines.append(f"| {row.name} | " + " | ".join(cells) + " |")
    missing = [f"{name}: {metric.lacks()}" for name, metric in METRICS.items() if metric.lacks()]
    return "\n".join([*lines, "", *missing])


def numbers(rows: list[Row]) -> dict[str, Any]:
    """Row -> metric -> mean; None where it could not be measured."""
    return {
        row.name: {name: value if math.isfinite(value := row.mean(name)) else None for name in row.values}
        for row in rows
    }


def _frames(engine: Engine, clip: Path) -> NDArray[np.uint8]:
    """uint8 [T, S, S, 3], all cropped alike around the face of the first frame.  Raises NoFace."""
    kept: list[NDArray[np.uint8]] = []
    where = None
    for frame in video.read(clip, 0.6 * STEP):
        if where is None:
            found = max(face.find_faces(frame.rgb), key=lambda one: one.width, default=None)
            if found is None:
                raise NoFace(f"{clip.name} does not begin with a face")
            where = face.crop_from_face(found, frame.rgb.shape)
        kept.append(framed(engine, Picture(frame.rgb), where))
        if len(kept) == LONGEST:
            break
    return np.stack(kept)


def _sound(clip: Path) -> Sound:
    try:
        return np.asarray(audio.load_audio(clip), np.float32)
    except UnreadableAudio:
        return None
