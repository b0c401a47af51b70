# SPDX-License-Identifier: GPL-3.0-or-later
"""What a network is made of, and which of two arithmetics it computes.

`EDTalkConfig` travels inside every checkpoint, so a weights file describes itself.  The two
arithmetics differ in a handful of places; `Arithmetic` lists them as data, and every module reads
its part from there instead of asking which name it was given.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

WIDEST = 4096
"""No size or width is larger: eight times what was published."""

PUBLISHED_CHANNELS = {4: 512, 8: 512, 16: 512, 32: 512, 64: 256, 128: 128, 256: 64, 512: 32, 1024: 16}
"""Resolution -> feature channels of the published networks (those of StyleGAN2 and LIA)."""


@dataclass(frozen=True)
class Arithmetic:
    """The places where the published networks and our own compute differently."""

    fir_resampling: bool  # 1-3-3-1 kernel with zeros beyond the border, or average pool and edge bilinear
    pixel_centres: bool  # a zero offset samples the pixel itself (published: stretched by W / (W - 1))
    padding: str  # what grid_sample finds outside the picture
    flow_scale: float  # multiplies each flow head's output
    mask_bias: tuple[float, ...]  # first bias of the flow head's mask channels at the coarsest level
    portrait: bool  # the portrait's own pixels are one more source level
    chained_enhance: bool  # both convolutions of the expression module count (published: the second only)
    bank_gain: float  # length of a unit weight's displacement
    perceptron: bool  # navigators have activations (published: one long affine map)


ARITHMETICS = {
    "published": Arithmetic(
        fir_resampling=True,
        pixel_centres=False,
        padding="zeros",
        flow_scale=1.0,
        mask_bias=(0.0,),
        portrait=False,
        chained_enhance=False,
        bank_gain=1.0,
        perceptron=False,
    ),
    "clean": Arithmetic(
        fir_resampling=False,
        pixel_centres=True,
        padding="border",
        flow_scale=0.3,
        mask_bias=(1.0, 2.0),
        portrait=True,
        chained_enhance=True,
        bank_gain=2.0,
        perceptron=True,
    ),
}


@dataclass(frozen=True)
class EDTalkConfig:
    """Shape of one network.

    Args:
        size: side of the square picture in pixels, a power of two from 16.
        latent: width of the latent and of every style.
        mouth, pose, expression: number of bases in each bank; 0 leaves a bank out.
        channels: resolution (4, 8, .. size) -> feature channels; None takes the published table.
        arithmetic: "published" reproduces the published checkpoints, "clean" is what we train.
        enhance: resolutions with an expression module; None means all, or none without that bank.
        reading: side of the pictures the encoder looks at, a power of two from `size`; 0 means `size`.
            Lips and irises are a few pixels at 128, so a small model reads more finely than it draws.

    Raises:
        ValueError: for a combination that cannot be built, naming the field.
    """

    size: int = 256
    latent: int = 512
    mouth: int = 20
    pose: int = 6
    expression: int = 10
    channels: dict[int, int] | None = None
    arithmetic: str = "published"
    enhance: tuple[int, ...] | None = None
    reading: int = 0

    def __post_init__(self) -> None:
        sizes = (self.size, self.latent, self.mouth, self.pose, self.expression, self.reading)
        widths = tuple((self.channels or {}).values())
        if not all(type(n) is int and 0 <= n <= WIDEST for n in (*sizes, *widths)):
            raise ValueError(f"sizes and widths are whole numbers up to {WIDEST}")
        if self.size < 16 or self.size & (self.size - 1):
            raise ValueError(f"size must be a power of two from 16, not {self.size}")
        if self.reading and (self.reading < self.size or self.reading & (self.reading - 1)):
            raise ValueError(f"reading must be 0 or a power of two from {self.size}, not {self.reading}")
        if self.arithmetic not in ARITHMETICS:
            raise ValueError(f"arithmetic must be one of {sorted(ARITHMETICS)}, not {self.arithmetic!r}")
        if self.latent < self.banked or min(self.mouth, self.pose, self.expression) < 0:
            raise ValueError(f"{self.banked} orthogonal bases do not fit into a latent of {self.latent}")
        table = {int(r): int(c) for r, c in (self.channels or PUBLISHED_CHANNELS).items()}
        wanted = (4, *self.read_levels)
        if any(table.get(r, 0) < 1 for r in wanted):
            raise ValueError(f"channels must name each of the resolutions {wanted}")
        enhance = self.enhance
        if enhance is None:
            enhance = self.levels if self.expression else ()
        enhance = tuple(sorted(int(r) for r in enhance))
        if not set(enhance) <= set(self.levels):
            raise ValueError(f"enhance must be resolutions out of {self.levels}, not {enhance}")
        if enhance and not self.expression:
            raise ValueError("an expression module needs an expression bank")
        object.__setattr__(self, "channels", {r: table[r] for r in wanted})
        object.__setattr__(self, "enhance", enhance)

    @property
    def levels(self) -> tuple[int, ...]:
        """Resolutions with source features, flow and mask: 8, 16, .. size."""
        return _doubled_to(self.size)

    @property
    def read_size(self) -> int:
        """Side of the pictures that the encoder looks at."""
        return self.reading or self.size

    @property
    def read_levels(self) -> tuple[int, ...]:
        """Resolutions the encoder passes through: 8, 16, .. read_size."""
        return _doubled_to(self.read_size)

    @property
    def banked(self) -> int:
        """Number of bases, which is the number of weights: 36, or 26 without expression."""
        return self.mouth + self.pose + self.expression

    @property
    def rules(self) -> Arithmetic:
        return ARITHMETICS[self.arithmetic]

    def width(self, resolution: int) -> int:
        """Feature channels at a resolution."""
        assert self.channels is not None
        return self.channels[resolution]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; `from_dict` is its inverse."""
        values = asdict(self)
        values["channels"] = {str(r): c for r, c in (self.channels or {}).items()}
        values["enhance"] = list(self.enhance or ())
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> EDTalkConfig:
        """Raises ValueError for unknown fields and for values that cannot be built."""
        unknown = set(values) - set(cls.__dataclass_fields__)
        if unknown:
            raise ValueError(f"unknown fields in the network's description: {sorted(unknown)}")
        values = dict(values)
        if values.get("channels") is not None:
            values["channels"] = {int(r): int(c) for r, c in values["channels"].items()}
        if values.get("enhance") is not None:
            values["enhance"] = tuple(values["enhance"])
        return cls(**values)

    @classmethod
    def published(cls, expression: bool = True) -> EDTalkConfig:
        """The published full generator, or (expression=False) the mouth and pose generator."""
        return cls() if expression else cls(expression=0)


def _doubled_to(side: int) -> tuple[int, ...]:
    return tuple(8 << n for n in range(side.bit_length() - 3))
