# SPDX-License-Identifier: GPL-3.0-or-later
"""A take on disk: its folder, its file names, and what its pictures depend on. No bpy.

anna_001/
    motion.npz       the analysed motion, 25 steps a second, as it came from the server
    decode-*.npz     while pictures are made: the weights that were asked for, at scene frames
    rendered.npz     for every picture that exists: its weights and its look, see `frame_record`
    take.0100.png    the portrait at rest, shown before the take begins
    take.0101.png    the picture of scene frame 101, and so on
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tempfile
import time
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ...core.wire.channels import BANK_SLICES, DRAWN, MOTION_SCHEMA
from ...core.wire.errors import BadMotion, OutputBlocked, OutputExists

STEM = "take."
DIGITS = 4
PATIENCE = 0.3
"""Seconds in which somebody else may let go of a file that is to be replaced; Blender waits meanwhile."""
SUFFIXES = {"png": ".png", "png16": ".png", "exr": ".exr"}


@dataclass(frozen=True)
class Look:
    """Everything besides the weights that a picture depends on."""

    portrait: str  # digest of the file's bytes, so that a retouched portrait counts as a new one
    checkpoint: str  # digest too, "" for the one that is shipped
    crop: tuple[float, float, float]
    size: int
    composite: str
    detail: bool
    format: str
    drawn: int = DRAWN

    def digest(self) -> bytes:
        """16 bytes that change whenever the pictures would."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).digest()


def at_rest(look: bytes) -> bytes:
    """The look of the picture before the first: the portrait itself, whatever the weights are."""
    return hashlib.blake2b(look + b"at rest", digest_size=16).digest()


def file_digest(path: str) -> str:
    """Digest of a file's bytes, "" when it cannot be read. Read again only when its time or size changes."""
    try:
        stat = os.stat(path)
        return _digest_of(path, stat.st_mtime_ns, stat.st_size)
    except OSError:
        return ""


@lru_cache(maxsize=64)
def _digest_of(path: str, _mtime: int, _size: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def file_name(number: int, picture_format: str) -> str:
    """Name of the picture with this file number: `take.0101.png`."""
    return f"{STEM}{number:0{DIGITS}d}{SUFFIXES[picture_format]}"


def free_name(folder: Path, portrait: str, used: Iterable[str] = ()) -> str:
    """The next take name nobody uses: `anna_001`, `anna_002` ...; neither a folder nor one of `used`."""
    stem = re.sub(r"[^\w-]+", "_", Path(portrait).stem).strip("_")
    stem = stem.encode()[:40].decode(errors="ignore") or "face"  # names in a .blend have 63 bytes at most
    used = set(used)
    number = 1
    while (name := f"{stem}_{number:03d}") in used or (folder / name).exists():
        number += 1
    return name


def make_folder(folder: Path) -> None:
    """Create a take's folder and see that files can be written there. Raises OutputBlocked."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputBlocked(
            f"Nothing can be written to {folder}: {error.strerror or error}",
            hint="Choose another output folder",
        ) from error


def is_ours(folder: Path) -> bool:
    """Did EDTalk make what is in this folder? It leaves notes beside its pictures."""
    marks = ("edtalk-take.json", "motion.npz", "rendered*.npz")
    return any(True for mark in marks for _ in folder.glob(mark))


def leave_alone(folder: Path, names: Iterable[str]) -> None:
    """For a folder that is not ours, to which somebody pointed the take's image: graded pictures, say. Raises
    OutputExists when files of these names are there.
    """
    there = [name for name in names if (folder / name).exists()]
    if there:
        more = f" and {len(there) - 1} more" if len(there) > 1 else ""
        raise OutputExists(
            f"EDTalk did not make {there[0]}{more} in {folder}, so they stay",
            hint="Let the take's image show the take's own folder again to render there",
        )


def save_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write an npz whole or not at all. Raises OutputBlocked."""
    whole, packed = path.with_name(f"{path.name}.{os.getpid()}.part"), io.BytesIO()
    np.savez(packed, **arrays)
    try:
        whole.write_bytes(packed.getvalue())
        _replace(whole, path)
    except OSError as error:
        whole.unlink(missing_ok=True)
        raise OutputBlocked(
            f"{path.name} cannot be written to {path.parent}: {error.strerror or error}",
            hint="Make room on the disk or choose another output folder",
        ) from error


def _replace(whole: Path, path: Path) -> None:
    """Windows does not let a file be replaced while somebody reads it: another worker of a farm, say."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return os.replace(whole, path)
        except PermissionError:
            if not path.is_file() or time.monotonic() > deadline:
                raise
        time.sleep(0.02)


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """Every array of an npz, never unpickling. Raises BadMotion for what is none or is cut off."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise BadMotion(f"{path.name} cannot be read as arrays: {error}") from error


def load_motion(path: Path) -> tuple[np.ndarray, float]:
    """Weights float32 [T, 36] and steps a second of a motion.npz. Raises BadMotion."""
    arrays = load_arrays(path)
    try:
        if int(arrays["schema"]) != MOTION_SCHEMA:
            raise BadMotion(f"{path.name} has layout {int(arrays['schema'])}, not {MOTION_SCHEMA}")
        weights = np.concatenate([arrays[bank] for bank in BANK_SLICES], axis=1).astype(np.float32)
        rate = float(arrays["rate"])
    except (KeyError, ValueError, TypeError) as error:
        raise BadMotion(f"{path.name} is not a motion file: {error}") from error
    if weights.shape[1] != 36 or not len(weights) or not np.isfinite(weights).all() or not rate > 0:
        raise BadMotion(f"{path.name} holds weights {weights.shape} at {rate:g} steps a second")
    return weights, rate


def save_motion(path: Path, weights: np.ndarray, rate: float, numbers: Sequence[int], model: str) -> None:
    """Write weights [T, 36] as a motion.npz whose rows are the given frame numbers. Raises OutputBlocked."""
    banks = {bank: weights[:, part].astype(np.float32) for bank, part in BANK_SLICES.items()}
    save_arrays(
        path,
        banks
        | {
            "rate": np.float64(rate),
            "numbers": np.asarray(numbers, np.int64),
            "model": np.str_(model),
            "schema": np.int64(MOTION_SCHEMA),
        },
    )
