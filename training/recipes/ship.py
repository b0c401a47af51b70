# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a finished run and its hearing into the one file that is shipped.

python -m training.recipes.ship --run RUN128 --audio audio_to_mouth.safetensors --heldout HELDOUT
    --pose audio_to_pose.safetensors --expression speech_to_expression.safetensors
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open

from core.checkpoints.checkpoint import Meta, default_checkpoint, load, save
from core.models.audio_to_mouth import AudioToMouth, AudioToMouthConfig, build
from core.models.audio_to_pose import AudioToPose, AudioToPoseConfig
from core.models.edtalk import EDTalk
from core.models.small import restore
from core.models.speech_to_expression import SpeechToExpression, SpeechToExpressionConfig
from core.wire.channels import BANK_SLICES, CHANNELS

from ..evaluation.reconstruction import r2, redraw
from ..factors import channels, emotions
from ..heads.shards import HeadShards
from ..shared.loop import from_command_line
from .encoder_generator import config_of_run
from .perceptual import without_judge


@dataclass(frozen=True)
class Settings:
    """Merge the averaged weights of a run with an audio-to-mouth network."""

    run: Path
    heldout: Path
    audio: str = ""  # audio_to_mouth.safetensors of its recipe
    least_r2: float = 0.42
    pose: str = ""  # audio_to_pose.safetensors of its recipe, if the head is to move to speech
    expression: str = ""  # speech_to_expression.safetensors, if feelings are to be heard and read
    keep: str = ""  # a checkpoint whose sound networks are kept, where no others are named
    out: str = ""  # empty: where the product looks for it
    note: str = "Trained from scratch on rendered CC0 heads and synthetic voices."


def hearing_of(path: Path) -> AudioToMouth:
    """The network that the recipe `audio_to_mouth` exported."""
    with safe_open(path, framework="pt") as file:
        net = build(AudioToMouthConfig.from_dict(json.loads(file.metadata()["config"])))
        net.load_state_dict({key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118 - not a dict
    return net.eval()


def pose_of(path: Path) -> AudioToPose:
    """The network that the recipe `audio_to_pose` exported."""
    return restore(path, lambda values: AudioToPose(AudioToPoseConfig.from_dict(values)))


def feeling_of(path: Path) -> SpeechToExpression:
    """The network that the recipe `speech_to_expression` exported."""
    return restore(path, lambda values: SpeechToExpression(SpeechToExpressionConfig.from_dict(values)))


@torch.no_grad()
def quieten(model: EDTalk, heldout: HeadShards, least_r2: float, pairs: int = 700) -> list[str]:
    """Silence the navigators' outputs that held-out heads show to be guesses; returns their channels."""
    made = redraw(model, heldout, pairs)
    silenced = []
    for bank, part in BANK_SLICES.items():
        last = model.navigator.heads[bank][-1]  # type: ignore[index]
        for row, channel in enumerate(range(part.start, part.stop)):
            if r2(made.read[:, channel, None], made.batch.weights[:, channel, None]) < least_r2:
                last.weight[row] = 0
                last.bias[row] = 0
                silenced.append(CHANNELS[channel])
    return silenced


def main(s: Settings) -> Meta:
    """Write the checkpoint and return what it says about itself."""
    model = EDTalk(config_of_run(s.run))
    state = torch.load(s.run / "state.pt", map_location="cpu", weights_only=True)
    model.load_state_dict(without_judge(state["ema"]))
    silenced = quieten(model.eval(), HeadShards(s.heldout, model.config.read_size), s.least_r2)
    print(f"read as neutral: {', '.join(silenced)}")
    meta = Meta(
        name=f"heads-{model.config.size}",
        licence="CC0-1.0",
        channels=tuple(channels()),
        emotions={name: tuple(weights) for name, weights in emotions().items()},
        note=f"{s.note} Step {int(state['step'])}.",
    )
    out = Path(s.out) if s.out else default_checkpoint()
    out.parent.mkdir(parents=True, exist_ok=True)
    hearing, pose, feeling = _sounds(s)
    return save(out, model, meta, hearing, audio_to_pose=pose, speech_to_expression=feeling)


def _sounds(s: Settings) -> tuple[AudioToMouth | None, AudioToPose | None, SpeechToExpression | None]:
    kept = load(s.keep) if s.keep else None
    return (
        hearing_of(Path(s.audio)) if s.audio else kept.audio_to_mouth if kept else None,
        pose_of(Path(s.pose)) if s.pose else kept.audio_to_pose if kept else None,
        feeling_of(Path(s.expression)) if s.expression else kept.speech_to_expression if kept else None,
    )


if __name__ == "__main__":
    print(main(from_command_line(Settings)).id)
