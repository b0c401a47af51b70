# SPDX-License-Identifier: GPL-3.0-or-later
"""edtalk_blender/curves/arithmetic.py: what the curve tools promise, checked on numbers alone."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def tools(checkout):
    return checkout("edtalk_blender.curves.arithmetic")


def wavy(tools, count: int = 400, curves: int = 12, seed: int = 0, free: bool = True):
    """Curves like those of a take: slow waves, a little noise, each with another effect in pixels."""
    random = np.random.default_rng(seed)
    times = 101 + np.arange(count) * 0.96
    found = []
    for _ in range(curves):
        speed, phase = random.uniform(0.02, 0.2), random.uniform(0, 6)
        values = np.sin(times * speed + phase) + random.normal(scale=0.005, size=count)
        found.append(tools.Polyline(times, values, np.full(count, free), random.uniform(0.5, 20)))
    return found


@pytest.mark.parametrize("tolerance", [0.25, 1.0, 4.0])
def test_simplified_curves_lose_no_more_motion_than_allowed(tools, tolerance) -> None:
    curves = wavy(tools)
    kept = tools.simplify(curves, tolerance)
    times = curves[0].times
    total = sum(
        np.abs(np.interp(times, c.times[k], c.values[k]) - c.values) * c.scale for c, k in zip(curves, kept)
    )
    assert total.max() <= tolerance and total.max() == pytest.approx(tools.motion_lost(curves, kept))
    assert all(keep[0] and keep[-1] for keep in kept)


def test_more_tolerance_leaves_fewer_keys_and_a_straight_line_two(tools) -> None:
    counts = [sum(keep.sum() for keep in tools.simplify(wavy(tools), t)) for t in (0.2, 1.0, 5.0)]
    assert counts[0] > 1.5 * counts[1] > 2 * counts[2]
    times = np.arange(50.0)
    (keep,) = tools.simplify([tools.Polyline(times, 2 * times, np.ones(50, bool), 5.0)], 0.1)
    assert keep.sum() == 2


def test_keys_that_are_not_free_stay_and_curves_may_have_their_own_times(tools) -> None:
    curves = wavy(tools, curves=3)
    held = np.ones(400, bool)
    held[[17, 200]] = False
    few = np.array([101.0, 140.5, 300.2])
    mixed = [
        tools.Polyline(curves[0].times, curves[0].values, held, 3.0),
        tools.Polyline(few, np.array([0.0, 1.0, 0.5]), np.ones(3, bool), 10.0),
        tools.Polyline(np.array([7.0]), np.array([1.0]), np.ones(1, bool), 1.0),
    ]
    kept = tools.simplify(mixed, 0.5)
    assert kept[0][[17, 200]].all() and kept[1].all() and kept[2].all()
    assert tools.motion_lost(mixed, kept) <= 0.5
    assert tools.simplify([], 1.0) == []


def test_ten_minutes_of_a_take_are_simplified_within_the_bound(tools) -> None:
    curves = wavy(tools, count=15_000, curves=36)
    kept = tools.simplify(curves, 1.0)
    assert tools.motion_lost(curves, kept) <= 1.0
    assert sum(keep.sum() for keep in kept) < 0.5 * 15_000 * 36


def test_smoothing_keeps_constants_and_takes_trembling_away(tools) -> None:
    flat = np.full((2, 100), 3.0)
    np.testing.assert_allclose(tools.gaussian(flat, 4.0), flat)
    trembling = np.where(np.arange(100) % 2, 1.0, -1.0)
    assert np.abs(tools.gaussian(trembling, 2.0)[10:90]).max() < 0.01
    np.testing.assert_array_equal(tools.gaussian(trembling, 0.0), trembling)


def test_closures_are_the_dips_and_not_the_open_vowels(tools) -> None:
    openness = 1.0 + 0.3 * np.sin(np.arange(200) * 0.3)
    for middle in (50, 120, 160):
        openness[middle - 2 : middle + 3] = [0.4, 0.1, 0.0, 0.1, 0.4]
    found = tools.closures(openness, 0.02)
    assert found[50] == found[120] == 1 and found[51] > 0.8 and found[60] < 0.01
    assert found[np.argmin(openness[70:110]) + 70] < 1e-6  # the low end of a vowel is no closing
    assert not tools.closures(np.ones(50), 0.02).any()


def test_a_border_fades_inside_the_range_and_only_where_the_curve_goes_on(tools) -> None:
    times = np.arange(0.0, 101.0)
    share = tools.border(times, 20, 60, 0, 100, 10)
    assert share[20] == 0 and share[25] == 0.5 and share[30] == 1 and share[60] == 0 and not share[61:].any()
    assert (tools.border(times, 0, 100, 0, 100, 10) == 1).all()
    assert tools.border(times, 20, 60, 0, 100, 0).sum() == 41


def test_silences_are_found_and_closed_softly_inside(tools) -> None:
    levels = np.full(300, -20.0, np.float32)
    levels[100:200] = -80
    levels[250:260] = -80  # too short
    (span,) = tools.silences(levels, 100, 35, 0.3)
    assert span == (1.0, 2.0)
    times = np.array([0.9, 1.0, 1.1, 1.2, 1.5, 1.8, 1.9, 2.0, 2.1])
    share = tools.closed_share(times, [span], 0.2)
    np.testing.assert_allclose(share, [0, 0, 0.5, 1, 1, 1, 0.5, 0, 0], atol=1e-9)
    np.testing.assert_allclose(tools.corners([span], 0.2), [1.0, 1.2, 1.8, 2.0])
    assert tools.silences(np.full(100, -100, np.float32), 100, 35, 0.3) == [(0.0, 1.0)]
    assert tools.silences(np.empty(0, np.float32), 100, 35, 0.3) == []
