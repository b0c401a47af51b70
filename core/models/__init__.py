# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks, one idea a file.

Files:
    config      what a network is made of, and its two arithmetics as data
    layers      equalised layers, resampling
    modulated   convolutions styled by a latent
    encoder     picture -> latent, source features
    navigator   latent -> weights
    bank        weights -> displacement of the latent
    decoder     latent, source features -> picture, flow, mask
    edtalk      the whole
"""

from .config import EDTalkConfig
from .decoder import Decoded
from .edtalk import EDTalk, load_overlapping

__all__ = ["Decoded", "EDTalk", "EDTalkConfig", "load_overlapping"]
