# SPDX-License-Identifier: GPL-3.0-or-later
"""Audio-to-mouth networks: sound -> the 20 mouth weights of each step.

`published` is Wav2Lip's audio encoder with a linear layer on top, as EDTalk releases it (Tan et al. 2024,
the audio branch of Audio-to-Motion; encoder from Prajwal et al. 2020). Its parameters carry the published
names.

`clean` is ours: convolutions over bands and time find what was said whatever the height of the voice, and
residual blocks weigh ±0.3 s of it, since lips prepare a sound before it is heard. It knows the twelve mouth
units of `training.factors` and leaves the eight spare weights at zero.

Legend: B batch, T steps of 1/25 s, F mel frames, W = 20 mouth weights.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from core.sound import mel
from core.sound.audio import smooth, step_count
from core.wire.channels import BANKS
from core.wire.errors import BadCheckpoint

FULL = 1.5
"""Weight of a mouth unit at full strength (`training.factors`: weight = factor * 1.5)."""


@dataclass(frozen=True)
class AudioToMouthConfig:
    """Which audio network, and how its track is smoothed. Travels inside the checkpoint."""

    kind: str = "clean"  # "published" or "clean"
    smoothing: str = "none"  # ends of `core.sound.audio.smooth`: "zero" as published, "edge", "none"
    width: int = 160  # clean: channels of the residual blocks
    blocks: int = 7  # clean: residual blocks; each widens the view by one step on either side
    dropout: float = 0.05  # clean: share of channels left out while training
    units: int = 12  # clean: mouth units it knows; the other weights are zero

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> AudioToMouthConfig:
        """Inverse of `to_dict`; unknown names are refused.

        Raises:
            BadCheckpoint: not the settings of an audio network.
        """
        try:
            config = cls(**values)
        except TypeError as error:
            raise BadCheckpoint(f"The checkpoint's audio settings are not understood: {error}") from error
        if config.kind not in ("published", "clean") or config.smoothing not in ("zero", "edge", "none"):
            raise BadCheckpoint(
                f"The checkpoint asks for an audio network {config.kind!r} with smoothing "
                f"{config.smoothing!r}, which this version does not have"
            )
        limits = {"width": 2048, "blocks": 64, "units": BANKS["mouth"]}
        sizes = {key: getattr(config, key) for key in limits}
        if not all(
            type(sizes[key]) is int and 1 <= sizes[key] <= most for key, most in limits.items()
        ) or not (isinstance(config.dropout, (int, float)) and 0 <= config.dropout < 1):
            raise BadCheckpoint("The checkpoint's audio settings are out of range")
        return config


PUBLISHED = AudioToMouthConfig(kind="published", smoothing="zero")
CLEAN = AudioToMouthConfig()

Listener = Callable[[int, int], NDArray[Any]]
"""Steps `first` to `last` - 1 of a sound -> mouth weights float32 [last - first, 20]."""


class AudioToMouth(nn.Module):
    """What both networks share: a config, and `listener`, through which `mouth_from_audio` runs
    them."""

    def __init__(self, config: AudioToMouthConfig) -> None:
        super().__init__()
        self.config = config

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.parameters()).device

    @abstractmethod
    def listener(self, samples: NDArray[Any]) -> Listener:
        """Measure a whole sound once, float32 [N] at 16 kHz; what comes back predicts any part of it."""


# Wav2Lip's audio encoder: (channels in, out, kernel, stride (bands, time), padding, residual).
_ENCODER: tuple[tuple[int, int, int, tuple[int, int], int, bool], ...] = (
    (1, 32, 3, (1, 1), 1, False),
    (32, 32, 3, (1, 1), 1, True),
    (32, 32, 3, (1, 1), 1, True),
    (32, 64, 3, (3, 1), 1, False),
    (64, 64, 3, (1, 1), 1, True),
    (64, 64, 3, (1, 1), 1, True),
    (64, 128, 3, (3, 3), 1, False),
    (128, 128, 3, (1, 1), 1, True),
    (128, 128, 3, (1, 1), 1, True),
    (128, 256, 3, (3, 2), 1, False),
    (256, 256, 3, (1, 1), 1, True),
    (256, 512, 3, (1, 1), 0, False),
    (512, 512, 1, (1, 1), 0, False),
)


class _PublishedBlock(nn.Module):
    """Convolution, batch norm, the input again if residual, ReLU."""

    def __init__(
        self, channels: int, out: int, kernel: int, stride: tuple[int, int], padding: int, residual: bool
    ) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.Conv2d(channels, out, kernel, stride, padding), nn.BatchNorm2d(out)
        )
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv_block(x)
        return torch.relu(y + x if self.residual else y)


class PublishedAudioToMouth(AudioToMouth):
    """The released network: mel window of one step -> its mouth weights."""

    def __init__(self, config: AudioToMouthConfig = PUBLISHED) -> None:
        super().__init__(config)
        self.audio_encoder = nn.Sequential(*(_PublishedBlock(*row) for row in _ENCODER))
        self.mapping = nn.Linear(512, BANKS["mouth"])

    def forward(self, windows: Tensor) -> Tensor:
        """[T, 1, 80, 16] within -4..4 -> [T, 20]."""
        weights: Tensor = self.mapping(self.audio_encoder(windows).flatten(1))
        return weights

    def listener(self, samples: NDArray[Any]) -> Listener:
        """See `AudioToMouth.listener`."""

        @torch.inference_mode()
        def listen(first: int, last: int) -> NDArray[Any]:
            windows = torch.from_numpy(mel.windows(samples, first, last))
            return np.asarray(self(windows[:, None].to(self.device)).float().cpu())

        return listen


class _CleanBlock(nn.Module):
    """Residual block over three steps; without padding, so the sequence loses a step at either end."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.drop = nn.Dropout1d(dropout)
        self.mix = nn.Conv1d(width, width, 3, bias=False)
        self.norm = nn.BatchNorm1d(width)
        self.out = nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.out(functional.gelu(self.norm(self.mix(self.drop(x)))))
        return x[..., 1:-1] + y


class CleanAudioToMouth(AudioToMouth):
    """Our network: four mel frames a step, ±0.3 s around it, to mouth units."""

    def __init__(self, config: AudioToMouthConfig = CLEAN) -> None:
        super().__init__(config)
        # over bands as well as time: a formant is the same formant a few bands higher up
        self.bands = nn.Sequential(
            nn.Conv2d(1, 32, 5, (2, 1), (2, 0), bias=False),
            nn.BatchNorm2d(32),
            nn.GELU(),  # [B, 32, 40, F - 4]
            nn.Conv2d(32, 48, 3, (2, 2), (1, 0), bias=False),
            nn.BatchNorm2d(48),
            nn.GELU(),  # [B, 48, 20, ...]
        )
        self.step = nn.Conv1d(48 * 20, config.width, 2, 2)  # 25 a second from here
        self.blocks = nn.Sequential(
            *(_CleanBlock(config.width, config.dropout) for _ in range(config.blocks))
        )
        self.norm = nn.BatchNorm1d(config.width)
        self.units = nn.Conv1d(config.width, config.units, 1)
        self.register_buffer("usual", torch.zeros(mel.BANDS))
        self.register_buffer("gain", torch.ones(config.units))
        self.gain: Tensor  # averages are too timid; see `lost_spread` in evaluation.hearing
        self.usual: Tensor  # average spectrum of the training voices, see core.sound.mel.features

    def frames(self, first: int, last: int) -> tuple[int, int]:
        """Mel frames (hop 160) that steps `first` to `last` - 1 depend on, symmetric about each step's
        middle."""
        context = 4 * self.config.blocks
        return 4 * first - 2 - context, 4 * (last - 1) + 7 + context

    def logits(self, features: Tensor) -> Tensor:
        """[B, F, 80] -> [B, T, 12]; sigmoid makes mouth units of them. F = 4 T + 5 + 8 * blocks."""
        x = self.bands(features.transpose(1, 2).unsqueeze(1)).flatten(1, 2)  # [B, 960, 2 T + ...]
        x = functional.gelu(self.norm(self.blocks(self.step(x))))  # [B, width, T]
        out: Tensor = self.units(x)
        return out.transpose(1, 2)

    def forward(self, features: Tensor) -> Tensor:
        """[B, F, 80] from `core.sound.mel.features` -> mouth weights [B, T, 20]."""
        weights = FULL * (self.gain * torch.sigmoid(self.logits(features))).clamp(max=1)
        return functional.pad(weights, (0, BANKS["mouth"] - self.config.units))

    def listener(self, samples: NDArray[Any]) -> Listener:
        """See `AudioToMouth.listener`."""
        about = mel.profile(samples)
        usual = self.usual.double().cpu().numpy()

        @torch.inference_mode()
        def listen(first: int, last: int) -> NDArray[Any]:
            heard = mel.features(samples, about, usual, *self.frames(first, last))
            return np.asarray(self(torch.from_numpy(heard)[None].to(self.device))[0].float().cpu())

        return listen


def build(config: AudioToMouthConfig) -> AudioToMouth:
    """The network a config describes, in evaluation mode, parameters not yet loaded."""
    net = PublishedAudioToMouth(config) if config.kind == "published" else CleanAudioToMouth(config)
    return net.eval()


def mouth_from_audio(
    net: AudioToMouth,
    samples: NDArray[Any],
    chunk: int = 500,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> NDArray[Any]:
    """Mouth weights of a whole sound, one row a step.

    Args:
        net: a network in evaluation mode, on any device.
        samples: float32 [N] mono at 16 kHz, of any length from one step on.
        chunk: steps worked on at a time; it changes memory, not the result.
        tell: called before each chunk and at the end: steps done, steps in all. What it raises ends the work.
    Returns:
        float32 [T, 20]. Row t belongs to the time from t / 25 s to (t + 1) / 25 s.
    Raises:
        UnreadableAudio: shorter than one step.
    """
    steps = step_count(samples, net.config.kind)
    listen = net.listener(samples)
    parts = []
    for first in range(0, steps, chunk):
        tell(first, steps)
        parts.append(listen(first, min(first + chunk, steps)))
    tell(steps, steps)
    return smooth(np.concatenate(parts), net.config.smoothing).astype(np.float32)
