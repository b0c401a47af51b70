# SPDX-License-Identifier: GPL-3.0-or-later
"""core/wire/channels.py: the order of the 36 channels is fixed for ever, files depend on it."""

from __future__ import annotations

import json

import pytest

from core.wire.channels import (
    BANK_SLICES,
    BANKS,
    CHANNELS,
    DEFAULT_CHANNELS,
    EMOTIONS,
    HANDLES,
    Channel,
    Handle,
    bank_of,
)


def test_there_are_36_channels_in_bank_order() -> None:
    assert len(CHANNELS) == len(set(CHANNELS)) == 36
    assert (CHANNELS[0], CHANNELS[20], CHANNELS[26], CHANNELS[35]) == (
        "mouth_00",
        "pose_00",
        "expression_00",
        "expression_09",
    )


def test_slices_cut_the_channels_into_their_banks() -> None:
    for bank, count in BANKS.items():
        names = CHANNELS[BANK_SLICES[bank]]
        assert len(names) == count and {bank_of(name) for name in names} == {bank}


def test_a_name_that_is_no_channel_has_no_bank() -> None:
    with pytest.raises(KeyError):
        bank_of("mouth_20")


def test_there_are_eight_emotions() -> None:
    assert tuple(sorted(EMOTIONS)) == EMOTIONS and len(EMOTIONS) == 8


def test_channels_survive_json() -> None:
    assert tuple(channel.name for channel in DEFAULT_CHANNELS) == CHANNELS
    assert all(Channel.from_dict(channel.to_dict()) == channel for channel in DEFAULT_CHANNELS)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "mouth_99"},
        {"label": None},
        {"soft_min": "0"},
        {"soft_min": 4.0},
        {"default": float("nan")},
        {"used": 1},
        {"extra": 1},
    ],
)
def test_a_channel_that_is_none_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Channel.from_dict({**DEFAULT_CHANNELS[0].to_dict(), **change})


YAW = Handle("yaw", "Yaw", "Turns the head", "deg", tuple(float(i == 20) for i in range(36)), -30.0, 30.0)


def test_a_handle_survives_json() -> None:
    assert Handle.from_dict(json.loads(json.dumps(YAW.to_dict()))) == YAW


def test_the_usual_handles_have_names_that_handles_may_have() -> None:
    assert len(set(HANDLES)) == len(HANDLES) == 14
    assert all(Handle.from_dict({**YAW.to_dict(), "name": name}).name == name for name in HANDLES)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Yaw left"},
        {"name": ""},
        {"label": 1},
        {"unit": "rad"},
        {"direction": [0.0] * 35},
        {"direction": [float("inf")] * 36},
        {"direction": "0" * 36},
        {"soft_min": 1.0},
        {"soft_max": True},
        {"extra": 1},
    ],
)
def test_a_handle_that_is_none_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Handle.from_dict({**YAW.to_dict(), **change})
