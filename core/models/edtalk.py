# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole network: encoder, navigator, bank and decoder under one roof (Tan et al. 2024, figure 2).

    model = EDTalk(EDTalkConfig(size=128, latent=192, channels={...}, arithmetic="clean"))
    latent, features = model.encoder(portrait)             # portrait [B,3,S,S] in [-1,1]
    weights = model.navigator(model.encoder(driving)[0])   # [B,36]: mouth, pose, expression
    decoded = model.decode(latent, features, weights, portrait)
    decoded.image, decoded.flows, decoded.mask

Shapes: B batch, D latent, K bases, S side of the picture, R of the pictures that are read (mostly S).
"""

from __future__ import annotations

from torch import Tensor, nn

from .bank import Bank
from .config import EDTalkConfig
from .decoder import Decoded, Decoder
from .encoder import Encoder
from .layers import resampled
from .navigator import Navigator


class EDTalk(nn.Module):
    """Source picture [B,3,S,S] in [-1,1] and weights [B,K] -> `Decoded`."""

    def __init__(self, config: EDTalkConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.navigator = Navigator(config)
        self.bank = Bank(config)
        self.decoder = Decoder(config)

    def forward(self, source: Tensor, weights: Tensor) -> Decoded:
        latent, features = self.encoder(source)
        return self.decode(latent, features, weights, source)

    def decode(
        self, latent: Tensor, features: list[Tensor], weights: Tensor, portrait: Tensor | None = None
    ) -> Decoded:
        """Displace the source's latent [B,D] by the weights [B,K] (absolute, spec 1.4) and decode.

        ``portrait`` is what the encoder was given, [B,3,R,R] or [B,3,S,S].
        """
        if portrait is not None:
            portrait = resampled(portrait, self.config.size)
        bases = self.bank.bases
        expression = self.bank.expression(weights, bases) if self.config.enhance else None
        decoded: Decoded = self.decoder(latent + self.bank(weights, bases), features, expression, portrait)
        return decoded


def load_overlapping(model: nn.Module, state: dict[str, Tensor]) -> list[str]:
    """Take over every parameter whose name and shape fit; returns the names that stayed fresh.

    Parameters are named by resolution, so this is how a 64 pixel model starts a 128 pixel one.
    """
    own = model.state_dict()
    fitting = {k: v for k, v in state.items() if k in own and own[k].shape == v.shape}
    model.load_state_dict(fitting, strict=False)
    return [k for k in own if k not in fitting]
