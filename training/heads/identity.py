# SPDX-License-Identifier: GPL-3.0-or-later
"""The shape of a random adult: morph amounts drawn so that faces vary and stay human.

Ethnicity, sex and age blend the pack's macro targets; about 150 local targets add small differences, and a
little asymmetry makes the two sides differ. Spreads were found by eye: larger ones make caricatures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.heads.pack import Floats, Pack

ETHNICITIES = ("caucasian", "african", "asian")

# Standard deviation of local targets by group, of their full amount; everything is clipped at LOCAL_CLIP.
LOCAL_SIGMA = {
    "head": 0.16,
    "forehead": 0.2,
    "eyebrows": 0.25,
    "eyes": 0.2,
    "nose": 0.22,
    "mouth": 0.2,
    "chin": 0.2,
    "cheek": 0.25,
    "ears": 0.4,
    "neck": 0.15,
}
LOCAL_CLIP = 0.6

# Targets that deform rather than vary.
AVOID = (
    "head-age",
    "head-angle",
    "head-scale",
    "head-back",
    "eye-trans",
    "eye-push",
    "eyefold-angle",
    "ear-shape",
    "neck-double-decr",
)

OPPOSITES = {
    "incr": "decr",
    "up": "down",
    "in": "out",
    "convex": "concave",
    "forward": "backward",
    "compress": "uncompress",
}

# The point between the eyes is moved here, and the head scaled to this height (chin to crown, dm).
EYES_AT = np.array([0.0, 7.28, 1.25])
HEAD_HEIGHT = 2.18


@dataclass(frozen=True)
class Identity:
    """`rest` [N, 3]: the identity's base vertices. `feminine`, `age`: 0..1. `ethnicity`: three shares."""

    rest: Floats
    feminine: float
    age: float
    ethnicity: Floats


def random_identity(pack: Pack, rng: np.random.Generator) -> Identity:
    """A random adult; equal generators give equal people."""
    feminine, age = float(rng.beta(0.35, 0.35)), float(rng.beta(1.1, 1.8))
    ethnicity = rng.dirichlet([0.45] * 3)
    amounts = _macros(feminine, age, ethnicity, float(rng.uniform(0.2, 0.8)), float(rng.beta(2.2, 2.2)))
    for name in pack.target_names:
        group, _, target = name.partition("/")
        if group in LOCAL_SIGMA and not target.startswith("r-") and not any(a in target for a in AVOID):
            amounts.update(_local(group, target, rng))
        elif group == "asym" and rng.random() < 0.18:
            amounts[name] = abs(rng.normal()) * 0.18
    known = set(pack.target_names)  # what would move nothing (average muscle and weight) is not in the pack
    moved = pack.morph({name: amount for name, amount in amounts.items() if name in known})
    rest = _canonical(pack, moved, float(rng.uniform(0.97, 1.04)))
    return Identity(rest, feminine, age, ethnicity)


def _macros(feminine: float, age: float, ethnicity: Floats, muscle: float, weight: float) -> dict[str, float]:
    amounts = {}
    for sex, sex_share in (("female", feminine), ("male", 1.0 - feminine)):
        for years, age_share in (("young", 1.0 - age), ("old", age)):
            share = sex_share * age_share
            for name, part in zip(ETHNICITIES, ethnicity, strict=True):
                amounts[f"macro/{name}-{sex}-{years}"] = share * float(part)
            for muscle_name, muscle_share in _thirds(muscle, "muscle"):
                for weight_name, weight_share in _thirds(weight, "weight"):
                    amounts[f"macro/universal-{sex}-{years}-{muscle_name}-{weight_name}"] = (
                        share * muscle_share * weight_share
                    )
    return amounts


def _thirds(x: float, noun: str) -> tuple[tuple[str, float], ...]:
    return (
        ("min" + noun, max(0.0, 1.0 - 2.0 * x)),
        ("average" + noun, 1.0 - abs(2.0 * x - 1.0)),
        ("max" + noun, max(0.0, 2.0 * x - 1.0)),
    )


def _local(group: str, target: str, rng: np.random.Generator) -> dict[str, float]:
    """Amounts of one local target (and of its right-hand twin); empty when it is the other end of a pair."""
    stem, _, ending = target.rpartition("-")
    if ending in OPPOSITES.values():
        return {}
    opposite = f"{stem}-{OPPOSITES[ending]}" if ending in OPPOSITES else None
    amount = rng.normal() * LOCAL_SIGMA[group]
    if opposite is None:  # one-sided targets are whole shapes: wear few of them
        amount = abs(amount) * (rng.random() < 0.3) * (2.0 if group == "head" else 1.0)
    amount = float(np.clip(amount, -LOCAL_CLIP, LOCAL_CLIP))
    chosen = opposite if amount < 0.0 and opposite is not None else target
    result = {f"{group}/{chosen}": abs(amount)}
    if chosen.startswith("l-"):
        result[f"{group}/r-{chosen[2:]}"] = float(np.clip(abs(amount) + rng.normal() * 0.06, 0.0, 1.0))
    return result


def _canonical(pack: Pack, rest: Floats, size: float) -> Floats:
    eyes = [rest[pack.raw[f"grp/helper-{side}-eye"].astype(np.int64)].mean(axis=0) for side in "lr"]
    crown = pack.skin.vertex[np.argmax(pack.base[pack.skin.vertex, 1])]
    chin = pack.landmarks[8]
    scale = HEAD_HEIGHT / (rest[crown, 1] - rest[chin, 1]) * size
    return np.asarray((rest - 0.5 * (eyes[0] + eyes[1])) * scale + EYES_AT)
