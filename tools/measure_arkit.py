# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure on pictures what ARKit's 52 face units are in the controls of our face, and write the map.

    python tools/measure_arkit.py path/to/arkit_units.npz [--heads 12]

The units ("Face Units" by Mika Suominen, CC0) are morph targets of the mesh that our heads are made of. The
people of calibration are rendered with each unit at 1, and the shipped model redraws them with each control
at full strength; the landmark reader looks at both kinds of picture, so that its own mistakes largely cancel.
It sees *features* (`calibration.features`): 68 landmarks, and motion. D_k is what unit k changes in the
renders, F_j what control j changes in the model's pictures, the mean over all people:

    D_k = sum_j a_kj F_j    a unit in controls, for reading files
    F_j = sum_k b_jk D_k    a control in units, for writing them

Which controls may stand for a unit, `READS` says (left free, every unit becomes a little of everything); how
much of each is measured, by least squares within 0 and 1. Landmarks that the target does not move count less.
Our face does both sides alike, so a unit of one side is measured with the other side on, and half of what is
found is its own. Then the model performs what was found: the error of a name is the length of what is missing
from the change, as a share of the change. What brings nothing nearer is left out; its error is 1.

Gaze, tongue, pressed lips and a jaw that comes forward are set by definition (`DEFINED`).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core.checkpoints.checkpoint import default_checkpoint
from core.engine.engine import Engine, Source
from core.wire.channels import CHANNELS
from core.wire.controls import FULL, LABELS
from training.evaluation.calibration import Stage, features, pictures_of
from training.heads.pack import load_pack
from training.heads.render import Person

OUT = Path(__file__).resolve().parent.parent / "core" / "wire" / "formats" / "arkit_map.json"
ELSEWHERE = 0.3
"""Weight of landmarks that do not move under the target: a brow may raise a lid, but not open the mouth."""
SMALL = 0.02
"""Shares below are left out."""
NOTHING = 0.98
"""An error as large is one of 1: what was found is left out."""
PLACES = 136
"""Landmarks' coordinates, the last of the features."""
MOVED_ALONG = ("brow", "lash", "teeth", "tongue")
"""Materials of meshes that follow the skin; eyes stay."""

BOTH: dict[str, tuple[str, ...]] = {
    "eyeBlink": ("blink",),
    "eyeSquint": ("blink", "disgusted", "happy"),
    "eyeWide": ("surprised", "fear"),
    "mouthSmile": ("happy",),
    "mouthFrown": ("sad", "angry"),
    "mouthDimple": ("wide",),
    "mouthStretch": ("wide", "fear"),
    "mouthLowerDown": ("lower_down",),
    "mouthUpperUp": ("upper_up",),
    "browDown": ("angry",),
    "browOuterUp": ("surprised", "fear"),
    "cheekSquint": ("happy", "disgusted"),
    "noseSneer": ("disgusted", "angry"),
}
ALONE: dict[str, tuple[str, ...]] = {
    "jawOpen": ("jaw_open",),
    "jawLeft": ("jaw_side",),
    "jawRight": ("-jaw_side",),
    "mouthClose": ("-jaw_open", "press"),
    "mouthFunnel": ("funnel", "pucker"),
    "mouthPucker": ("pucker", "funnel"),
    "mouthLeft": ("jaw_side",),
    "mouthRight": ("-jaw_side",),
    "mouthRollLower": ("lip_teeth", "press"),
    "mouthRollUpper": ("press",),
    "mouthShrugLower": ("press",),
    "mouthShrugUpper": ("upper_up",),
    "browInnerUp": ("sad", "surprised", "fear"),
    "cheekPuff": (),
}
READS = ALONE | {f"{name}{side}": controls for name, controls in BOTH.items() for side in ("Left", "Right")}
"""Unit -> the controls that may stand for it; "-" is the reversed one."""

DEFINED: dict[str, dict[str, float]] = {
    "tongueOut": {"tongue_out": 1.0},
    "jawForward": {"jaw_fwd": 1.0},
    "mouthPressLeft": {"press": 0.35},
    "mouthPressRight": {"press": 0.35},
    "eyeLookOutLeft": {"gaze_x": 0.5},
    "eyeLookInRight": {"gaze_x": 0.5},
    "eyeLookInLeft": {"gaze_x": -0.5},
    "eyeLookOutRight": {"gaze_x": -0.5},
    "eyeLookUpLeft": {"gaze_y": 0.5},
    "eyeLookUpRight": {"gaze_y": 0.5},
    "eyeLookDownLeft": {"gaze_y": -0.5},
    "eyeLookDownRight": {"gaze_y": -0.5},
}
"""What the reader cannot see from the front, or the units' mesh does not have. Picture right is the person's
left; each eye has half a share.
"""
WRITTEN = {"press": 0.7}
"""Control -> the value that its defined units are written with; 1 for all others."""

Array = NDArray[np.float64]
Moves = dict[str, Array]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("units", type=Path)
    parser.add_argument("--heads", type=int, default=12, help="people to measure on (default: %(default)s)")
    options = parser.parse_args()
    with np.load(options.units, allow_pickle=False) as file:
        raw = {name: file[name] for name in file.files}
    stage = Stage(Engine.from_checkpoint(default_checkpoint()), options.heads)
    units, controls = _measured(stage, raw)
    reads = {name: _found(units[name], controls, allowed) for name, allowed in READS.items()}
    errors = _performed(stage, units, reads)
    for name, error in errors.items():
        if error >= NOTHING:
            reads[name], errors[name] = {}, 1.0
    writes, write_errors = _writes(units, controls)
    document: dict[str, Mapping[str, Any]] = {
        "reads": DEFINED | _halved(reads),
        "read_errors": errors,
        "writes": writes,
        "write_errors": write_errors,
    }
    blocks = [
        f"{json.dumps(title)}: {{\n"
        + ",\n".join(f"  {json.dumps(name)}: {json.dumps(found[name])}" for name in sorted(found))
        + "\n}"
        for title, found in document.items()
    ]
    OUT.write_text("{\n" + ",\n".join(blocks) + "\n}\n", encoding="utf-8")
    for name in sorted(errors, key=errors.__getitem__):
        print(f"{name:<20} {errors[name]:.2f}", reads[name])
    print(f"median error {np.median(list(errors.values())):.2f}")


def _measured(stage: Stage, raw: Mapping[str, NDArray[Any]]) -> tuple[Moves, Moves]:
    """What units change in renders, and controls in the model's pictures: the mean over people."""
    moves = {name: {name: 1.0} for name in LABELS.values()} | {"-jaw_side": {"jaw_side": -1.0}}
    offsets = _offsets(stage, moves.values())
    units: list[Array] = []
    controls: list[Array] = []
    for person, rest, source in stage.people():
        posed = [person, *(_with_unit(person, raw, name) for name in READS)]
        pictures = np.stack([stage.renderer.draw(who, rest) for who in posed])
        seen = _read(stage, torch.from_numpy(pictures).permute(0, 3, 1, 2) / 127.5 - 1)
        units.append(seen[1:] - seen[:1])
        controls.append(_drawn(stage, source, offsets))
        print(f"{len(units)} of {stage.heads} people", flush=True)
    found = dict(zip(READS, np.mean(units, axis=0), strict=True))
    moved = dict(zip(moves, np.mean(controls, axis=0), strict=True))
    return found, moved | {"-jaw_open": -moved["jaw_open"]}


def _with_unit(person: Person, raw: Mapping[str, NDArray[Any]], name: str) -> Person:
    """The person with a unit at 1, and for one side the other side's with it. Brows, lashes and teeth go
    along with the skin.
    """
    figure, pack = person.figure, load_pack()
    change = np.zeros_like(pack.base)
    names = raw["t_names"].tolist()
    for unit in filter(None, (name, _other(name))):
        k = names.index(unit)
        part = slice(raw["t_ptr"][k], raw["t_ptr"][k + 1])
        change[raw["t_idx"][part].astype(int)] += raw["t_off"][part]
    shaped, first = figure.rest.copy(), 0
    for piece in figure.parts:
        mesh = (
            pack.skin if piece.name == "skin" else pack.mesh("eyes" if piece.name == "cornea" else piece.name)
        )
        last = first + len(mesh.vertex)
        if piece.name == "skin":
            shaped[first:last] += change[mesh.vertex]
        elif piece.material in MOVED_ALONG:
            moved = pack.fit(piece.name, pack.base + change) - pack.fit(piece.name, pack.base)
            shaped[first:last] += moved[mesh.vertex]
        first = last
    return replace(person, figure=replace(figure, rest=shaped))


def _offsets(stage: Stage, moves: Iterable[Mapping[str, float]]) -> Array:
    """Weights [N, 36] of rows of controls."""
    columns = {LABELS.get(channel.label, ""): k for k, channel in enumerate(stage.engine.channels)}
    rows = []
    for move in moves:
        row = np.zeros(len(CHANNELS))
        for control, share in move.items():
            row[columns[control]] = share * FULL[control]
        rows.append(row)
    return np.array(rows)


def _drawn(stage: Stage, source: Source, offsets: Array) -> Array:
    """What offsets [N, 36] from the portrait's own weights change in the model's pictures."""
    rows = np.concatenate([np.zeros((1, len(CHANNELS))), offsets]) + source.weights
    seen = _read(stage, pictures_of(stage.engine, source, rows))
    return seen[1:] - seen[:1]


def _read(stage: Stage, pictures: torch.Tensor) -> Array:
    return features(stage.reader.read(pictures))


def _found(target: Array, moves: Moves, allowed: Sequence[str]) -> dict[str, float]:
    """Signed shares of the allowed moves, small ones left out."""
    shares = fitted([moves[name] for name in allowed], target)
    signed = {name.lstrip("-"): -share if name[0] == "-" else share for name, share in zip(allowed, shares)}
    return {name: round(share, 3) for name, share in signed.items() if abs(share) >= SMALL}


def _halved(reads: Mapping[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """The own share of a unit that has another side."""
    return {
        name: {control: round(share / 2, 4) if _other(name) else share for control, share in shares.items()}
        for name, shares in reads.items()
    }


def _writes(units: Moves, controls: Moves) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """Control -> units, and how much of it is missing. Units with two sides are written alike."""
    writes: dict[str, dict[str, float]] = {}
    errors = {}
    for name, target in controls.items():
        allowed = [unit for unit, may in READS.items() if name in may and not unit.endswith("Right")]
        allowed += [unit for unit in ALONE if unit.endswith("Right") and name in ALONE[unit]]
        if allowed:
            found = _found(target, units, allowed)
            made = sum((share * units[unit] for unit, share in found.items()), np.zeros_like(target))
            errors[name] = _missing(made, target)
            both = {unit: tuple(filter(None, (unit, _other(unit)))) for unit in found}
            writes[name] = {one: found[unit] for unit in found for one in both[unit]}
    for unit, of in DEFINED.items():
        for control, share in of.items():
            writes.setdefault(f"{'-' if share < 0 else ''}{control}", {})[unit] = WRITTEN.get(control, 1.0)
    return writes, errors


def _performed(stage: Stage, units: Moves, reads: Mapping[str, dict[str, float]]) -> dict[str, float]:
    """What is missing from each unit when the model performs what was found."""
    offsets = _offsets(stage, reads.values())
    seen = np.mean([_drawn(stage, source, offsets) for _, _, source in stage.people()], axis=0)
    return {name: _missing(row, units[name]) for name, row in zip(reads, seen, strict=True)}


def _missing(made: Array, wanted: Array) -> float:
    return round(float(np.linalg.norm(wanted - made) / np.linalg.norm(wanted)), 2)


def fitted(columns: Sequence[Array], target: Array) -> list[float]:
    """Shares within 0 and 1 that are nearest to the target, by coordinate descent."""
    found, weight = np.zeros(len(columns)), _weight(target)
    if columns:
        matrix = np.array(columns) * weight
        gram, right = matrix @ matrix.T, matrix @ (target * weight)
        for _ in range(2000):
            for j in range(len(found)):
                found[j] = np.clip(found[j] + (right[j] - gram[j] @ found) / gram[j, j], 0.0, 1.0)
    return [float(share) for share in found]


def _weight(target: Array) -> Array:
    """1 for what the target moves, `ELSEWHERE` for landmarks that it does not."""
    length = np.linalg.norm(target[-PLACES:].reshape(-1, 2), axis=1)
    places = np.repeat(np.where(length > 0.1 * length.max(), 1.0, ELSEWHERE), 2)
    return np.concatenate([np.ones(len(target) - PLACES), places])


def _other(name: str) -> str:
    for side, other in (("Left", "Right"), ("Right", "Left")):
        if name.removesuffix(side) in BOTH:
            return name.removesuffix(side) + other
    return ""


if __name__ == "__main__":
    main()
