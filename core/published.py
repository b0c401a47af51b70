# SPDX-License-Identifier: GPL-3.0-or-later
"""The published checkpoints of EDTalk: their containers, their keys, and ours for them.

| file | container |
|---|---|
| EDTalk.pt | `gen`: the full generator |
| EDTalk_lip_pose.pt | `gen`: the mouth and pose generator |
| Audio2Lip.pt | `audio2lip`: the audio network |

They are pickles, and a pickle can run code.  Here they are read by torch's restricted reader, which
builds tensors, plain containers and `argparse.Namespace` (their training arguments) and nothing else.
The translation of keys is a table, `core.published_keys`; loading is strict in both directions and
checks every shape.
"""

from __future__ import annotations

import argparse
import math
import pickle
import zipfile
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.models import EDTalkConfig
from core.published_keys import BANKS, MAP, PLAIN, SAME, STYLED, TABLE, UNUSED
from core.wire.errors import BadCheckpoint, MissingCheckpoint


def read(path: Path | str, key: str) -> dict[str, Tensor]:
    """The state dict under `key` ("gen" or "audio2lip") of a published file, without running its code.

    Raises:
        MissingCheckpoint: no such file.
        BadCheckpoint: unreadable, wants to run code, or holds something else; says which.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingCheckpoint(f"There is no checkpoint at {path}", hint="Choose the downloaded file")
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "weights_only" not in str(error):
            raise unreadable(path) from error
        raise BadCheckpoint(
            f"{path.name} wants to run code when it is opened, so it was refused and nothing in it ran",
            hint="Get the checkpoint from its original source",
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise unreadable(path) from error
    state = content.get(key) if isinstance(content, dict) else None
    if not isinstance(state, dict):
        raise BadCheckpoint(f"{path.name} has no entry `{key}`{_other_container(content)}", hint=_HINT)
    for name, tensor in state.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise BadCheckpoint(f"{path.name} holds something other than tensors: {name!r}", hint=_HINT)
    return state


_HINT = "Use EDTalk.pt or EDTalk_lip_pose.pt as generator, Audio2Lip.pt as audio network"


def translate(state: dict[str, Tensor], config: EDTalkConfig, file: str = "the file") -> dict[str, Tensor]:
    """A published generator's state dict -> that of `EDTalk(config)`.

    Strict: each of our parameters is found with the expected shape, and nothing is left over but the
    entries known to be unused.

    Raises:
        BadCheckpoint: naming the key and the likely cause.
    """
    ours: dict[str, Tensor] = {}
    left = {key for key in state if not any(fnmatchcase(key, unused) for unused in UNUSED)}
    for key, name, form in _expanded(config):
        tensor = _floats(state, key, config, file)
        left.discard(key)
        if form == MAP and tensor.ndim == 4 and tensor.shape[::2] == (1, 1) and tensor.shape[3] == 1:
            tensor = tensor[0, :, 0, 0]
        elif form == STYLED and tensor.ndim == 5 and tensor.shape[0] == 1:
            tensor = tensor[0]
        elif form == PLAIN:
            # our layers multiply by 1/sqrt(fan-in) when they run
            tensor = tensor * math.sqrt(math.prod(tensor.shape[1:]))
        elif form != SAME:
            raise BadCheckpoint(
                f"{key} in {file} has the shape {tuple(tensor.shape)}: {_cause(state, config)}"
            )
        ours[name] = tensor
    banks = [_floats(state, key, config, file) for key in BANKS[: 2 if config.expression else 1]]
    if any(bank.ndim != 2 or len(bank) != config.latent for bank in banks):
        raise BadCheckpoint(f"{BANKS[0]} in {file} is not a bank of a latent of {config.latent}", hint=_HINT)
    ours["bank.directions"] = torch.cat(banks, 1)
    left -= set(BANKS[: len(banks)])
    if left:
        raise BadCheckpoint(f"{file} has an unexpected key {min(left)}: {_cause(state, config)}", hint=_HINT)
    return ours


def generator_config(state: dict[str, Tensor]) -> EDTalkConfig:
    """Which of the two published generators a state dict is; by its expression bank."""
    full = any(key.startswith(("exp_fc.", "direction_exp.", "dec.fineadain")) for key in state)
    return EDTalkConfig.published(expression=full)


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
        raise BadCheckpoint(f"{file} lacks the key {key}: {_cause(state, config)}", hint=_HINT)
    if not tensor.is_floating_point() or tensor.is_sparse or not bool(torch.isfinite(tensor).all()):
        raise BadCheckpoint(f"{key} in {file} is not made of finite numbers: the file is damaged", hint=_HINT)
    return tensor.float()


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


def unreadable(path: Path) -> BadCheckpoint:
    """The error for a file that is no checkpoint, with the likely reason."""
    with path.open("rb") as file:
        start = file.read(64).lstrip()
    if start.startswith(b"<"):
        why = "it is a web page, so the download went wrong"
    elif start.startswith(b"version https://git-lfs"):
        why = "it is a Git LFS pointer, not the file itself"
    else:
        why = "it is truncated, or not a checkpoint"
    return BadCheckpoint(f"{path.name} cannot be read: {why}", hint="Download it again")
