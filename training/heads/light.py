# SPDX-License-Identifier: GPL-3.0-or-later
"""Random light and background, one of each per person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.heads.look import muted
from training.heads.pack import Floats

BACKGROUND_SIDE = 96


@dataclass(frozen=True)
class Light:
    """A key light that casts shadows, a fill light, ambient light that varies with direction. Vectors [3]."""

    key: Floats  # unit vector towards the light
    key_colour: Floats
    fill: Floats
    fill_colour: Floats
    ambient: Floats
    ambient_up: Floats  # added in proportion to the normal's y
    ambient_side: Floats  # ... and x


def random_light(rng: np.random.Generator) -> Light:
    """Mostly soft light from in front, sometimes from the side; warm or cold."""
    azimuth, height = rng.uniform(-1.1, 1.1), rng.uniform(0.1, 0.95)
    warmth = rng.uniform(-1.0, 1.0)
    opposite = azimuth + np.pi * 0.55 * np.sign(-azimuth) + rng.normal() * 0.4
    ambient = rng.uniform(0.15, 0.4)
    return Light(
        key=_direction(azimuth, height),
        key_colour=np.array([1.0 + 0.10 * warmth, 1.0, 1.0 - 0.14 * warmth]) * rng.uniform(0.5, 1.0),
        fill=_direction(opposite, 0.25),
        fill_colour=np.array([1.0 - 0.1 * warmth, 1.0, 1.0 + 0.12 * warmth]) * rng.uniform(0.05, 0.35),
        ambient=ambient * (1.0 + rng.normal(size=3) * 0.05),
        ambient_up=ambient * rng.uniform(0.2, 0.6) * np.array([0.95, 1.0, 1.08]),
        ambient_side=ambient * rng.uniform(-0.4, 0.4) * np.array([1.0, 0.95, 0.9]),
    )


def portrait_light() -> Light:
    """Soft daylight from the upper left: the light of the demonstration portrait."""
    return Light(
        key=_direction(-0.5, 0.45),
        key_colour=np.array([0.72, 0.68, 0.63]),
        fill=_direction(0.8, 0.15),
        fill_colour=np.array([0.30, 0.32, 0.35]),
        ambient=np.array([0.34, 0.35, 0.36]),
        ambient_up=np.array([0.10, 0.11, 0.12]),
        ambient_side=np.array([-0.04, -0.04, -0.03]),
    )


def random_background(rng: np.random.Generator) -> Floats:
    """A backdrop [96, 96, 3] as on screen (0..1, top row first): plain, gradient, clouds, an unsharp room."""
    y, x = np.mgrid[0 : 1 : BACKGROUND_SIDE * 1j, 0 : 1 : BACKGROUND_SIDE * 1j]
    first, second = muted(rng) ** (1 / 2.2), muted(rng) ** (1 / 2.2)
    kind = rng.choice(["plain", "gradient", "clouds", "room"], p=[0.22, 0.25, 0.18, 0.35])
    if kind == "plain":
        blend = 0.15 * np.hypot(x - 0.5, y - 0.4)  # a hint of vignette
    elif kind == "gradient":
        turn = rng.uniform(0.0, 2.0 * np.pi)
        blend = 0.5 + (x - 0.5) * np.cos(turn) + (y - 0.5) * np.sin(turn)
    else:
        blend = _clouds(rng, x, y)
    picture = first + (second - first) * np.clip(blend, 0.0, 1.0)[..., None]
    if kind == "room":
        for _ in range(int(rng.integers(4, 11))):
            picture = _furniture(rng, x, y, picture)
    return np.asarray(np.clip(picture, 0.0, 1.0))


def _direction(azimuth: float, height: float) -> Floats:
    return np.array([np.sin(azimuth) * np.cos(height), np.sin(height), np.cos(azimuth) * np.cos(height)])


def _clouds(rng: np.random.Generator, x: Floats, y: Floats) -> Floats:
    total = np.full_like(x, 0.5)
    for octave in (1.0, 2.0, 4.0):
        for _ in range(3):
            turn, phase = rng.uniform(0.0, 2.0 * np.pi, 2)
            along = x * np.cos(turn) + y * np.sin(turn)
            total = total + 0.22 / octave * np.sin(5.0 * octave * along + phase)
    return np.asarray(total)


def _furniture(rng: np.random.Generator, x: Floats, y: Floats, picture: Floats) -> Floats:
    """One unsharp thing of the room: a box (shelf, window, picture) or a lamp."""
    cx, cy = rng.uniform(-0.1, 1.1, 2)
    if rng.random() < 0.3:
        radius = rng.uniform(0.03, 0.15)
        cover = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / radius**2) * rng.uniform(0.3, 0.9)
        colour = np.array([1.0, 0.95, 0.85]) * rng.uniform(0.7, 1.0)
    else:
        width, height = rng.uniform(0.04, 0.35, 2)
        soft = rng.uniform(0.01, 0.05)
        edge = np.minimum(width - np.abs(x - cx), height - np.abs(y - cy)) / soft
        cover = rng.uniform(0.4, 1.0) / (1.0 + np.exp(-np.clip(edge * 2.0, -30.0, 30.0)))
        colour = muted(rng) ** (1 / 2.2)
    return np.asarray(picture + (colour - picture) * cover[..., None])
