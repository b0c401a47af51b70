# SPDX-License-Identifier: GPL-3.0-or-later
"""`--handle NAME=VALUE` of the command line: the face rig's emotions and handles, held for a whole motion."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from core.wire.channels import EMOTIONS, UNITS, Handle
from core.wire.errors import InputError
from core.wire.messages import Describe, Described
from core.wire.mixing import mix

from .terminal import checked

if TYPE_CHECKING:
    from core.motion.motion import Motion

    from ..report import Report
    from ..runtime import Runtime

REACH = 1000.0
"""No handle goes further; most have been to the end of their soft range long before."""


def add_handles(parser: argparse.ArgumentParser) -> None:
    """The flag; it may be given several times."""
    parser.add_argument(
        "--handle",
        type=checked(parsed, within),
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="hold a handle or an emotion of the checkpoint, such as yaw=5 (degrees), smile=0.5 or happy=0.7",
    )


def parsed(text: str) -> tuple[str, float]:
    """ "yaw=5" -> ("yaw", 5.0). Raises ValueError."""
    name, _, value = text.partition("=")
    return name.strip(), float(value)


def within(setting: tuple[str, float]) -> tuple[str, float]:
    """The setting, if it is one. Raises ValueError."""
    name, value = setting
    if not name or not -REACH <= value <= REACH:
        raise ValueError(f"wants a name and a value within {REACH:g}, such as yaw=5")
    return setting


def held(
    settings: Sequence[tuple[str, float]], checkpoint: str, runtime: Runtime, report: Report
) -> Callable[[Motion], Motion]:
    """What gives a motion handles and emotions held at these values; of a name given twice the last counts.

    Raises InputError at once for a name the checkpoint does not know, MissingCheckpoint, BadCheckpoint.
    """
    if not settings:
        return lambda motion: motion
    described = runtime.answer(Describe(checkpoint=checkpoint), report)
    assert isinstance(described, Described)
    handles = [Handle.from_dict(handle) for handle in described.handles]
    values = dict(settings)
    known = {handle.name: UNITS[handle.unit] for handle in handles}
    known |= {name: "" for name in EMOTIONS if name in described.emotions}
    for name in values:
        if name not in known:
            choice = ", ".join(f"{name} ({unit})" if unit else name for name, unit in known.items())
            hint = f"There are {choice}" if known else "This checkpoint has neither handles nor emotions"
            raise InputError(f"There is no handle {name!r}", hint=hint)

    def pose(motion: Motion) -> Motion:
        import numpy as np

        columns = mix(list(motion.weights.T), values, values, described.emotions, handles)
        return replace(motion, weights=np.stack(columns, axis=1).astype(np.float32))

    return pose
