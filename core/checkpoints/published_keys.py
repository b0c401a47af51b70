# SPDX-License-Identifier: GPL-3.0-or-later
"""Every key of the published checkpoints and our name for it, as data; `core.checkpoints.published` reads it.

Names that begin with `dec.fineadainresblock`, `exp_fc` and `direction_exp` are in the full generator only.
"""

from __future__ import annotations

SAME, MAP, STYLED, PLAIN = "same", "map", "styled", "plain"
"""How a published file stores an entry: as ours; as (1,C,1,1); with a leading 1; without equalised scale."""

_BLOCK, _LEVEL = "enc.net_app.convs.{block}.", "decoder.levels.{side}."

TABLE: tuple[tuple[str, str, str], ...] = (
    # published key, ours, form.  {block} counts 1.., {level} 0.., {even} {odd} two a level; {side}
    # is the resolution of that block or level, {size} that of the picture, {last} the encoder's end
    ("enc.net_app.convs.0.0.weight", "encoder.stem.{size}.weight", SAME),
    ("enc.net_app.convs.0.1.bias", "encoder.stem.{size}.bias", MAP),
    (_BLOCK + "conv1.0.weight", "encoder.blocks.{side}.conv1.weight", SAME),
    (_BLOCK + "conv1.1.bias", "encoder.blocks.{side}.conv1.bias", MAP),
    (_BLOCK + "conv2.1.weight", "encoder.blocks.{side}.conv2.weight", SAME),
    (_BLOCK + "conv2.2.bias", "encoder.blocks.{side}.conv2.bias", MAP),
    (_BLOCK + "skip.1.weight", "encoder.blocks.{side}.skip.weight", SAME),
    ("enc.net_app.convs.{last}.weight", "encoder.head.weight", SAME),
    ("fc.{four}.weight", "navigator.shared.{four}.weight", SAME),
    ("fc.{four}.bias", "navigator.shared.{four}.bias", SAME),
    ("lip_fc.{three}.weight", "navigator.heads.mouth.{three}.weight", SAME),
    ("lip_fc.{three}.bias", "navigator.heads.mouth.{three}.bias", SAME),
    ("pose_fc.{three}.weight", "navigator.heads.pose.{three}.weight", SAME),
    ("pose_fc.{three}.bias", "navigator.heads.pose.{three}.bias", SAME),
    ("exp_fc.{three}.weight", "navigator.heads.expression.{three}.weight", SAME),
    ("exp_fc.{three}.bias", "navigator.heads.expression.{three}.bias", SAME),
    ("dec.input.input", "decoder.start", SAME),
    ("dec.conv1.conv.weight", "decoder.conv.weight", STYLED),
    ("dec.conv1.conv.modulation.weight", "decoder.conv.modulation.weight", SAME),
    ("dec.conv1.conv.modulation.bias", "decoder.conv.modulation.bias", SAME),
    ("dec.conv1.activate.bias", "decoder.conv.bias", MAP),
    ("dec.convs.{even}.conv.weight", _LEVEL + "conv0.weight", STYLED),
    ("dec.convs.{even}.conv.modulation.weight", _LEVEL + "conv0.modulation.weight", SAME),
    ("dec.convs.{even}.conv.modulation.bias", _LEVEL + "conv0.modulation.bias", SAME),
    ("dec.convs.{even}.activate.bias", _LEVEL + "conv0.bias", MAP),
    ("dec.convs.{odd}.conv.weight", _LEVEL + "conv1.weight", STYLED),
    ("dec.convs.{odd}.conv.modulation.weight", _LEVEL + "conv1.modulation.weight", SAME),
    ("dec.convs.{odd}.conv.modulation.bias", _LEVEL + "conv1.modulation.bias", SAME),
    ("dec.convs.{odd}.activate.bias", _LEVEL + "conv1.bias", MAP),
    ("dec.to_flows.{level}.conv.weight", _LEVEL + "flow.weight", STYLED),
    ("dec.to_flows.{level}.conv.modulation.weight", _LEVEL + "flow.modulation.weight", SAME),
    ("dec.to_flows.{level}.conv.modulation.bias", _LEVEL + "flow.modulation.bias", SAME),
    ("dec.to_flows.{level}.bias", _LEVEL + "flow.bias", MAP),
    ("dec.to_rgbs.{level}.conv.0.weight", _LEVEL + "colour.conv.weight", SAME),
    ("dec.to_rgbs.{level}.conv.1.bias", _LEVEL + "colour.conv.bias", MAP),
    ("dec.to_rgbs.{level}.bias", _LEVEL + "colour.offset", MAP),
    ("dec.fineadainresblock.{level}.conv2.weight", _LEVEL + "enhance.conv2.weight", PLAIN),
    ("dec.fineadainresblock.{level}.conv2.bias", _LEVEL + "enhance.conv2.bias", SAME),
    ("dec.fineadainresblock.{level}.norm2.mlp_shared.0.weight", _LEVEL + "enhance.shared.weight", PLAIN),
    ("dec.fineadainresblock.{level}.norm2.mlp_shared.0.bias", _LEVEL + "enhance.shared.bias", SAME),
    ("dec.fineadainresblock.{level}.norm2.mlp_gamma.weight", _LEVEL + "enhance.gamma.weight", PLAIN),
    ("dec.fineadainresblock.{level}.norm2.mlp_gamma.bias", _LEVEL + "enhance.gamma.bias", SAME),
    ("dec.fineadainresblock.{level}.norm2.mlp_beta.weight", _LEVEL + "enhance.beta.weight", PLAIN),
    ("dec.fineadainresblock.{level}.norm2.mlp_beta.bias", _LEVEL + "enhance.beta.bias", SAME),
)

BANKS = ("direction_lipnonlip.weight", "direction_exp.weight")
"""Side by side they are `bank.directions`."""

UNUSED = (
    "*.kernel",  # the 1-3-3-1 filter, always the same
    "*.noise.weight",  # inference adds no noise
    "dec.to_rgb1.*",  # a colour head at 4x4 that is never called
    "dec.fineadainresblock.*.conv1.*",  # computed and thrown away by the published module
    "dec.fineadainresblock.*.norm1.*",
)
"""Published entries that take no part in inference."""

# fmt: off
EMOTIONS: dict[str, tuple[float, ...]] = {
    "angry": (
        -1.231093,
        3.790898,
        -1.5007566,
        0.12266004,
        -4.0071397,
        3.6911278,
        0.6375027,
        -0.069370374,
        -0.42845392,
        -1.2294186,
    ),
    "contempt": (
        -0.31306413,
        -2.6425629,
        1.5148758,
        -4.830014,
        -4.3765354,
        1.0125853,
        -0.26349398,
        -3.1123037,
        -1.9634506,
        0.07121807,
    ),
    "disgusted": (
        -0.45040956,
        1.3312432,
        -0.0069811493,
        -1.6342964,
        -4.18621,
        -0.26553175,
        -1.0893083,
        0.3674258,
        2.664987,
        -1.5405502,
    ),
    "fear": (
        -2.497614,
        -2.725194,
        -2.1140223,
        -3.3182278,
        -5.0823083,
        1.3214046,
        2.8957922,
        -1.2960465,
        1.8680826,
        1.1540186,
    ),
    "happy": (
        2.2530172,
        -2.5689573,
        -1.701692,
        -3.2732692,
        0.8802839,
        5.286979,
        1.0596236,
        -1.4815726,
        1.3691145,
        -1.786611,
    ),
    "neutral": (
        -3.140834,
        0.96744156,
        2.443294,
        -0.5256712,
        -4.175477,
        2.7529573,
        2.268271,
        0.072166175,
        0.92151314,
        -2.126293,
    ),
    "sad": (
        -4.1286287,
        1.1723646,
        -0.07375643,
        -3.7019422,
        -4.37076,
        1.1113555,
        -1.7180948,
        1.5923468,
        -0.0017645061,
        -2.3149312,
    ),
    "surprised": (
        -2.2686994,
        -4.275261,
        -0.1265704,
        -2.8910832,
        -2.7508702,
        1.5720246,
        4.2018323,
        -1.1848172,
        2.2110019,
        0.4526676,
    ),
}
"""The eight predefined expression weights of the full generator (data of the EDTalk project, Apache-2.0)."""
# fmt: on
