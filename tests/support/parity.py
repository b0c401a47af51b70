# SPDX-License-Identifier: GPL-3.0-or-later
"""Golden numbers of the official implementation, and the synthetic weights they were measured with.

    audio = parity.golden("audio")                           # name -> array, see tests/data/parity
    picture = parity.given("img_source")                     # inputs: pictures uint8 [h,w,3], sounds int16
    state = parity.synthetic("audio2lip")                    # published key -> tensor
    parity.compare("audio", "main.lips", mine)               # asserts the tolerance, remembers the difference
    print(parity.report())                                   # largest difference of each part

Nothing here needs torch before `synthetic` is called.
"""

from __future__ import annotations

import hashlib
import json
import math
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    import torch

DATA = Path(__file__).resolve().parents[1] / "data" / "parity"

MARGIN = 3.0
"""How far beyond the recorded tolerance a processor may be.  The tolerances are ten times the float32 noise
of one machine; the largest difference that was seen is 1.02 of a tolerance, on a processor with AMX."""

_noted: dict[str, tuple[float, float, float, str]] = {}
_compared: set[tuple[str, str]] = set()


@cache
def golden(group: str) -> dict[str, np.ndarray]:
    """Every array of one file: basis, edtalk, lip_pose, audio, preprocess, endtoend."""
    with np.load(DATA / f"{group}.npz", allow_pickle=False) as arrays:
        return dict(arrays)


@cache
def _json(name: str) -> Any:
    return json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))


def given(name: str) -> np.ndarray:
    """An input: `img_source` uint8 [h,w,3], `wav_main_16k` int16 [n], `lip_vector_a` float32 [1,20], ..."""
    picture = DATA / f"{name}.png"
    return np.asarray(Image.open(picture)) if picture.exists() else golden("inputs")[name]


def network_picture(name: str) -> np.ndarray:
    """A picture as the networks see it: float32 [1,3,h,w] in [-1,1]."""
    levels = given(name).transpose(2, 0, 1)[None].astype(np.float32)
    return (levels / np.float32(255) - np.float32(0.5)) * np.float32(2)


def expression_weights(emotion: str) -> np.ndarray:
    """float32 [1,10]: one of the eight predefined expressions of the published generator."""
    return np.array([_json("expression_weights")[emotion]], dtype=np.float32)


# --- comparing -------------------------------------------------------------------------------------


def compare(
    group: str, key: str, mine: Any, tol_max: float | None = None, tol_mean: float | None = None
) -> tuple[float, float]:
    """Assert that an array is the golden one within its tolerance -> (largest, mean) difference.

    `key` may leave out the endings .slice .cmean .cstd _s4 _f16_s8: then all that exist are compared.
    Tolerances are the measured ones unless given.
    """
    gold, limits = golden(group), _json("tolerances").get(group, {})
    mine = np.asarray(mine, dtype=np.float64)
    found = {key + ending: cut for ending, cut in _CUTS.items() if key + ending in gold}
    assert found, f"{group} has no golden array {key}"
    largest = mean = 0.0
    for name, cut in found.items():
        _compared.add((group, name))
        want = gold[name].astype(np.float64)
        apart = np.abs(cut(mine).reshape(want.shape) - want)
        limit = limits.get(name, limits.get(key, (0.0, 0.0)))
        allowed = MARGIN * limit[0] if tol_max is None else tol_max
        allowed_mean = MARGIN * limit[1] if tol_mean is None else tol_mean
        if name.endswith("_f16_s8"):  # stored in half precision: its own rounding is up to 2e-3
            allowed, allowed_mean = allowed + 2.5e-3, allowed_mean + 5e-4
        assert apart.max() <= allowed, f"{group}: {name} is {apart.max():.2e} off, allowed {allowed:.0e}"
        assert apart.mean() <= allowed_mean, f"{group}: {name} is {apart.mean():.2e} off on average"
        largest, mean = max(largest, float(apart.max())), max(mean, float(apart.mean()))
        if not name.endswith("_f16_s8"):
            _note(group, name, float(apart.max()), float(apart.mean()), allowed)
    return largest, mean


_CUTS = {
    "": lambda x: x,
    ".slice": lambda x: _map(x)[_every_eighth(x)],
    ".cmean": lambda x: _map(x).mean((1, 2)),
    ".cstd": lambda x: _map(x).std((1, 2)),
    "_s4": lambda x: x[..., ::4, ::4],
    "_f16_s8": lambda x: x[..., 2::8, 2::8],
}


def _map(x: np.ndarray) -> np.ndarray:
    return x[0] if x.ndim == 4 else x


def _every_eighth(x: np.ndarray) -> tuple[slice, ...]:
    return tuple(slice(None, None, max(1, side // 8)) for side in _map(x).shape)


_PARTS = (  # first fitting piece of an array's name -> the part it is reported under
    ("feat", "encoder features"),
    ("identity", "encoder latent"),
    ("Q", "bank of bases"),
    ("Rdiag", "bank of bases"),
    ("shared", "navigator"),
    ("exp_block", "expression modules"),
    ("to_flows", "flow, warp, blend"),
    ("to_rgbs", "colour"),
    ("image", "picture"),
    ("frames", "8-bit frames (levels)"),
    ("conv", "decoder features"),
    ("latent", "latent and displacement"),
    ("direction", "latent and displacement"),
    ("mel", "mel spectrogram"),
    ("window", "mel windows"),
    ("block", "audio network blocks"),
    ("lips", "mouth weights from audio"),
    ("prep", "prepared pictures"),
)


def _note(group: str, name: str, largest: float, mean: float, allowed: float) -> None:
    part = next((label for piece, label in _PARTS if piece in name), "weights")
    key = f"{group}: {part}"
    old = _noted.get(key, (-1.0, 0.0, 0.0, ""))
    if largest > old[0]:
        _noted[key] = (largest, max(mean, old[1]), allowed, name)


def compared(group: str) -> set[str]:
    """Names of the golden arrays of one file that were compared so far."""
    return {name for file, name in _compared if file == group}


def report() -> str:
    """Largest difference of each part compared so far, one line each."""
    head = f"{'part':42} {'largest':>9} {'mean':>9} {'allowed':>9}  where"
    rows = [f"{k:42} {a:9.1e} {m:9.1e} {t:9.0e}  {n}" for k, (a, m, t, n) in sorted(_noted.items())]
    return "\n".join([head, *rows])


# --- synthetic weights -----------------------------------------------------------------------------


def manifest(network: str) -> list[tuple[str, tuple[int, ...], str]]:
    """(key, shape, dtype) of each state-dict entry of edtalk_gen, lip_pose_gen or audio2lip, in order."""
    return [(key, tuple(shape), dtype) for key, shape, dtype in _json("manifests")[network]["entries"]]


def synthetic(network: str, leave_out: tuple[str, ...] = ()) -> dict[str, torch.Tensor]:
    """The state dict a published checkpoint would hold, filled by rule.

    `leave_out`: keys containing one of these are skipped, for parts without effect.
    """
    import torch

    salt = _json("manifests")[network]["salt"]
    return {
        key: torch.from_numpy(fill(key, shape, dtype, salt))
        for key, shape, dtype in manifest(network)
        if not any(piece in key for piece in leave_out)
    }


def fill_checksum(network: str) -> tuple[str, str]:
    """(SHA-256 over all keys and our fillings, the one it must be)."""
    digest = hashlib.sha256()
    salt = _json("manifests")[network]["salt"]
    for key, shape, dtype in manifest(network):
        digest.update(key.encode() + fill(key, shape, dtype, salt).tobytes())
    return digest.hexdigest(), _json("manifests")[network]["sha256_of_fill"]


def fill(key: str, shape: tuple[int, ...], dtype: str, salt: str) -> np.ndarray:
    """offset + scale * z for one entry, where z depends on salt, key and position only."""
    if key.endswith("num_batches_tracked"):
        return np.ones(shape, dtype)
    if key.endswith(".kernel"):
        taps = np.array([1.0, 3.0, 3.0, 1.0])
        return (np.outer(taps, taps) / 64 * (4 if key.startswith("dec.") else 1)).astype(dtype)
    offset, scale = _offset_and_scale(key, shape)
    z = _unit_noise(f"{salt}:{key}", math.prod(shape))
    if key.endswith(".running_var"):
        z = np.abs(z)
    z *= scale
    z += offset
    return z.reshape(shape).astype(dtype)


def _offset_and_scale(key: str, shape: tuple[int, ...]) -> tuple[float, float]:
    root = math.sqrt(math.prod(shape[1:]))
    colour, flow = key.startswith("dec.to_rgbs."), key.startswith("dec.to_flows.")
    table = (  # first fitting row
        (key.endswith(".running_var"), 0.75, 0.25),
        (key.endswith(".running_mean"), 0.0, 0.1),
        (key.endswith(".conv_block.1.weight"), 1.0, 0.1),
        (key.endswith(".conv_block.0.weight"), 0.0, 1.1 / root),
        (key == "mapping.weight", 0.0, 1 / root),
        (key.endswith(".modulation.bias"), 1.0, 0.1),
        (key.endswith(".noise.weight"), 0.0, 0.5),
        (flow and key.endswith(".conv.weight"), 0.0, 0.5 * 0.5 ** int(flow and key.split(".")[2])),
        (colour and key.endswith(".conv.0.weight"), 0.0, 0.4),
        (colour and key.endswith(".conv.1.bias"), 0.0, 0.1),
        (colour and key.endswith(".bias"), -0.12, 0.02),
        (key.startswith("dec.fine") and ".mlp_" in key and key.endswith(".weight"), 0.0, 2 / root),
        (key.startswith("dec.fine") and key.endswith(".weight"), 0.0, 1 / root),
        (key in ("lip_fc.2.weight", "pose_fc.2.weight", "exp_fc.2.weight"), 0.0, 5.0),
        (key.endswith(".bias"), 0.0, 0.1),
        (True, 0.0, 1.0),
    )
    return next((offset, scale) for fits, offset, scale in table if fits)


def _unit_noise(seed: str, count: int) -> np.ndarray:
    """float64 [count] of zero mean and unit variance: summed 16-bit quarters of a splitmix64 stream."""
    start = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "little")
    out = np.empty(count)
    for at in range(0, count, 1 << 16):  # pieces that stay in the cache
        x = np.arange(at + 1, min(at + (1 << 16), count) + 1, dtype=np.uint64)
        x *= np.uint64(0x9E3779B97F4A7C15)
        x += np.uint64(start)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            x ^= x >> np.uint64(shift)
            x *= np.uint64(factor)
        x ^= x >> np.uint64(31)
        quarters = x.view(np.uint16).reshape(-1, 4).sum(1, dtype=np.int64)
        out[at : at + len(x)] = quarters - 131070
    return out * math.sqrt(3 / (2**32 - 1))
