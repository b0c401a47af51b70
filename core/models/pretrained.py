# SPDX-License-Identifier: GPL-3.0-or-later
"""Readers and listeners that a user may have: BERT-like and HuBERT-like models through `transformers`.

The paper hears feeling with HuBERT and reads it with EmoBERTa. Neither comes with EDTalk, and nothing is ever
downloaded: a model counts when its files are already on this computer, as a folder or in the cache that
`transformers` keeps. A checkpoint that was trained with one names it and needs it; the one that is shipped
needs none.

Files are read as safetensors only and code that comes with a model is not run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.sound.mel import RATE, SAMPLES_PER_STEP
from core.wire.errors import CheckpointError

if TYPE_CHECKING:
    from core.sound.transcript import Word

READ_AT_ONCE = 200
"""Words; readers of this kind take some 500 pieces of words."""
HEARD_AT_ONCE = 30 * RATE
"""Samples a listener is given together."""


class Reader:
    """Words -> what a BERT-like model makes of each, read with its neighbours.

    Args:
        name: a folder, or a name in the local cache of `transformers`.
    """

    def __init__(self, name: str) -> None:
        transformers = _library(name)
        try:
            self._pieces = transformers.AutoTokenizer.from_pretrained(
                name, local_files_only=True, use_fast=True
            )
            self._model = _model(transformers, name)
        except (OSError, ValueError) as error:
            raise _absent(name, error) from error
        self.size = int(self._model.config.hidden_size)

    @torch.inference_mode()
    def __call__(self, words: Sequence[Word]) -> Tensor:
        """[W] words -> float32 [W, size]; a word of several pieces is their mean."""
        read = [torch.zeros(0, self.size)]
        for first in range(0, len(words), READ_AT_ONCE):
            part = [word.text + word.after for word in words[first : first + READ_AT_ONCE]]
            told = self._pieces(part, is_split_into_words=True, return_tensors="pt", truncation=True)
            hidden = self._model(**told).last_hidden_state[0].float()
            owner = told.word_ids(0)
            rows = torch.zeros(len(part), self.size)
            for number in range(len(part)):
                mine = [i for i, word in enumerate(owner) if word == number]
                if mine:
                    rows[number] = hidden[mine].mean(0)
            read.append(rows)
        return torch.cat(read)


class Listener:
    """Sound -> what a HuBERT-like model hears in each step.

    Args:
        name: a folder, or a name in the local cache of `transformers`.
    """

    def __init__(self, name: str) -> None:
        transformers = _library(name)
        try:
            self._model = _model(transformers, name)
        except (OSError, ValueError) as error:
            raise _absent(name, error) from error
        self.size = int(self._model.config.hidden_size)

    @torch.inference_mode()
    def __call__(self, samples: NDArray[Any], steps: int) -> Tensor:
        """float32 [N] at 16 kHz -> float32 [steps, size], 25 a second."""
        heard = []
        for first in range(0, max(len(samples), 1), HEARD_AT_ONCE):
            part = np.asarray(samples[first : first + HEARD_AT_ONCE], np.float32)
            count = -(-len(part) // SAMPLES_PER_STEP)
            part = np.pad(
                part, (0, max(0, 2 * SAMPLES_PER_STEP - len(part)))
            )  # their first frame needs 25 ms
            told = torch.from_numpy((part - part.mean()) / (part.std() + 1e-5))[None]
            hidden = self._model(told).last_hidden_state.float().transpose(1, 2)  # 50 frames a second
            heard.append(torch.nn.functional.interpolate(hidden, max(count, 1), mode="linear")[0].T)
        whole = torch.cat(heard)[:steps]
        return torch.nn.functional.pad(whole, (0, 0, 0, steps - len(whole)))


def _library(name: str) -> Any:
    try:
        import transformers
    except ModuleNotFoundError as error:
        raise CheckpointError(
            f"The checkpoint wants the model {name}, for which the package transformers is needed",
            hint="Install transformers beside the server, or choose another checkpoint",
        ) from error
    return transformers


def _model(transformers: Any, name: str) -> Any:
    return transformers.AutoModel.from_pretrained(name, local_files_only=True, use_safetensors=True).eval()


def _absent(name: str, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"The model {name} is not on this computer, or cannot be read as safetensors: "
        f"{str(error).splitlines()[0] if str(error) else type(error).__name__}",
        hint="Put it there yourself (nothing is downloaded), or choose another checkpoint",
    )
