# SPDX-License-Identifier: GPL-3.0-or-later
"""Speech-to-expression: how something is said and what it says -> which feelings a face shows, over time.

The semantically aware expression branch of the paper's Audio-to-Motion (Tan et al. 2024, section 3.3). There
one vector for a clip comes from HuBERT and EmoBERTa; here two small networks of our own follow a take along:
one hears prosody, some six seconds either way, one reads the words, each with its sentence. Either may be
missing, for in training one of them is masked at random. Models of the paper's kind can be joined in where a
user has them, see `core.models.pretrained`.

What comes out does not know of any checkpoint's weights: a share for each feeling, which the checkpoint's
emotion presets turn into expression.

Legend: B takes, T steps of 1/25 s, S slow steps of 1/5 s, P prosody features, W words, C cues and G letter
groups of a word (see `core.sound.lexicon`), E = 8 classes: neutral and the seven feelings.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from core.models import pretrained
from core.motion.motion import smoothed
from core.sound.lexicon import BUCKETS, CUES, FELT, cues, letters
from core.sound.prosody import FEATURES, prosody
from core.sound.transcript import Word, laid_out
from core.wire.errors import BadCheckpoint

STRIDE = 5
"""Steps to a slow step."""
MANNER = 75
"""Steps over which the manner of speaking is averaged: 3 s."""
CLASSES = 1 + len(FELT)
"""Neutral, then the feelings."""
ENDS = CUES.index("ends")
LONGEST = 24
"""Words after which a sentence counts as ended, whatever its author wrote."""
SETTLE = 9.0
"""Deviation in steps of the Gaussian that a face takes to change its mind."""


@dataclass(frozen=True)
class SpeechToExpressionConfig:
    """Sizes, and the larger models it was trained with. Travels inside the checkpoint."""

    width: int = 64
    letters: int = 16  # numbers a group of letters is remembered by
    dropout: float = 0.1
    reader: str = ""  # a BERT-like model that the user has, "" for none, and its width
    reader_size: int = 0
    listener: str = ""  # a HuBERT-like one
    listener_size: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> SpeechToExpressionConfig:
        """Inverse of `to_dict`. Raises BadCheckpoint for what is not such settings."""
        try:
            config = cls(**values)
        except TypeError as error:
            raise BadCheckpoint(
                f"The checkpoint's expression settings are not understood: {error}"
            ) from error
        sizes = (config.width, config.letters, config.reader_size + 1, config.listener_size + 1)
        texts = (config.reader, config.listener)
        if (
            not all(isinstance(v, int) and 1 <= v <= 8192 for v in sizes)
            or not all(isinstance(v, str) and len(v) <= 500 for v in texts)
            or not (isinstance(config.dropout, (int, float)) and 0 <= config.dropout < 1)
        ):
            raise BadCheckpoint("The checkpoint's expression settings are out of range")
        return config


@dataclass(frozen=True)
class Heard:
    """The speech of a batch of takes: prosody [B, T, P], and what a listener of the user's made of it,
    [B, T, H] or None."""

    prosody: Tensor
    extra: Tensor | None = None


@dataclass(frozen=True)
class Written:
    """The words of a batch of takes, the unused ones at the end all zero.

    Attributes:
        cues: [B, W, C]; letters: int64 [B, W, G]; place: int64 [B, S], the word said at each slow step or -1.
        extra: what a reader of the user's made of them, [B, W, R] or None.
    """

    cues: Tensor
    letters: Tensor
    place: Tensor
    extra: Tensor | None = None


class _Block(nn.Module):
    """Residual convolution over time; its reach grows with `dilation`."""

    def __init__(self, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.mix = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.out = nn.Conv1d(width, width, 1)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        # normalised over channels alone, or the length of a take would change what is made of its beginning
        calm = functional.layer_norm(x.transpose(1, 2), x.shape[1:2]).transpose(1, 2)
        y: Tensor = self.out(self.drop(functional.gelu(self.mix(calm))))
        return x + y


class SpeechToExpression(nn.Module):
    """See the module."""

    def __init__(self, config: SpeechToExpressionConfig = SpeechToExpressionConfig()) -> None:
        super().__init__()
        self.config = config
        width, drop = config.width, config.dropout
        self.hear = nn.Conv1d(3 * len(FEATURES) + config.listener_size, width, 5, padding=2)
        self.slow = nn.Conv1d(width, width, STRIDE, STRIDE)
        self.follow = nn.Sequential(*(_Block(width, d, drop) for d in (1, 2, 4, 8)))
        self.spell = nn.EmbeddingBag(BUCKETS, config.letters, mode="mean")
        self.word = nn.Linear(len(CUES) + config.letters + config.reader_size, width)
        self.read = nn.Sequential(*(_Block(width, d, drop) for d in (1, 1, 2)))
        self.sentence = nn.Linear(2 * width, width)
        self.fuse = nn.Linear(2 * width + 3, width)
        self.settle = nn.Sequential(_Block(width, 1, drop), _Block(width, 3, drop))
        self.feel = nn.Linear(width, CLASSES + 1)
        self.drop = nn.Dropout(drop)
        nn.init.normal_(self.spell.weight, std=0.3)

    def forward(
        self, heard: Heard | None, written: Written | None, masks: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """At least one of the two -> class logits [B, S, 8] and strength [B, S] within 0..1.

        Args:
            masks: which takes may be heard and which read, [B] of 0 or 1 each; all, unless given.
        """
        batch, count = self._extent(heard, written)
        dark = self.fuse.weight.new_zeros(batch, count, 1)
        ears = eyes = said = dark
        sound = text = dark.expand(-1, -1, self.config.width)
        if heard is not None:
            ears = dark + (1 if masks is None else masks[0][:, None, None])
            sound = self._listened(heard) * ears
        if written is not None and written.cues.shape[1]:
            eyes = dark + (1 if masks is None else masks[1][:, None, None])
            said = (written.place >= 0)[:, :, None] * eyes
            index = written.place.clamp(min=0)[:, :, None].expand(-1, -1, self.config.width)
            text = torch.gather(self._read(written), 1, index) * said
        joined = functional.gelu(self.fuse(torch.cat([sound, text, ears, eyes, said], dim=2)))
        felt = self.feel(self.settle(self.drop(joined).transpose(1, 2)).transpose(1, 2))
        return felt[..., :CLASSES], torch.sigmoid(felt[..., CLASSES])

    @staticmethod
    def _extent(heard: Heard | None, written: Written | None) -> tuple[int, int]:
        if heard is not None:
            return len(heard.prosody), -(-heard.prosody.shape[1] // STRIDE)
        if written is None:
            raise ValueError("there is neither sound nor text")
        return written.place.shape[0], written.place.shape[1]

    def _listened(self, heard: Heard) -> Tensor:
        x = heard.prosody
        weight = x[..., FEATURES.index("speech"), None] + 1e-3
        mean = _averaged(x * weight) / _averaged(weight)
        spread = (_averaged((x - mean).square() * weight) / _averaged(weight)).clamp(min=1e-6).sqrt()
        parts = [x, mean, spread] + ([heard.extra] if heard.extra is not None else [])
        x = torch.cat(parts, dim=2).transpose(1, 2)
        x = functional.pad(x, (0, -x.shape[2] % STRIDE))
        x = functional.gelu(self.slow(functional.gelu(self.hear(x))))
        followed: Tensor = self.follow(x)
        return followed.transpose(1, 2)

    def _read(self, written: Written) -> Tensor:
        batch, words = written.cues.shape[:2]
        spelt = self.spell(written.letters.flatten(0, 1)).unflatten(0, (batch, words))
        parts = [written.cues, spelt] + ([written.extra] if written.extra is not None else [])
        x = functional.gelu(self.word(self.drop(torch.cat(parts, dim=2))))
        x = self.read(x.transpose(1, 2)).transpose(1, 2)
        # what a word means depends on its sentence: the strongest of each channel in it
        ends = written.cues[..., ENDS].clone()
        ends[:, LONGEST - 1 :: LONGEST] = 1
        number = (ends.cumsum(1) - ends).long()[..., None].expand_as(x)
        strongest = torch.full_like(x, -1e4).scatter_reduce(1, number, x, "amax")
        whole = torch.gather(strongest, 1, number)
        understood: Tensor = functional.gelu(self.sentence(torch.cat([x, whole], dim=2)))
        return understood


def _averaged(x: Tensor) -> Tensor:
    """Moving average over MANNER steps, [B, T, P] -> the same; the ends are averaged over what there is."""
    padded = functional.avg_pool1d(x.transpose(1, 2), MANNER, 1, MANNER // 2, count_include_pad=False)
    return padded.transpose(1, 2)


def written_of(words: list[Word], place: NDArray[np.int64], extra: Tensor | None = None) -> Written:
    """One take's words, and the word at each step [T], as the network reads them."""
    slow = place[STRIDE // 2 :: STRIDE]
    count = -(-len(place) // STRIDE)
    slow = np.pad(slow, (0, count - len(slow)), mode="edge") if len(slow) else np.full(count, -1)
    told = np.stack([cues(word.text, word.after) for word in words])
    told[-1, ENDS] = 1.0
    return Written(
        torch.from_numpy(told)[None],
        torch.tensor([letters(word.text) for word in words])[None],
        torch.from_numpy(slow)[None],
        None if extra is None else extra[None],
    )


@torch.inference_mode()
def feeling_track(
    net: SpeechToExpression,
    samples: NDArray[Any] | None,
    words: list[Word],
    steps: int,
    sharpness: float = 1.5,
) -> NDArray[np.float32]:
    """How much of each feeling a take shows, float32 [steps, 7] in the order of `core.sound.lexicon.FELT`.

    Args:
        samples: float32 [N] mono at 16 kHz, or None.
        words: the transcript, or none.
        sharpness: above 1, the likeliest feeling takes more of the face than its share.

    Each value lies within 0..1, and all of a step add up to at most 1. Raises CheckpointError when the
    network wants a model of the user's that is not there.
    """
    listened = None if samples is None else prosody(samples, steps)
    if (listened is None and not words) or not steps:
        return np.zeros((steps, len(FELT)), np.float32)
    heard = written = None
    if listened is not None and samples is not None:
        extra = None
        if net.config.listener:
            extra = pretrained.Listener(net.config.listener)(samples, steps)[None]
        heard = Heard(torch.from_numpy(listened)[None], extra)
    if words:
        read = pretrained.Reader(net.config.reader)(words) if net.config.reader else None
        written = written_of(words, laid_out(words, listened, steps), read)
    logits, strength = net(heard, written)
    shares = torch.softmax(sharpness * logits[0], dim=1)[:, 1:] * strength[0, :, None]
    slow = shares.float().numpy()
    middles = np.arange(len(slow)) * STRIDE + STRIDE // 2
    track = np.stack([np.interp(np.arange(steps), middles, column) for column in slow.T], axis=1)
    return smoothed(track, SETTLE)
