# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the expression library: a .blend of pose assets on the emotions and handles of a face rig, each with
a preview picture that the model drew of the demo portrait.

    .venv/bin/python tools/make_expressions.py

An expression keys every emotion and every handle of the face, so that applying it replaces the expression
before it; the head and the eyes stay as they are unless the expression is about them. A glance keys head
and eyes alone. Values are emotions and handles, never raw weights: they mean the same with another
checkpoint. Handles that a face lacks are passed over when an expression is applied to it.

The library is kept in the repository; make it again when the checkpoint that ships has changed.
"""

from __future__ import annotations

import argparse
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the checkout need not be installed

from core.wire.channels import EMOTIONS, HANDLES  # noqa: E402

OUT = ROOT / "edtalk_blender" / "assets" / "expressions.blend"
PORTRAIT = ROOT / "demo" / "portrait.png"
SIDE = 128  # pixels of a preview
FRAME = (160, 16, 20)  # pixels the crop is drawn with, and where in it the preview is: the face, little else
LICENCE = "CC0-1.0"

TURNING = ("yaw", "pitch", "roll", "gaze_x", "gaze_y")
"""Handles of the head and the eyes; all others are of the face."""

CATALOGS = {
    name: uuid.uuid5(uuid.NAMESPACE_DNS, f"edtalk-{name}".lower())
    for name in ("", "Emotions", "Face", "Looks")
}
"""Catalog -> its lasting number; "" is the one around them, without which Blender calls them unsaved."""


@dataclass(frozen=True)
class Expression:
    """One pose asset: what it sets besides what it zeroes."""

    name: str
    catalog: str
    description: str
    tags: str = ""
    emotions: dict[str, float] = field(default_factory=dict)
    handles: dict[str, float] = field(default_factory=dict)


def _emotion(name: str, description: str) -> Expression:
    return Expression(name.title(), "Emotions", description, f"emotion {name}", {name: 1.0})


def _face(name: str, description: str, tags: str, **values: float) -> Expression:
    emotions = {key: value for key, value in values.items() if key in EMOTIONS}
    handles = {key: value for key, value in values.items() if key not in EMOTIONS}
    return Expression(name, "Face", description, tags, emotions, handles)


def _look(name: str, description: str, **values: float) -> Expression:
    return Expression(name, "Looks", description, "look eyes head", {}, values)


EXPRESSIONS: tuple[Expression, ...] = (
    _emotion("angry", "Brows down, lids tense, mouth corners down"),
    _emotion("contempt", "One mouth corner and the other brow raised"),
    _emotion("disgusted", "Wrinkled nose, raised upper lip, narrowed eyes"),
    _emotion("fear", "Inner brows raised, eyes wide, mouth corners stretched back"),
    _emotion("happy", "A smile that reaches the eyes"),
    _emotion("neutral", "No expression, whatever the take brought"),
    _emotion("sad", "Inner brows raised, lids heavy, mouth corners down"),
    _emotion("surprised", "Brows high, eyes wide"),
    _face("Smile", "A friendly smile", "smile friendly", smile=0.7),
    _face(
        "Big Smile", "A broad smile with the mouth open", "smile laugh", smile=1.0, happy=0.5, jaw_open=0.25
    ),
    _face("Smirk", "Half a smile, not meant quite seriously", "smile ironic", contempt=0.9, smile=0.2),
    _face("Frown", "Mouth corners and brows down", "frown displeased", frown=0.9, brow_down=0.6),
    _face(
        "Puzzled",
        "Brows together, lips pressed a little",
        "question doubt",
        brow_down=0.7,
        press=0.4,
        fear=0.3,
    ),
    _face("Sceptical", "One brow up, mouth flat", "doubt", contempt=0.6, press=0.5, brow_down=0.3),
    _face("Worried", "Brows up, mouth corners down", "fear sad", fear=0.5, sad=0.4, brow_up=0.3),
    _face("Brows Up", "Attentive, or a silent question", "question listen", brow_up=1.0),
    _face("Half Blink", "Lids half closed, sleepy or knowing", "eyes sleepy", blink=0.5),
    _face("Eyes Closed", "Lids closed", "eyes blink sleep", blink=1.0),
    _face("Kiss", "Lips rounded and pressed", "pucker", pucker=1.0, press=0.3),
    _face("Ah", "Mouth wide open, as in 'father'", "vowel", jaw_open=0.7),
    _face("Oh", "Mouth round and open, as in 'go'", "vowel", jaw_open=0.4, pucker=0.6),
    _face("Ee", "Mouth wide and nearly closed, as in 'see'", "vowel", wide=1.0, jaw_open=0.12),
    _face("Jaw Drop", "Speechless", "surprise", jaw_open=1.0, brow_up=0.8, surprised=0.5),
    _face("Lips Pressed", "Says nothing", "silent m", press=1.0),
    _look("Look Left", "Eyes and head to picture left", yaw=-10.0, gaze_x=-12.0),
    _look("Look Right", "Eyes and head to picture right", yaw=10.0, gaze_x=12.0),
    _look("Look Up", "Eyes and head up", pitch=8.0, gaze_y=12.0),
    _look("Look Down", "Eyes and head down", pitch=-8.0, gaze_y=-12.0),
    _look("Think", "Away and up, the head tilted", yaw=6.0, pitch=4.0, roll=4.0, gaze_x=12.0, gaze_y=10.0),
    _look("Look Ahead", "Eyes and head straight", yaw=0.0, pitch=0.0, roll=0.0, gaze_x=0.0, gaze_y=0.0),
)


def keyed(expression: Expression) -> dict[tuple[str, str], float]:
    """Bone and property -> value of all that an expression keys."""
    if expression.catalog == "Looks":
        values = {("handle", name): value for name, value in expression.handles.items()}
    else:
        values = {("emotion", name): expression.emotions.get(name, 0.0) for name in EMOTIONS}
        values |= {("handle", name): 0.0 for name in HANDLES if name not in TURNING}
        values |= {("handle", name): value for name, value in expression.handles.items()}
    return values


def draw(checkpoint: Path, portrait: Path) -> dict[str, Any]:
    """Expression -> picture uint8 [SIDE, SIDE, 3] of the portrait."""
    import numpy as np

    from core.engine.engine import Engine
    from core.engine.pipeline import decode, prepare_portrait
    from core.motion.motion import Motion
    from core.pictures import image
    from core.wire.mixing import mix

    engine = Engine.from_checkpoint(checkpoint, "cpu")
    ready = prepare_portrait(engine, image.load(portrait))
    rows = []
    for expression in EXPRESSIONS:
        values = keyed(expression)
        rows.append(
            mix(
                ready.weights.tolist(),
                {name: value for (bone, name), value in values.items() if bone == "emotion"},
                {name: value for (bone, name), value in values.items() if bone == "handle"},
                engine.emotions,
                engine.handles,
            )
        )
    motion = Motion(np.array(rows, np.float32), 25.0, engine.checkpoint_id)
    size, x, y = FRAME
    cut = slice(y, y + SIDE), slice(x, x + SIDE)
    frames = decode(engine, ready, motion, size=size)
    names = [expression.name for expression in EXPRESSIONS]
    return {names[number]: picture.rgb[cut] for number, picture in frames}


def write(out: Path, previews: dict[str, Any]) -> None:
    """The .blend and its catalogs, with one pose asset an expression."""
    import bpy

    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.preferences.filepaths.save_version = 0
    for expression in EXPRESSIONS:
        _asset(bpy, expression, previews[expression.name])
    out.parent.mkdir(parents=True, exist_ok=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(out), compress=True, check_existing=False)
    lines = [
        "# Catalogs of the expression library. The number is what files refer to, the rest may be renamed."
    ]
    lines += ["VERSION 1", ""]
    for name, number in CATALOGS.items():
        lines.append(f"{number}:EDTalk/{name}:EDTalk-{name}" if name else f"{number}:EDTalk:EDTalk")
    (out.parent / "blender_assets.cats.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _asset(bpy: Any, expression: Expression, picture: Any) -> None:
    """A pose asset: an action with one key a slider, its metadata and its picture."""
    import numpy as np

    action = bpy.data.actions.new(expression.name)
    action.use_fake_user = True
    curves = action
    if hasattr(action, "slots"):  # from 4.4 on; older versions read it as an ordinary action
        slot = action.slots.new(id_type="OBJECT", name="Face")
        strip = action.layers.new("Layer").strips.new(type="KEYFRAME")
        curves = strip.channelbag(slot, ensure=True)
    for (bone, name), value in keyed(expression).items():
        curve = curves.fcurves.new(f'pose.bones["{bone}"]["{name}"]', index=0)
        curve.group = curves.groups.get(bone) or curves.groups.new(bone)
        curve.keyframe_points.insert(1.0, value)
    action.asset_mark()
    about = action.asset_data
    about.catalog_id = str(CATALOGS[expression.catalog])
    about.description = expression.description
    about.author, about.license = "EDTalk for Blender contributors", LICENCE
    for tag in ("edtalk", *expression.tags.split()):
        about.tags.new(tag, skip_if_exists=True)
    pixels = np.ones((SIDE, SIDE, 4), np.float32)
    pixels[..., :3] = (picture[::-1] & 0xFC) / np.float32(255)  # noise nobody sees would fill half the file
    preview = action.preview_ensure()
    preview.image_size = (SIDE, SIDE)
    preview.image_pixels_float.foreach_set(pixels.ravel())


def main(arguments: list[str] | None = None) -> int:
    """Draw, write, say how large it is."""
    from core.checkpoints.checkpoint import default_checkpoint

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, default=default_checkpoint(), help="model file")
    parser.add_argument("--portrait", type=Path, default=PORTRAIT, help="whose face the pictures show")
    parser.add_argument("--out", type=Path, default=OUT, help="the .blend to write")
    options = parser.parse_args(arguments)
    write(options.out.resolve(), draw(options.checkpoint, options.portrait))
    print(f"{options.out}  {options.out.stat().st_size / 1e3:.0f} kB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
