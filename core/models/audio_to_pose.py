# SPDX-License-Identifier: GPL-3.0-or-later
"""Audio-to-pose: a normalising flow that moves the head to speech, and a hazard that blinks.

The probabilistic pose branch of the paper's Audio-to-Motion (Tan et al. 2024, section 3.3; the idea is
MoGlow's, Henter et al. 2020): many head motions go with one sentence, so the network learns their whole
distribution, and a seed picks one. Poses come in pieces of a third of a second. Each piece is drawn from
noise by affine couplings (`zuko`) that are told the poses before it, the prosody around it and how still the
head shall be; the next piece then continues from there.

Blinks are events: from the same prosody and the time since the last one, `hazard` says how likely a blink
begins in each knot.

Legend: B pieces, P = 12 (prosody and emphasis, 25 rows a second, two to a knot), D = 6 pose dimensions, K
knots a piece; a knot is 2/25 s. Poses are in unit deviations of `core.motion.idle.DRIFT`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from core.motion.motion import smoothed
from core.sound.prosody import FEATURES, emphasis, prosody
from core.wire.channels import STEPS_PER_SECOND
from core.wire.errors import BadCheckpoint

POSES = ("yaw", "pitch", "roll", "shift x", "shift y", "size")
"""Labels of the channels that the six dimensions move, in order."""
STRIDE = 2
"""Steps to a knot."""
HEARD = len(FEATURES) + 2
"""Prosody and emphasis."""
BLINK_MEMORY = 8.0
"""Seconds after which it no longer matters when the last blink was."""
FARTHEST = 4.0
"""A pose beyond this many deviations is no pose of a talking head; sampling stays within."""
CALLED_BACK = (0.02, 0.3, 0.02, 0.02, 0.15, 0.02)
"""Share of each dimension that a piece gives back."""
NOD, STILL = 1.0, 0.3
"""How much of the expected nods the liveliest head takes from the start, and the stillest's share of it."""
LUCK = 1.8
"""Noise beyond so many deviations is cut: what is that unlikely was hardly ever seen and may tremble."""
SETTLE = 0.8
"""Deviation in steps of the Gaussian that takes the last trembling out of a drawn head."""


LARGEST = {"past": 64, "piece": 16, "ahead": 64, "width": 512, "context": 512, "couplings": 32, "hidden": 512}
"""Of each setting: with all of them, a network has some 100 MB."""


@dataclass(frozen=True)
class AudioToPoseConfig:
    """Sizes of the flow, in knots and channels. Travels inside the checkpoint."""

    past: int = 10  # knots of pose and prosody before the piece
    piece: int = 4  # knots drawn at once
    ahead: int = 10  # knots of prosody after the piece
    width: int = 128  # of what listens
    context: int = 64  # numbers that steer the couplings
    couplings: int = 6
    hidden: int = 96  # width inside a coupling

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> AudioToPoseConfig:
        """Inverse of `to_dict`. Raises BadCheckpoint for what is not such settings."""
        try:
            config = cls(**values)
        except TypeError as error:
            raise BadCheckpoint(
                f"The checkpoint's head motion settings are not understood: {error}"
            ) from error
        if not all(type(v) is int and 1 <= v <= LARGEST[key] for key, v in config.to_dict().items()):
            raise BadCheckpoint("The checkpoint's head motion settings are out of range")
        return config


class AudioToPose(nn.Module):
    """Flow and hazard; see the module."""

    def __init__(self, config: AudioToPoseConfig = AudioToPoseConfig()) -> None:
        super().__init__()
        import zuko  # here, so that a server without it can still read what a checkpoint holds

        self.config = config
        window = (config.past + config.piece + config.ahead) * HEARD
        self.listen = nn.Sequential(
            nn.Linear(window, config.width), nn.GELU(), nn.Linear(config.width, config.width), nn.GELU()
        )
        # from the knot before the piece to its end: how far down stress would have an average head
        self.stress = nn.Linear(config.width, config.piece + 1)
        told = config.width + config.piece + 1 + 2 * config.past * len(POSES) + 1
        self.join = nn.Sequential(
            nn.Linear(told, config.width), nn.GELU(), nn.Linear(config.width, config.context)
        )
        self.flow = zuko.flows.NICE(
            config.piece * len(POSES),
            config.context,
            config.couplings,
            randmask=True,
            hidden_features=(config.hidden, config.hidden),
        )
        self.lids = nn.Sequential(
            nn.Linear(window + config.piece, config.width), nn.GELU(), nn.Linear(config.width, config.piece)
        )
        self.register_buffer("spread", torch.ones(config.piece, len(POSES)))
        self.spread: Tensor  # deviation of each knot's change since the knot before the piece, over the data

    def context(self, heard: Tensor, past: Tensor, stillness: Tensor) -> Tensor:
        """Prosody [B, past + piece + ahead, P], poses before [B, past, D], stillness [B, 1] -> [B, C]."""
        change = past.diff(dim=1, prepend=past[:, :1]) * 3
        listened = self.listen(heard.flatten(1))
        told = (listened, 2 * self.stress(listened), past.flatten(1), change.flatten(1), stillness)
        joined: Tensor = self.join(torch.cat(told, dim=1))
        return joined

    def nods(self, heard: Tensor) -> Tensor:
        """Prosody as above -> [B, 1 + K], where nods are expected, in units of pitch: taught by itself, since
        the likelihood alone listens to the poses before and hardly to the voice (Henter et al. drop poses
        for the same reason)."""
        expected: Tensor = self.stress(self.listen(heard.flatten(1)))
        return expected

    def surprise(self, pieces: Tensor, heard: Tensor, past: Tensor, stillness: Tensor) -> Tensor:
        """Negative log-likelihood of pieces [B, K, D] in nats a number, [B]."""
        change = ((pieces - past[:, -1:] - self.met(heard, stillness)) / self.spread).flatten(1)
        likely: Tensor = self.flow(self.context(heard, past, stillness)).log_prob(change)
        return -likely / change.shape[1]

    def draw(self, noise: Tensor, heard: Tensor, past: Tensor, stillness: Tensor) -> Tensor:
        """Normal noise [B, K * D] -> pieces [B, K, D]; the inverse of what `surprise` measures."""
        change: Tensor = self.flow(self.context(heard, past, stillness)).transform.inv(noise)
        change = change.view(-1, *self.spread.shape) * self.spread
        return past[:, -1:] + self.met(heard, stillness) + change

    def follow(self, noise: Tensor, heard: Tensor, past: Tensor, stillness: Tensor) -> Tensor:
        """`draw`, held near the front: what a head on its own path does next, [B, K, D].

        Small errors of where a piece begins add up over minutes, above all in the nods that are expected of
        each piece by itself, so every piece gives back a share of where the last one ended.
        """
        given_back = past.new_tensor(CALLED_BACK) * past[:, -1:]
        way = torch.arange(1, self.config.piece + 1, device=past.device)[:, None] / self.config.piece
        return (self.draw(noise, heard, past, stillness) - way * given_back).clamp(-FARTHEST, FARTHEST)

    def met(self, heard: Tensor, stillness: Tensor) -> Tensor:
        """What an average head does about the stress it hears, since the knot before the piece: [B, K, D].

        The flow starts from here, so it need not find nods by itself among all that a head does.
        """
        down = self.nods(heard)
        pitch = -NOD * (STILL + (1 - STILL) * (1 - stillness)) * (down[:, 1:] - down[:, :1])
        return functional.pad(pitch[..., None], (1, len(POSES) - 2))

    def hazard(self, heard: Tensor, since: Tensor) -> Tensor:
        """Prosody as above and seconds since the last blink at each knot [B, K] -> logits [B, K] of a
        beginning."""
        age = (since / BLINK_MEMORY).clamp(max=1)
        ready = torch.exp(-since)  # the first second matters most
        logits: Tensor = self.lids(torch.cat([heard.flatten(1), age + ready], dim=1))
        return logits


@dataclass(frozen=True)
class HeadMotion:
    """A drawn head: pose float32 [T, 6] in unit deviations, and the seconds at which blinks begin."""

    pose: NDArray[np.float32]
    blinks: tuple[float, ...]


@torch.inference_mode()
def head_motion(
    net: AudioToPose,
    samples: NDArray[Any],
    steps: int,
    seed: int = 0,
    stillness: float = 0.3,
    temperature: float = 1.0,
) -> HeadMotion:
    """Draw head motion and blinks for a whole sound.

    Args:
        samples: float32 [N] mono at 16 kHz; beyond its end there is silence.
        steps: T.
        seed: the same seed and sound give the same motion.
        stillness: 0 lively .. 1 hardly moving.
        temperature: how far the noise strays from the most likely; below 1 is calmer and safer.
    """
    config = net.config
    pieces = -(-steps // (STRIDE * config.piece))
    knots = pieces * config.piece
    heard = torch.from_numpy(windowed(prosody(samples, steps), config, pieces))
    calm = torch.full((1, 1), float(np.clip(stillness, 0, 1)))
    random = np.random.default_rng([seed & 0xFFFFFFFF, 6])
    track = torch.zeros(1, config.past + knots, len(POSES))
    begins, last = [], -float(random.uniform(0.5, 3.0))
    for piece in range(pieces):
        luck = random.standard_normal((1, config.piece * len(POSES)), np.float32).clip(-LUCK, LUCK)
        here = piece * config.piece
        window, past = heard[piece : piece + 1], track[:, here : here + config.past]
        drawn = net.follow(torch.from_numpy(temperature * luck), window, past, calm)
        track[:, here + config.past : here + config.past + config.piece] = drawn
        chances = random.random(config.piece + 1)
        now = (here + np.arange(config.piece)) * STRIDE / STEPS_PER_SECOND
        for knot in range(config.piece):
            since = torch.from_numpy(np.clip(now - last, 0, None)[None]).float()
            if chances[knot] < float(torch.sigmoid(net.hazard(window, since))[0, knot]):
                last = float(now[knot] + chances[-1] * STRIDE / STEPS_PER_SECOND)
                begins.append(last)
    pose = smoothed(between(track[0, config.past :].numpy())[:steps], SETTLE)
    return HeadMotion(pose, tuple(start for start in begins if start < steps / STEPS_PER_SECOND))


def knotted(steps: NDArray[Any]) -> NDArray[Any]:
    """[T, P] at 25 a second -> [ceil(T / 2), P] at the knots, each the mean of its two steps."""
    padded = np.pad(steps, ((0, -len(steps) % STRIDE), (0, 0)), mode="edge")
    return np.asarray(padded.reshape(-1, STRIDE, steps.shape[1]).mean(axis=1))


def windowed(heard: NDArray[Any], config: AudioToPoseConfig, pieces: int) -> NDArray[Any]:
    """Prosody [T, 10] -> what each piece hears, float32 [pieces, past + piece + ahead, P]."""
    knots = knotted(np.concatenate([heard, emphasis(heard)], axis=1))
    after = max(0, pieces * config.piece + config.ahead - len(knots))
    padded = np.concatenate([_silence(config.past), knots, _silence(after)])
    index = np.arange(pieces)[:, None] * config.piece + np.arange(config.past + config.piece + config.ahead)
    return np.asarray(padded[index], np.float32)


def _silence(count: int) -> NDArray[Any]:
    row = prosody(np.zeros(0, np.float32), 1)
    row[:, [FEATURES.index("silent for"), FEATURES.index("speaking for")]] = 1.0, 0.0
    return np.repeat(np.pad(row, ((0, 0), (0, HEARD - row.shape[1]))), count, axis=0)


def between(knots: NDArray[Any]) -> NDArray[np.float32]:
    """Knots [K, D] -> steps float32 [2 K, D]: through every knot, cubic between them, the last one held."""
    before, here = np.pad(knots, ((1, 0), (0, 0)), mode="edge")[:-1], knots
    after, later = (np.pad(knots[i:], ((0, i), (0, 0)), mode="edge") for i in (1, 2))
    middle = (9 * (here + after) - before - later) / 16
    return np.asarray(np.stack([here, middle], axis=1).reshape(-1, knots.shape[1]), np.float32)
