# SPDX-License-Identifier: GPL-3.0-or-later
"""Stage 0: encoder and navigators read the weights off rendered heads, before anything is drawn.

A renderer knows the weights of every picture, and reading needs no generator, which is most of the cost of
a pair: many more pictures go by in the same time. Stage 1 starts from here (``--grow-from``).

    edtalk train reading --data DATA --heldout HELD --out READ --size 128 --steps 8000
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from core.models.edtalk import EDTalk, load_overlapping

from ..evaluation.distances import weight_regression
from ..evaluation.reconstruction import BLOCKS, r2
from ..heads.shards import HeadShards
from ..shared.ahead import Ahead
from ..shared.loop import LoopSettings, from_command_line, rng_of, take_place, train
from .encoder_generator import config_of
from .stage import write_config


@dataclass(frozen=True)
class Settings:
    """Encoder and navigators on rendered heads."""

    data: Path
    heldout: Path
    out: Path
    size: int = 128
    finer: int = 1  # how many times finer pictures are read than they will be drawn: 1, 2 ..
    latent: int = 160
    width: float = 1.0  # feature channels, as a share of ours
    batch: int = 32  # pictures a step, in each process
    threads: int = 0
    ahead: int = 0  # steps whose pictures are made ready in advance, by as many threads: for a GPU
    grow_from: str = ""  # another run's state.pt, to start from
    loop: LoopSettings = field(default_factory=LoopSettings)


@torch.inference_mode()
def read(model: EDTalk, pictures: Tensor, chunk: int = 32) -> Tensor:
    """Pictures [B,3,S,S] in [-1,1] -> the weights the model reads off them, [B,36]."""
    parts = torch.split(pictures, chunk)
    return torch.cat([model.navigator(model.encoder(part)[0]) for part in parts]).float()


def main(s: Settings) -> None:
    """Train to ``s.loop.steps`` (resuming), leaving ``state.pt`` and ``log.jsonl`` in ``s.out``."""
    place = take_place(s.threads)
    torch.manual_seed(s.loop.seed)
    model = EDTalk(config_of(s))
    if place.leads:
        write_config(s.out, model.config)
    if s.grow_from:
        load_overlapping(model, torch.load(s.grow_from, map_location="cpu", weights_only=True)["ema"])
    model.decoder.requires_grad_(False)
    model.bank.requires_grad_(False)
    model = model.to(place.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    shards = HeadShards(s.data, model.config.read_size)
    spread = shards.spread().to(place.device)
    held = HeadShards(s.heldout, model.config.read_size).fixed(512).to(place.device)

    def drawn_for(step: int) -> tuple[Tensor, Tensor]:
        if step % 50 == 0:
            shards.refresh()
        return shards.draw_single(rng_of(s.loop.seed, step, place), s.batch)

    ahead = Ahead(drawn_for, s.ahead)

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        pictures, weights = ahead(step)
        pictures, weights = pictures.to(place.device), weights.to(place.device)
        loss = weight_regression(model.navigator(model.encoder(pictures)[0]).float(), weights, spread)
        return loss, {"codes": float(loss.detach())}

    def look(step: int, average: nn.Module) -> dict[str, float]:
        assert isinstance(average, EDTalk)
        found = read(average, held.driving)
        return {f"r2_{name}": r2(found[:, part], held.weights[:, part]) for name, part in BLOCKS.items()}

    train(model, loss_of, s.loop, s.out, place, look if place.leads else None)
    ahead.close()


if __name__ == "__main__":
    main(from_command_line(Settings))
