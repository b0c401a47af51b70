# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces out of clips and pictures, for the stages that learn from real footage.

    edtalk train clips --data FOLDER --out CROPS

Who is who is told by files and folders: every clip is a person of its own, and so is every sub-folder with
all the clips and pictures in it; pictures that lie in FOLDER itself are one person together. FOLDER may also
be a single clip. The other recipes do this by themselves when their ``--data`` holds no shards.

A clip is cropped once, around its first face, so that the head's own motion stays in; a picture around its
own face. Where eyes and mouth are is said by the landmark reader (`training.evaluation.reader`) when it is
there and agrees with the face that was found, and otherwise by that face's proportions. The crops are kept as
shards with ``image``, ``identity``, ``anchors`` and ``boxes`` (see `training.heads.dataset` for the form).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray

from core.pictures import face, image, video
from core.pictures.picture import Crop, Picture, crop, to_model
from core.wire.errors import EDTalkError, InputError, NoFace

from ..evaluation.reader import load_reader, reader_file
from ..heads.labels import boxes as boxes_of
from ..heads.people import People, anchors_of
from ..shared.loop import from_command_line

CLIPS = {".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mpeg"}
PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}
TRACK_EVERY = 0.2  # seconds between looks for the face; between them it is taken to move evenly
SEARCH_SECONDS = 2.0  # a clip must show a face by then
LONGEST_STEP = 0.5  # of the picture: where reader and face differ by more, the reader is not believed

# Middles and sizes in widths of the common face box from its middle, means of 640 heads at rest.
_ANCHORS = np.array([[-0.178, -0.099], [0.184, -0.097], [0.003, 0.316]], np.float32)
_BOX_MIDDLES = np.array([[0.003, 0.328], [-0.182, -0.098], [0.187, -0.098]], np.float32)
_BOX_SIZES = np.array([[0.442, 0.279], [0.317, 0.182], [0.317, 0.182]], np.float32)


@dataclass(frozen=True)
class Settings:
    """Crop the faces of clips and pictures."""

    data: Path
    out: Path
    size: int = 128
    rate: float = 12.5  # frames a second taken from a clip
    most: int = 1500  # frames taken from one clip


def main(s: Settings) -> None:
    """Crop what is not cropped yet, and say what could not be used."""
    for line in prepare(s):
        print(line, flush=True)


def people_of(data: Path, crops: Path, size: int, share: tuple[float, float] = (0.0, 1.0)) -> People:
    """The people of a folder of shards, or of clips and pictures, whose crops are then kept in ``crops``.

    In a run of several processes the first one crops and the others wait.
    """
    if any(data.glob("shard_*")):
        return People(data, size, share)
    if not dist.is_initialized() or dist.get_rank() == 0:
        main(Settings(data, crops, size))
    if dist.is_initialized():
        dist.barrier()
    return People(crops, size, share)


def prepare(s: Settings) -> Iterator[str]:
    """Write one shard a person, leaving finished ones alone; yields a sentence about each.

    Raises InputError when nothing at all could be used.
    """
    everyone = list(_everyone(s.data))
    if not everyone:
        raise InputError(f"There are no clips and no pictures in {s.data}", hint="Name a clip, or a folder")
    s.out.mkdir(parents=True, exist_ok=True)
    usable = 0
    for number, files in enumerate(everyone):
        folder = s.out / f"shard_{number:05d}"
        name = files[0].name if len(files) == 1 else f"{files[0].parent.name} ({len(files)} files)"
        if folder.exists():
            usable += 1
            continue
        frames = []
        for file in files:
            try:
                frames += list(_frames(file, s))
            except EDTalkError as error:
                yield f"{file.name} is left out: {error}"
        if len(frames) < 2:
            yield f"{name} is left out: it gives fewer than two frames"
            continue
        _write(folder, number, frames)
        usable += 1
        yield f"{name}: {len(frames)} frames"
    if not usable:
        hint = "Use clips that begin with a face from the front"
        raise InputError(f"Nothing in {s.data} could be used", hint)


@dataclass(frozen=True)
class _Cropped:
    rgb: NDArray[np.uint8]  # [S, S, 3]
    box: NDArray[np.float32]  # [3] the common face box in the crop: middle x, middle y, width, in [-1, 1]


def _everyone(data: Path) -> Iterator[list[Path]]:
    if data.is_file():
        yield [data]
        return
    if not data.is_dir():
        raise InputError(f"There is no {data}", hint="Name a clip, or a folder of clips and pictures")
    entries = sorted(data.iterdir())
    loose = [path for path in entries if path.suffix.lower() in PICTURES]
    if loose:
        yield loose
    for path in entries:
        if path.suffix.lower() in CLIPS:
            yield [path]
        elif path.is_dir() and not path.name.startswith("."):
            files = [file for file in sorted(path.rglob("*")) if file.suffix.lower() in CLIPS | PICTURES]
            if files:
                yield files


def _frames(file: Path, s: Settings) -> Iterator[_Cropped]:
    if file.suffix.lower() in PICTURES:
        picture = image.load(file)
        found = face.find_face(picture.rgb, name=file.name)
        around = face.crop_from_face(found, picture.rgb.shape)
        yield _Cropped(crop(picture, around, s.size).to_depth(8).rgb, _in_crop(found, around))
        return
    where: Crop | None = None
    last = np.zeros(3, np.float32)
    looked, count = -1.0, 0
    for frame in video.read(file, 0.9 / s.rate):
        if looked < 0 or frame.seconds - looked >= TRACK_EVERY:
            looked = frame.seconds
            found_now = _same(face.find_faces(frame.rgb), where, last)
            if found_now is not None:
                where = where or face.crop_from_face(found_now, frame.rgb.shape)
                last = _in_crop(found_now, where)
        if where is None:
            if frame.seconds > SEARCH_SECONDS:
                raise NoFace(f"no face was found in its first {SEARCH_SECONDS:.0f} seconds")
            continue
        yield _Cropped(crop(Picture(frame.rgb), where, s.size).rgb, last)
        count += 1
        if count == s.most:
            return
    if where is None:
        raise NoFace("no face was found in it")


def _same(faces: list[face.FaceBox], where: Crop | None, last: NDArray[np.float32]) -> face.FaceBox | None:
    """The largest face at first; later the one where the last was, or none."""
    if not faces:
        return None
    if where is None:
        return max(faces, key=lambda found: found.width)

    def apart(found: face.FaceBox) -> float:
        return float(np.hypot(*(_in_crop(found, where) - last)[:2]))

    nearest = min(faces, key=apart)
    return nearest if apart(nearest) < float(last[2]) / 2 else None


def _in_crop(found: face.FaceBox, where: Crop) -> NDArray[np.float32]:
    x, y = found.middle
    half = where.side / 2
    return np.array([(x - where.x) / half - 1, (y - where.y) / half - 1, found.width / half], np.float32)


def _write(folder: Path, number: int, frames: list[_Cropped]) -> None:
    pictures = np.stack([frame.rgb for frame in frames])
    box = np.stack([frame.box for frame in frames])[:, None]
    anchors = box[..., :2] + _ANCHORS * box[..., 2:]
    middles, halves = box[..., :2] + _BOX_MIDDLES * box[..., 2:], _BOX_SIZES * box[..., 2:] / 2
    boxes = np.concatenate([middles - halves, middles + halves], -1)
    if reader_file().is_file():
        planes = torch.from_numpy(np.stack([to_model(picture) for picture in pictures]))
        landmarks = load_reader().read(planes).landmarks.numpy()
        read = anchors_of(landmarks)
        believed = np.abs(read - anchors).max((1, 2)) < LONGEST_STEP * box[:, 0, 2]
        anchors = np.where(believed[:, None, None], read, anchors)
        seen = np.stack([boxes_of(points.astype(np.float32)) for points in landmarks])
        boxes = np.where(believed[:, None, None], seen, boxes)
    unfinished = folder.with_name(f".{folder.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    arrays: dict[str, NDArray[Any]] = {
        "image": pictures,
        "identity": np.full(len(frames), number, np.int32),
        "anchors": anchors.astype(np.float32),
        "boxes": np.clip(boxes, -1, 1).astype(np.float32),
    }
    for name, array in arrays.items():
        np.save(unfinished / f"{name}.npy", array, allow_pickle=False)
    unfinished.rename(folder)


if __name__ == "__main__":
    main(from_command_line(Settings))
