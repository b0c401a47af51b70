# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes core/engine/layers/mouth.npz: the teeth and the tongue of the CC0 head, and nothing else of its pack
of 2.4 MB.

    python tools/make_mouth.py

Axes of what is written: decimetres, x to picture right, y down, z away from the viewer, the head upright.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from core.engine.layers.mouth_mesh import FILE, SAME  # noqa: E402
from training.heads.pack import load_pack  # noqa: E402

UPRIGHT = np.array([1.0, -1.0, -1.0])  # the pack's y is up, its z out of the face
PAIRS = ((33, 263), (133, 362), (98, 327), (61, 291))  # points of the face that mirror each other
MIDDLE = (168, 4, 2, 152)


def main() -> int:
    """Make the file."""
    pack = load_pack()
    jaw = pack.bone["jaw"]
    vertices, triangles, kinds, lows = [], [], [], []
    for name in ("teeth_base", "tongue01"):
        raw = pack.raw
        at = pack.fit(name, pack.base)
        share = np.maximum(raw[f"m/{name}/w"], 0.0)
        low = np.einsum("nk,nk->n", share, pack.bones[raw[f"m/{name}/ref"], jaw]) > 0.5
        quads = raw[f"m/{name}/f"].astype(np.int64) + sum(len(part) for part in vertices)
        split = quads[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3)
        a, b, c = split.T
        triangles.append(split[(a != b) & (b != c) & (a != c)])
        vertices.append(at * UPRIGHT)
        is_tongue = name == "tongue01"
        kinds.append(np.full(len(at), 2) if is_tongue else raw["m/teeth_base/tooth"].astype(int))
        lows.append(np.ones(len(at), bool) if is_tongue else low)
    face = {point: pack.base[pack.landmarks[landmark]] * UPRIGHT for landmark, point in SAME.items()}
    for right, left in PAIRS:
        face[right] = (face[right] + face[left] * (-1, 1, 1)) / 2
        face[left] = face[right] * (-1, 1, 1)
    for point in MIDDLE:
        face[point] = face[point] * (0, 1, 1)
    np.savez_compressed(
        FILE,
        vertices=np.concatenate(vertices).astype(np.float32),
        triangles=np.concatenate(triangles).astype(np.uint16),
        kind=np.concatenate(kinds).astype(np.uint8),
        low=np.concatenate(lows),
        face=np.stack([face[point] for point in SAME.values()]).astype(np.float32),
        hinge=(pack.joints(pack.base)[jaw] * UPRIGHT * (0, 1, 1)).astype(np.float32),
    )
    print(f"{FILE.relative_to(ROOT)}: {FILE.stat().st_size // 1024} KB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
