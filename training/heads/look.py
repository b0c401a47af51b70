# SPDX-License-Identifier: GPL-3.0-or-later
"""What a random person looks like apart from shape: skin, hair, brows, beard, make-up, eyes, clothes.

Colours are linear RGB in 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.heads.identity import Identity
from training.heads.pack import Floats

Colour = tuple[float, float, float]

# Skin from lightest to darkest, as seen on screen; made linear below.
SKIN = np.array(
    [
        [0.76, 0.58, 0.49],
        [0.74, 0.53, 0.42],
        [0.71, 0.48, 0.35],
        [0.55, 0.35, 0.23],
        [0.37, 0.22, 0.14],
        [0.21, 0.12, 0.08],
    ]
)
MELANIN = np.array([0.22, 0.84, 0.36])  # mean place on that scale of the three ethnicities

HAIR = np.array(
    [
        [0.018, 0.014, 0.012],
        [0.029, 0.022, 0.019],
        [0.05, 0.028, 0.016],
        [0.11, 0.058, 0.03],
        [0.27, 0.17, 0.085],
        [0.42, 0.30, 0.17],
        [0.21, 0.065, 0.025],
    ]
)
HAIR_COMMON = np.array([1.2, 1.0, 1.0, 0.9, 0.6, 0.5, 0.25])
HAIR_OF_LIGHT_SKIN = np.array([0.0, 0.0, 0.2, 0.5, 0.9, 1.0, 1.0])
GREY = np.array([0.40, 0.40, 0.40])

IRIS = np.array(
    [
        [0.10, 0.045, 0.018],
        [0.16, 0.085, 0.03],
        [0.20, 0.15, 0.05],
        [0.12, 0.17, 0.11],
        [0.14, 0.22, 0.32],
        [0.22, 0.26, 0.30],
    ]
)
IRIS_COMMON = np.array([2.0, 1.5, 1.0, 0.7, 0.9, 0.5])
IRIS_OF_LIGHT_SKIN = np.array([0.0, 0.1, 0.5, 0.8, 1.0, 1.0])

# Hair styles with their frequency. bob01, bob02, braid01 and short03 hang over one eye, so they are rare.
# "" is a bald or shaven head.
FEMALE_HAIR = {
    "hair_bob01": 0.04,
    "hair_bob02": 0.12,
    "hair_braid01": 0.15,
    "hair_short03": 0.06,
    "hair_long01": 1.3,
    "hair_ponytail01": 1.3,
    "hair_short02": 0.8,
    "hair_short01": 0.3,
    "hair_short04": 0.3,
    "hair_afro01": 0.8,
}
MALE_HAIR = {
    "hair_short01": 1.2,
    "hair_short02": 1.1,
    "hair_short03": 0.08,
    "hair_short04": 1.8,
    "": 1.4,
    "hair_afro01": 0.9,
}
MALE_BROWS = (1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12)
FEMALE_BROWS = (1, 2, 4, 5, 6, 7, 10, 11)
TEETH = ("teeth_base", "teeth_shape01", "teeth_shape03")


@dataclass(frozen=True)
class Look:
    """Everything the shaders need to know about one person's surface."""

    seed: float  # offset into all noise
    # skin
    skin: Colour
    blush: float
    freckles: float
    mottle: float
    under_eye: float
    age_spots: float
    eyeshadow: float
    eyeshadow_tint: Colour
    lip: Colour
    lip_amount: float
    bump: float
    oil: float
    # hair
    hair_mesh: str
    brow_mesh: str
    lash_mesh: str
    hair: Colour
    hair_light: Colour
    brow: Colour
    lash_density: float
    scalp: float  # how much stubble colours the scalp
    hairline: float  # rest height, dm
    beard: float
    # eyes and teeth
    iris: Colour
    pupil: float
    sclera: Colour
    teeth_mesh: str
    teeth: Colour
    # clothes
    cloth: Colour
    cloth_trim: Colour
    stripes: float  # per dm, 0 = plain
    neckline: tuple[float, float, float]  # height at the back, drop in front, width of the drop

    @property
    def meshes(self) -> list[str]:
        """Names of the fitted meshes this person wears, eyes first."""
        hair = [self.hair_mesh] if self.hair_mesh else []
        return ["eyes", self.teeth_mesh, "tongue01", *hair, self.brow_mesh, self.lash_mesh]


def random_look(identity: Identity, rng: np.random.Generator) -> Look:
    """A look that goes with the identity's age, sex and ethnicity; equal generators give equal looks."""
    female, age = identity.feminine > 0.5, identity.age
    melanin = float(np.clip(identity.ethnicity @ MELANIN + rng.normal() * 0.1, 0.02, 1.0))
    tone = np.array([np.interp(melanin * 5.0, np.arange(6), SKIN[:, k]) for k in range(3)]) ** 1.35
    tone *= 1.0 + rng.normal(size=3) * 0.02

    hair = _pick(HAIR, HAIR_COMMON * (1.0 - 0.9 * HAIR_OF_LIGHT_SKIN * min(1.0, melanin * 1.6)), rng)
    grey = float(np.clip((age - 0.55) * 2.5 + rng.normal() * 0.2, 0.0, 1.0)) * (rng.random() < 0.85)
    hair = hair * rng.uniform(0.8, 1.25) * (1.0 - grey) + GREY * grey * rng.uniform(0.7, 1.2)
    styles = dict(FEMALE_HAIR if female else MALE_HAIR)
    if identity.ethnicity[1] < 0.45:
        styles["hair_afro01"] = 0.05
    hair_mesh = list(styles)[_index(np.array(list(styles.values())), rng)]

    made_up = female and rng.random() < 0.45
    lip = (
        rng.uniform((0.25, 0.03, 0.04), (0.5, 0.14, 0.16))
        if made_up
        else tone * (0.80, 0.50, 0.48) + (0.03, 0.0, 0.01)
    )
    brows = FEMALE_BROWS if female else MALE_BROWS
    iris = _pick(IRIS, IRIS_COMMON * (1.0 - 0.92 * IRIS_OF_LIGHT_SKIN * min(1.0, melanin * 1.7)), rng)
    return Look(
        seed=float(rng.uniform(0.0, 60.0)),
        skin=_colour(tone),
        blush=float(rng.uniform(0.1, 0.7) * (1.0 - 0.7 * melanin)),
        freckles=float((rng.random() < 0.3) * rng.uniform(0.2, 0.9) * (1.0 - melanin)),
        mottle=float(rng.uniform(0.12, 0.34)),
        under_eye=float(rng.uniform(0.1, 0.55) + 0.25 * age),
        age_spots=float(max(0.0, age - 0.45) * rng.uniform(0.0, 1.3)),
        eyeshadow=float(rng.uniform(0.3, 0.8) if made_up else rng.uniform(0.0, 0.5)),
        eyeshadow_tint=_colour(rng.uniform(0.4, 0.85, 3) if made_up else np.array([0.75, 0.62, 0.60])),
        lip=_colour(lip),
        lip_amount=float(rng.uniform(0.35, 0.75) if made_up else 0.45),
        bump=float(0.12 + 0.3 * age + rng.uniform(0.0, 0.08)),
        oil=float(rng.uniform(0.15, 0.5)),
        hair_mesh=hair_mesh,
        brow_mesh=f"eyebrow{int(rng.choice(brows)):03d}",
        lash_mesh=f"eyelashes{int(rng.choice((1, 2, 3, 4) if female else (1, 2))):02d}",
        hair=_colour(hair),
        hair_light=_colour(np.clip(hair * rng.uniform(1.4, 2.2) + 0.01, 0.0, 0.9)),
        brow=_colour(np.clip(hair * 0.75, 0.01, 0.28)),
        lash_density=0.9 if female else 0.45,
        scalp=1.0 if hair_mesh else float((rng.random() < 0.6) * rng.uniform(0.3, 0.95)),
        hairline=float(rng.uniform(7.93, 8.05) + 0.12 * age * (not female) * rng.random()),
        beard=0.0 if female else float(max(0.0, rng.uniform(-0.5, 1.1))),
        iris=_colour(iris * rng.uniform(0.8, 1.3)),
        pupil=float(rng.uniform(0.28, 0.45)),
        sclera=_colour(np.array([0.76, 0.72, 0.69]) * rng.uniform(0.85, 1.02)),
        teeth_mesh=str(rng.choice(TEETH)),
        teeth=_colour(np.array([0.78, 0.73, 0.65]) * rng.uniform(0.82, 1.08)),
        cloth=_colour(muted(rng) * rng.uniform(0.3, 1.0)),
        cloth_trim=_colour(muted(rng)),
        stripes=float((rng.random() < 0.25) * rng.uniform(3.0, 9.0)),
        neckline=(
            float(rng.uniform(5.75, 6.05)),
            float(rng.uniform(-0.35, 0.55)),
            float(rng.uniform(0.15, 0.9)),
        ),
    )


def muted(rng: np.random.Generator) -> Floats:
    """A colour as rooms and clothes have it: any lightness, seldom saturated. Linear RGB [3]."""
    value, saturation, hue = rng.uniform(0.1, 0.95), rng.beta(1.0, 3.2), rng.uniform(0.0, 1.0)
    wheel = np.clip(np.abs((hue + np.array([0.0, 2.0, 1.0]) / 3.0) % 1.0 * 6.0 - 3.0) - 1.0, 0.0, 1.0)
    return np.asarray((value * (1.0 - saturation + saturation * wheel)) ** 2.2)


def _pick(table: Floats, frequency: Floats, rng: np.random.Generator) -> Floats:
    return np.asarray(table[_index(frequency, rng)])


def _index(frequency: Floats, rng: np.random.Generator) -> int:
    return int(rng.choice(len(frequency), p=frequency / frequency.sum()))


def _colour(rgb: Floats) -> Colour:
    r, g, b = (float(x) for x in np.clip(rgb, 0.0, 1.0))
    return r, g, b
