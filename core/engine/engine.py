# SPDX-License-Identifier: GPL-3.0-or-later
"""A loaded model that does nothing twice: pictures -> weights, weights -> frames.

    engine = Engine.from_checkpoint(path)          # device and precision chosen here, once
    source = engine.prepare(portrait)              # latent, features, once per portrait
    for frame in engine.decode(source, weights):   # one decoder pass per frame
        frame.image, frame.flow, frame.mask

Once per load: equalised weights are multiplied out, the bank is made orthonormal, an affine navigator
is folded into one matrix.  Once per portrait: the encoder, and all of the expression modules that does
not depend on the expression.

A frame depends on its own weights and the source alone.  A CPU decodes each frame by itself, by
`core.engine.cpu.decoder`: batches would save it little, and the place in a batch decides which vector lane
rounds a value how.  Frames are decoded, pictures read and a checkpoint made ready by `core.engine.cpu.lanes`,
each on one core: some processors (those with AMX) round a sum in another order when several cores share it.
So on one machine a frame has the same bits whatever the number of cores and of frames.  Another make of
processor may round differently.

Accelerators run the plain decoder on full batches (the last one is filled up with its last frame), so that
neighbours change nothing; another batch size differs by float rounding.

Precision "exact" is float32 throughout; "fast" lets convolutions run in bfloat16 where the device has it in
hardware (AVX512-BF16, AMX, CUDA), and is the same elsewhere.  Latents and weights are always float32.

Shapes: N frames, S side of the picture, D latent, C channels, h w sides of a level.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.checkpoints import checkpoint
from core.engine.cpu.decoder import FastDecoder
from core.engine.cpu.kernels import has_bfloat16
from core.engine.cpu.lanes import Lanes, keep_memory
from core.models import EDTalk
from core.models.audio_to_mouth import AudioToMouth
from core.models.audio_to_pose import AudioToPose
from core.models.decoder import Decoded, SourceLevel
from core.models.layers import bake, resampled
from core.models.speech_to_expression import SpeechToExpression
from core.wire.channels import BANK_SLICES, CHANNELS, DEFAULT_CHANNELS, Channel, Handle
from core.wire.errors import BadMotion

Precision = Literal["exact", "fast"]
A = TypeVar("A")
B = TypeVar("B")
T = TypeVar("T", bound=np.generic)
Weights = NDArray[np.float32]
Pictures = NDArray[np.uint8]


class Frame(NamedTuple):
    """One decoded frame, float32 tensors on the engine's device."""

    image: Tensor  # [3,S,S] RGB, nominally in [-1,1], not clamped
    flow: Tensor  # [2,S,S] x, y in [-1,1] where each pixel is read in the source (align_corners=False)
    mask: Tensor  # [1,S,S] in 0..1: share of the pixel that comes from the warped source


@dataclass(frozen=True)
class Source:
    """What every frame of one portrait shares."""

    latent: Tensor  # [1,D]
    levels: list[SourceLevel]  # coarse to fine, [1,C,h,w] each
    portrait: Tensor  # [1,3,S,S] in [-1,1]
    weights: Weights  # [36] the portrait's own weights


def choose_device(wanted: str = "auto") -> torch.device:
    """ "auto" takes CUDA, then MPS, then the CPU; any other name is taken at its word."""
    if wanted != "auto":
        return torch.device(wanted)
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


class Engine:
    """One checkpoint on one device.  The model handed in is copied and stays as it was."""

    def __init__(
        self,
        model: EDTalk,
        device: str | torch.device = "auto",
        checkpoint_id: str = "",
        channels: Sequence[Channel] = DEFAULT_CHANNELS,
        emotions: Mapping[str, Sequence[float]] | None = None,
        audio_to_mouth: AudioToMouth | None = None,
        precision: Precision = "fast",
        handles: Sequence[Handle] = (),
        audio_to_pose: AudioToPose | None = None,
        speech_to_expression: SpeechToExpression | None = None,
        warnings: Sequence[str] = (),
        audio_id: str = "",
    ) -> None:
        self.device = choose_device(str(device))
        self.precision = precision
        self.config = model.config
        self.size, self.read_size = model.config.size, model.config.read_size
        self.checkpoint_id = checkpoint_id
        self.channels = tuple(channels)
        self.emotions = {name: list(values) for name, values in (emotions or {}).items()}
        self.handles = tuple(handles)
        self.audio_to_mouth = audio_to_mouth
        self.audio_id = audio_id
        self.audio_to_pose = audio_to_pose
        self.speech_to_expression = speech_to_expression
        self.warnings = tuple(warnings)

        self._lanes = Lanes()
        model, navigator = self._lanes.alone(partial(_ready, model))
        self._navigator = navigator.to(self.device)
        # on a CPU, convolutions over interleaved channels are a quarter faster at small sizes
        self._layout = (
            torch.channels_last
            if self.device.type == "cpu" and model.config.rules.portrait
            else torch.contiguous_format
        )
        model = model.to(self.device).to(memory_format=self._layout)  # type: ignore[call-overload]
        self._encoder, self._bank = model.encoder, model.bank
        on_cpu, fast = self.device.type == "cpu", precision == "fast"
        half = fast and has_bfloat16()
        made = partial(FastDecoder, model.decoder, torch.bfloat16 if half else torch.float32)
        self._decoder = self._lanes.alone(made) if on_cpu else model.decoder
        self._autocast = fast and self.device.type == "cuda"
        self.batch = 1 if on_cpu else 16
        if on_cpu:
            keep_memory()
        sizes = (model.config.mouth, model.config.pose, model.config.expression)
        self._columns = np.concatenate(
            [
                np.arange(part.start, part.start + n)
                for part, n in zip(BANK_SLICES.values(), sizes, strict=True)
            ]
        )

    @classmethod
    def from_checkpoint(
        cls, path: Path | str | None = None, device: str = "auto", precision: Precision = "fast"
    ) -> Engine:
        """Load a checkpoint, ours or a published one; None is the model that comes with the product.

        Raises:
            MissingCheckpoint, BadCheckpoint: see `core.checkpoints.checkpoint.load`.
        """
        loaded = checkpoint.load(path or checkpoint.default_checkpoint())
        meta = loaded.meta
        return cls(
            loaded.model,
            device,
            meta.id,
            meta.channels,
            meta.emotions,
            loaded.audio_to_mouth,
            precision,
            meta.handles,
            loaded.audio_to_pose,
            loaded.speech_to_expression,
            loaded.warnings,
            loaded.audio_id,
        )

    def prepare(self, portrait: Pictures) -> Source:
        """Encode a portrait, uint8 [R,R,3] RGB."""
        (source,) = self._spread(self._prepare, [portrait])
        return source

    def _prepare(self, portrait: Pictures) -> Source:
        picture = self._pictures(portrait[None])
        latent, levels = self._encode(picture)
        weights = self._to_channels(self._navigate(latent))[0]
        return Source(latent, levels, resampled(picture, self.size), weights)

    def weights_of(self, pictures: Pictures) -> Weights:
        """uint8 [N,R,R,3] RGB -> float32 [N,36]: the weights each picture shows.

        Pictures as large as those that are drawn do as well, read less sharply.
        """

        def read(part: Pictures) -> Weights:
            weights = self._navigate(self._latent(self._pictures(_filled(part, self.batch))))
            return self._to_channels(weights)[: len(part)]

        parts = [pictures[start : start + self.batch] for start in range(0, len(pictures), self.batch)]
        return np.concatenate([np.zeros((0, len(CHANNELS)), np.float32), *self._spread(read, parts)])

    def decode(self, source: Source, weights: Weights, batch: int | None = None) -> Iterator[Frame]:
        """One frame for each row of weights [N,36], as they are finished.

        Args:
            batch: frames decoded together on an accelerator; a CPU always takes one.

        Raises:
            BadMotion: weights of another shape, or not finite.
        """
        weights = np.asarray(weights, np.float32)
        if weights.ndim != 2 or weights.shape[1] != len(CHANNELS) or not np.isfinite(weights).all():
            raise BadMotion(f"Weights are finite numbers of shape N x {len(CHANNELS)}, not {weights.shape}")
        batch = self.batch if self.device.type == "cpu" else batch or self.batch
        parts = [weights[start : start + batch, self._columns] for start in range(0, len(weights), batch)]

        def decode(part: Weights) -> Decoded:
            return self._decode(source, _filled(part, batch))

        for part, decoded in zip(parts, self._spread(decode, parts), strict=True):
            for n in range(len(part)):
                yield Frame(decoded.image[n], decoded.flows[-1][n], decoded.mask[n])

    def _spread(self, work: Callable[[A], B], items: Sequence[A]) -> Iterator[B]:
        """`work(item)` of each item in order; on a CPU each on one core, beside each other."""
        return self._lanes.each(work, items) if self.device.type == "cpu" else map(work, items)

    # inference_mode holds inside these only: a generator that kept it on would hand it to its caller

    @torch.inference_mode()
    def _pictures(self, pictures: Pictures) -> Tensor:
        fitting = {(side, side, 3) for side in (self.size, self.read_size)}
        if pictures.dtype != np.uint8 or pictures.shape[1:] not in fitting:
            side = self.read_size
            raise ValueError(f"pictures are uint8 N x {side} x {side} x 3, not {pictures.shape}")
        levels = torch.tensor(pictures, device=self.device).permute(0, 3, 1, 2)
        return ((levels.float() / 255 - 0.5) * 2).contiguous(memory_format=self._layout)

    @torch.inference_mode()
    def _encode(self, picture: Tensor) -> tuple[Tensor, list[SourceLevel]]:
        latent, features = self._encoder(picture)
        return latent, self._decoder.prepare(features)

    @torch.inference_mode()
    def _latent(self, pictures: Tensor) -> Tensor:
        latent: Tensor = self._encoder(pictures)[0]
        return latent

    @torch.inference_mode()
    def _navigate(self, latent: Tensor) -> Tensor:
        weights: Tensor = self._navigator(latent)
        return weights

    @torch.inference_mode()
    def _decode(self, source: Source, weights: Weights) -> Decoded:
        banked = torch.from_numpy(weights).to(self.device)
        expression = self._bank.expression(banked) if self.config.enhance else None
        latent = source.latent + self._bank(banked)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._autocast):
            decoded: Decoded = self._decoder.decode(latent, source.levels, expression, source.portrait)
        return decoded

    def _to_channels(self, weights: Tensor) -> Weights:
        """[N,K] -> float32 [N,36]; banks the model lacks are zero."""
        channels = np.zeros((len(weights), len(CHANNELS)), np.float32)
        channels[:, self._columns] = weights.cpu().numpy()
        return channels


def _ready(model: EDTalk) -> tuple[EDTalk, nn.Module]:
    """A copy that nothing more has to be worked out of, and its navigator as one matrix, on the CPU."""
    model = copy.deepcopy(model).cpu().float().eval().requires_grad_(False)
    model.bank.freeze()  # on the CPU, whose QR has the signs every checkpoint expects
    bake(model)
    return model, model.navigator.folded()


def _filled(rows: NDArray[T], count: int) -> NDArray[T]:
    """Repeat the last row until there are `count`."""
    return np.concatenate([rows, np.repeat(rows[-1:], count - len(rows), axis=0)])
