# SPDX-License-Identifier: GPL-3.0-or-later
"""The published checkpoints of EDTalk: their containers, their keys, and ours for them.

| file | container |
|---|---|
| EDTalk.pt | `gen`: the full generator |
| EDTalk_lip_pose.pt | `gen`: the mouth and pose generator |
| Audio2Lip.pt | `audio2lip`: the audio network |

They are pickles, and a pickle can run code.  Here they are read by torch's restricted reader, which
builds tensors, plain containers and `argparse.Namespace` (their training arguments) and nothing else.
The translation of keys is a table, `core.checkpoints.published_keys`; loading is strict in both directions
and checks every shape.
"""

from __future__ import annotations

import argparse
import math
import pickle
import pickletools
import re
import warnings
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.checkpoints import pickles
from core.checkpoints.published_keys import BANKS, MAP, PLAIN, STYLED, TABLE, UNUSED
from core.files import is_file, opened, reason
from core.models import EDTalk, EDTalkConfig
from core.wire.errors import BadCheckpoint, MissingCheckpoint

MOST_NUMBERS = 1 << 28
"""In a file that has fewer bytes; the full generator has half as many."""


def read(path: Path | str, key: str) -> dict[str, Tensor]:
    """The state dict under `key` ("gen" or "audio2lip") of a published file, without running its code.

    Raises:
        MissingCheckpoint: no such file.
        BadCheckpoint: unreadable, wants to run code or more memory than it has bytes, or holds something
            else; says which.
    """
    path = Path(path)
    if not is_file(path):
        raise MissingCheckpoint(f"There is no checkpoint at {path}", "Choose the downloaded file")
    if first_bytes(path)[8:9] == b"{":  # as safetensors begins, after a length
        raise BadCheckpoint(f"{path.name} is a safetensors file, not a published checkpoint", _HINT)
    if tuple(int(n) for n in torch.__version__.split(".")[:2]) < (2, 6):  # CVE-2025-32434
        raise BadCheckpoint("Published checkpoints are only opened with torch 2.6 or newer", "Update torch")
    pickles.check(path)
    try:
        # an open file, since torch reads a path that ends in .safetensors in another way
        with (
            torch.serialization.safe_globals([argparse.Namespace]),
            opened(path) as file,
            warnings.catch_warnings(),
        ):
            warnings.filterwarnings("ignore", "Detected pickle protocol")  # what matters follows as an error
            content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if not (_WANTS_CODE.search(str(error)) or _asks_for_code(path)):
            raise unreadable(path) from error
        raise BadCheckpoint(
            f"{path.name} wants to run code when it is opened, so it was refused and nothing in it ran",
            hint="Get the checkpoint from its original source",
        ) from error
    except Exception as error:  # fed with broken bytes, torch's reader fails in any of a dozen ways
        raise unreadable(path) from error
    state = content.get(key) if isinstance(content, dict) else None
    if not isinstance(state, dict):
        raise BadCheckpoint(f"{path.name} has no entry `{key}`{_other_container(content)}", _HINT)
    for name, tensor in state.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise BadCheckpoint(f"{path.name} holds something other than tensors: {name!r:.60}", _HINT)
    numbers = sum(tensor.numel() for tensor in state.values())  # one number in the file may stand for many
    if numbers > max(MOST_NUMBERS, path.stat().st_size):
        raise BadCheckpoint(f"{path.name} announces {numbers} numbers, more than a published file has", _HINT)
    return state


_WANTS_CODE = re.compile("unsupported (global|class)|unrecognized function|can only (create|build)", re.I)
"""How torch's restricted reader says that a file asks for more than it builds; to bytes that are no pickle at
all it says other things."""


def _asks_for_code(path: Path) -> bool:
    """Whether a bare pickle names a function or class: torch reads no newer protocol than its own, so it
    does not get as far as to say so. Opcodes are listed here, never run.
    """
    with opened(path) as file:
        try:
            return any(op.name in ("GLOBAL", "INST", "STACK_GLOBAL") for op, _, _ in pickletools.genops(file))
        except (ValueError, OverflowError, MemoryError):  # it is no pickle, or announces more than it has
            return False


_HINT = "Use EDTalk.pt or EDTalk_lip_pose.pt as generator, Audio2Lip.pt as audio network"


def translate(state: dict[str, Tensor], config: EDTalkConfig, file: str = "the file") -> dict[str, Tensor]:
    """A published generator's state dict -> that of `EDTalk(config)`.

    Strict: each of our parameters is found with the expected shape, and nothing is left over but the
    entries known to be unused.

    Raises:
        BadCheckpoint: naming the key and the likely cause.
    """
    with torch.device("meta"):
        expected = {name: tensor.shape for name, tensor in EDTalk(config).state_dict().items()}
    left = {key for key in state if not any(fnmatchcase(key, unused) for unused in UNUSED)}
    ours: dict[str, Tensor] = {}
    for key, name, form in _expanded(config):
        tensor = _floats(state, key, config, file)
        shape = {MAP: (1, *expected[name], 1, 1), STYLED: (1, *expected[name])}.get(form, expected[name])
        _check_shape(tensor, tuple(shape), key, state, config, file)
        if form == PLAIN:  # our layers multiply by 1/sqrt(fan-in) when they run
            tensor = tensor * math.sqrt(math.prod(tensor.shape[1:]))
        ours[name] = tensor.reshape(expected[name])
        left.discard(key)
    banks = {BANKS[0]: config.mouth + config.pose, BANKS[1]: config.expression}
    joined = []
    for key, columns in banks.items():
        if columns:
            joined.append(_floats(state, key, config, file))
            _check_shape(joined[-1], (config.latent, columns), key, state, config, file)
            left.discard(key)
    ours["bank.directions"] = torch.cat(joined, 1)
    if left:
        raise BadCheckpoint(f"{file} has an unexpected key {min(left)}: {_cause(state, config)}", _HINT)
    return ours


def generator_config(state: dict[str, Tensor]) -> EDTalkConfig:
    """What a published generator's tensors are made for; the published sizes where they do not tell.

    The full generator is told from the mouth and pose one by its expression bank.
    """
    full = any(key.startswith(("exp_fc.", "direction_exp.", "dec.fineadain")) for key in state)
    expression = EDTalkConfig().expression if full else 0
    heads = {key: tensor for key, tensor in state.items() if fnmatchcase(key, "dec.to_flows.*.conv.weight")}
    try:
        numbered = {int(key.split(".")[2][:3]): tensor.shape[2] for key, tensor in heads.items()}
        channels = {8 << n: count for n, count in numbered.items() if 0 <= n < 10}
        channels[4] = state["dec.input.input"].shape[1]
        latent = state["fc.0.weight"].shape[1]
        return EDTalkConfig(max(channels), latent, expression=expression, channels=channels)
    except (KeyError, IndexError, ValueError):
        return EDTalkConfig.published(full)


def _expanded(config: EDTalkConfig) -> Iterator[tuple[str, str, str]]:
    """The table with every counter filled in."""
    levels = config.levels
    for key, name, form in TABLE:
        if not config.expression and (key.startswith("exp_fc") or ".enhance." in name):
            continue
        fixed = {"size": config.size, "last": len(levels) + 1}
        if "{block}" in key:
            rows: list[dict[str, int]] = [{"block": n + 1, "side": r} for n, r in enumerate(reversed(levels))]
        elif "{side}" in name:
            rows = [{"level": n, "even": 2 * n, "odd": 2 * n + 1, "side": r} for n, r in enumerate(levels)]
        else:
            rows = [
                {"three": n, "four": n} for n in range(4 if "{four}" in key else 3 if "{three}" in key else 1)
            ]
        for row in rows:
            yield key.format(**fixed, **row), name.format(**fixed, **row), form


def _floats(state: dict[str, Tensor], key: str, config: EDTalkConfig, file: str) -> Tensor:
    tensor = state.get(key)
    if tensor is None:
        raise BadCheckpoint(f"{file} lacks the key {key}: {_cause(state, config)}", _HINT)
    if not tensor.is_floating_point() or tensor.is_sparse or not bool(torch.isfinite(tensor).all()):
        raise BadCheckpoint(f"{key} in {file} is not made of finite numbers: the file is damaged", _HINT)
    return tensor.float()


def _check_shape(
    tensor: Tensor,
    expected: tuple[int, ...],
    key: str,
    state: dict[str, Tensor],
    config: EDTalkConfig,
    file: str,
) -> None:
    if tuple(tensor.shape) != expected:
        shapes = f"{tuple(tensor.shape)}, not {expected}"
        raise BadCheckpoint(f"{key} in {file} has the shape {shapes}: {_cause(state, config)}", _HINT)


def _cause(state: dict[str, Tensor], config: EDTalkConfig) -> str:
    """What probably happened when keys do not fit."""
    full = any(key.startswith(("exp_fc.", "direction_exp.")) for key in state)
    causes = (
        (
            any(k.startswith("module.") for k in state),
            "its keys start with `module.`, as DataParallel saves them",
        ),
        (any(k.startswith("audio_encoder.") for k in state), "this is the audio network, not a generator"),
        ("dec.direction.weight" in state, "this is a checkpoint of LIA, which EDTalk starts from"),
        (bool(config.expression) and not full, "this is the mouth and pose generator, not the full one"),
        (not config.expression and full, "this is the full generator, not the mouth and pose one"),
        (True, "it belongs to another version of the network, or the download is incomplete"),
    )
    return next(cause for applies, cause in causes if applies)


def _other_container(content: Any) -> str:
    if not isinstance(content, dict):
        return ": it is not a checkpoint of EDTalk"
    if "gen" in content:
        return ": it holds `gen`, so it is a generator, not the audio network"
    if "audio2lip" in content:
        return ": it holds `audio2lip`, so it is the audio network, not a generator"
    if any(str(key).startswith(("enc.", "dec.", "module.", "audio_encoder.")) for key in content):
        return ": its tensors lie bare at the top, where a published file keeps them under a name"
    return ": it is not a checkpoint of EDTalk"


def first_bytes(path: Path) -> bytes:
    """What a file begins with. Raises BadCheckpoint when the system does not hand it out."""
    try:
        with opened(path) as file:
            return file.read(64)
    except OSError as error:
        why = reason(error)
        raise BadCheckpoint(f"{path.name} cannot be opened: {why}", "Choose another file") from error


def unreadable(path: Path) -> BadCheckpoint:
    """The error for a file that is no checkpoint, with the likely reason."""
    start = first_bytes(path)
    if start.lstrip().startswith(b"<"):
        why = "it is a web page, so the download went wrong"
    elif start.startswith(b"version https://git-lfs"):
        why = "it is a Git LFS pointer, not the file itself"
    else:
        why = "it is truncated, or not a checkpoint"
    return BadCheckpoint(f"{path.name} cannot be read: {why}", hint="Download it again")
