# SPDX-License-Identifier: GPL-3.0-or-later
"""Lip-sync expert: does this mouth say this sound, now?

Two small networks bring sound and mouth units to the same 64 numbers a step; where they point the same way,
mouth and sound belong together. It is the judge that Wav2Lip (Prajwal et al. 2020) made of SyncNet (Chung and
Zisserman 2016), for mouth weights in place of pictures, learned by telling the right moment from its
neighbours (van den Oord et al. 2018). It serves as a term of training (`agreement`) and as a measure
(`offset`).

Legend: B scenes, T steps of 1/25 s, F mel frames, U = 12 mouth units, E = 64.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from core.models.audio_to_mouth import AudioToMouthConfig, CleanAudioToMouth
from core.models.small import restore
from core.sound import mel
from core.wire.channels import STEPS_PER_SECOND
from core.wire.errors import BadCheckpoint

UNITS = 12
REACH = 10
"""Steps either way that are compared: 0.4 s."""
NEAR = 1
"""Steps either way that are too close to be called wrong."""


@dataclass(frozen=True)
class SyncExpertConfig:
    """Sizes. Travels with the file."""

    width: int = 96
    blocks: int = 5
    size: int = 64

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> SyncExpertConfig:
        """Inverse of `to_dict`. Raises BadCheckpoint."""
        try:
            return cls(**values)
        except TypeError as error:
            raise BadCheckpoint(f"The sync expert's settings are not understood: {error}") from error


class SyncExpert(nn.Module):
    """Ears and lips; see the module."""

    def __init__(self, config: SyncExpertConfig = SyncExpertConfig()) -> None:
        super().__init__()
        self.config = config
        # the same ears as audio-to-mouth has, with another task
        self.ears = CleanAudioToMouth(
            AudioToMouthConfig(width=config.width, blocks=config.blocks, units=config.size)
        )
        self.lips = nn.Sequential(
            nn.Conv1d(UNITS, config.width, 5, padding=2),
            nn.GELU(),
            nn.Conv1d(config.width, config.width, 5, padding=2),
            nn.GELU(),
            nn.Conv1d(config.width, config.size, 1),
        )
        self.sharpness = nn.Parameter(torch.tensor(2.3))

    def hear(self, features: Tensor) -> Tensor:
        """Mel features [B, F, 80], see `CleanAudioToMouth.frames` -> unit vectors [B, T, E]."""
        return functional.normalize(self.ears.logits(features), dim=2)

    def see(self, units: Tensor) -> Tensor:
        """Mouth units [B, T, U] -> unit vectors [B, T, E]."""
        return functional.normalize(self.lips(units.transpose(1, 2)).transpose(1, 2), dim=2)

    def likeness(self, heard: Tensor, seen: Tensor) -> Tensor:
        """[B, T, E] twice -> cosines [B, T - 2 REACH, 2 REACH + 1]: what is heard at t + REACH with what is
        seen `shift - REACH` steps later. The middle is in sync."""
        count = heard.shape[1] - 2 * REACH
        here = heard[:, REACH : REACH + count]
        shifted = [(here * seen[:, shift : shift + count]).sum(2) for shift in range(2 * REACH + 1)]
        return torch.stack(shifted, dim=2)

    def loss(self, likeness: Tensor) -> Tensor:
        """Cross-entropy of finding the moment in sync among the others, but for its nearest neighbours."""
        logits = self.sharpness.clamp(max=4).exp() * likeness
        far = [s for s in range(2 * REACH + 1) if not 0 < abs(s - REACH) <= NEAR]
        logits = logits[:, :, far]
        target = logits.new_full(logits.shape[:2], far.index(REACH), dtype=torch.long)
        return functional.cross_entropy(logits.flatten(0, 1), target.flatten())

    def agreement(self, features: Tensor, units: Tensor) -> Tensor:
        """The loss of a mouth [B, T, U] under this sound, as a term of training."""
        return self.loss(self.likeness(self.hear(features), self.see(units)))


def expert_of(path: Path) -> SyncExpert:
    """The network that its recipe exported, in evaluation mode and not to be trained."""
    net = restore(path, lambda values: SyncExpert(SyncExpertConfig.from_dict(values)))
    return net.requires_grad_(False)


@torch.inference_mode()
def scores(net: SyncExpert, samples: NDArray[Any], units: NDArray[Any]) -> NDArray[np.float32]:
    """How well a mouth [T, U] fits a sound at every moment and shift: [T - 2 REACH, 2 REACH + 1]."""
    first, last = net.ears.frames(0, len(units))
    usual = net.ears.usual.double().cpu().numpy()
    heard = mel.features(samples, mel.profile(samples), usual, first, last)
    seen = net.see(torch.from_numpy(np.asarray(units, np.float32))[None])
    found: NDArray[np.float32] = net.likeness(net.hear(torch.from_numpy(heard)[None]), seen)[0].numpy()
    return found


def offset(net: SyncExpert, samples: NDArray[Any], units: NDArray[Any]) -> tuple[float, float]:
    """By how many milliseconds a mouth comes late, as far as 400, and how much better that fits than the
    median of all shifts (SyncNet's confidence)."""
    mean = scores(net, samples, units).mean(axis=0)
    best = int(np.clip(mean.argmax(), 1, 2 * REACH - 1))
    before, here, after = mean[best - 1 : best + 2]
    bend = float(before - 2 * here + after)
    fine = 0.5 * float(before - after) / bend if bend < -1e-9 else 0.0
    return 1000 / STEPS_PER_SECOND * (best + fine - REACH), float(mean.max() - np.median(mean))
