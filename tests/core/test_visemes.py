# SPDX-License-Identifier: GPL-3.0-or-later
"""Lips of timed phones: contacts always, openings as talkers make them, nothing where nothing is known."""

from __future__ import annotations

import numpy as np
import pytest

from core.motion.visemes import spoken
from core.sound import phones
from core.sound.alignment import Phone


@pytest.mark.parametrize("long", [0.02, 0.07, 0.3])
@pytest.mark.parametrize("at", [0.5, 0.51, 0.53])
@pytest.mark.parametrize(("name", "kind"), [("m", "shut"), ("b", "shut"), ("f", "bite"), ("v", "bite")])
def test_a_contact_is_full_however_short_it_is(name: str, kind: str, at: float, long: float) -> None:
    said = [Phone("aa", 0.2, at), Phone(name, at, at + long), Phone("aa", at + long, 1.2)]
    lips = spoken(phones.timed(said), 40)
    assert getattr(lips, kind)[int((at + long / 2) * 25)] == 1
    assert getattr(lips, kind)[8] == 0 == getattr(lips, kind)[26]
    assert lips.aperture[8] > 0.1 > lips.aperture[int((at + long / 2) * 25)]


def test_rounded_sounds_narrow_and_nothing_is_known_away_from_the_words() -> None:
    lips = spoken(phones.timed([Phone("uw", 1.0, 1.2), Phone("iy", 2.0, 2.2)]), 100)
    assert lips.width[27] < 0 < lips.width[52]
    assert lips.known[27] == 1 == lips.known[52] and lips.known[:20].max() == 0 == lips.known[70:].max()


def test_names_that_are_no_phones_and_times_beyond_the_take_are_passed_over() -> None:
    odd = [Phone("hello", 0.1, 0.4), Phone("", 0.4, 0.5), Phone("m", -3.0, -2.9), Phone("b", 90.0, 91.0)]
    lips = spoken(phones.timed(odd), 25)
    assert lips.shut.max() == 0 == lips.known.max() and np.isfinite(lips.aperture).all()
    assert spoken([], 1).known.tolist() == [0]
    back = spoken(phones.timed([Phone("m", 0.6, 0.5)]), 25)  # marks that were moved past each other
    assert np.isfinite(back.aperture).all() and back.shut[13] == 1
