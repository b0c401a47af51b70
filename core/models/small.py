# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of single networks, as recipes leave them: half-precision safetensors that carry their own settings
and the marks they got."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from safetensors import safe_open
from safetensors.torch import save as serialised
from torch import nn

from core.files import written_whole

Net = TypeVar("Net", bound=nn.Module)


def export(path: Path, net: nn.Module, config: dict[str, Any], marks: dict[str, Any]) -> None:
    """Write a network whole or not at all; matrices as float16. The same network gives the same file."""
    state = {
        key: (value.half() if value.is_floating_point() and value.ndim > 1 else value).contiguous()
        for key, value in net.state_dict().items()
    }
    about = {"config": json.dumps(config), "marks": json.dumps(marks)}
    with written_whole(path) as temporary:
        temporary.write_bytes(_ordered(serialised(state, about)))


def _ordered(file: bytes) -> bytes:
    """The same file with its header sorted: safetensors leaves the order of what a file says to chance."""
    size = int.from_bytes(file[:8], "little")
    header = json.dumps(json.loads(file[8 : 8 + size]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)  # tensors begin at multiples of eight
    return len(header).to_bytes(8, "little") + header + file[8 + size :]


def restore(path: Path, build: Callable[[dict[str, Any]], Net]) -> Net:
    """Inverse of `export`, in evaluation mode; `build` makes the network from its settings."""
    with safe_open(path, "pt") as file:
        net = build(json.loads(file.metadata()["config"]))
        state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
    net.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
    return net.eval()


def marks_of(path: Path) -> dict[str, Any]:
    """The marks that a network's file carries."""
    with safe_open(path, "pt") as file:
        marks: dict[str, Any] = json.loads(file.metadata()["marks"])
    return marks
