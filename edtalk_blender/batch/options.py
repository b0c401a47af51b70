# SPDX-License-Identifier: GPL-3.0-or-later
"""Every setting of the panel as an option of the command line and as a field of a manifest.

The table is read off the settings themselves, so what the panel learns, the command line knows: name,
tooltip, choices and limits are the panel's own. A few have a handier name here, and a path may be typed
relative to the folder one is in (or to the manifest); `//` means beside the .blend, as everywhere in Blender.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from ...core.wire import origin, rules
from ..settings.properties import EDTALK_Settings

RENAMED = {"folder": "out", "make_plane": "plane", "make_strips": "strips", "write_origin": "origin"}
"""Setting -> what it is called here."""
HIDDEN = frozenset({"use_crop", "take", "asked"})
"""Settings without an option: a crop that is given is used; nobody is asked."""
TRANSCRIPTS = {".txt", ".srt", ".vtt"}
"""A transcript that ends so is a file's name; anything else is what is said."""
KINDS = {"BOOLEAN", "INT", "FLOAT", "STRING", "ENUM"}


@dataclass(frozen=True)
class Option:
    """One setting, from outside."""

    name: str
    """As a field; as a flag it has dashes: `extend_scene`, `--extend-scene`."""
    setting: str
    rule: rules.Rule
    """Tidies a value, or raises ValueError with what it wants."""
    kind: str
    """"flag", "whole", "number", "numbers", "text", "path", "choice" or "choices"."""
    help: str
    count: int = 1
    choices: tuple[str, ...] = ()


def table() -> dict[str, Option]:
    """Name -> option, in the order of the panel's settings."""
    found = {}
    for prop in EDTALK_Settings.bl_rna.properties:
        name = prop.identifier
        known = name in EDTALK_Settings.__annotations__ and name not in HIDDEN
        if known and prop.type in KINDS and not prop.is_hidden and not name.endswith("_index"):
            option = _option(prop)
            found[option.name] = option
    return found


def _option(prop: bpy.types.Property) -> Option:
    name, about = RENAMED.get(prop.identifier, prop.identifier), prop.description
    count, choices = 1, ()
    if prop.type == "ENUM":
        choices = tuple(item.identifier for item in prop.enum_items)
        kind, rule = "choice", rules.one_of(*choices)
        if prop.is_enum_flag:
            kind, rule = "choices", rules.several(rule, 0, len(choices))
        elif (
            prop.identifier == "emotion"
        ):  # the server knows mixes and timings, which the panel does not offer
            kind, rule, choices = "text", rules.text, ()
            about += ': a name, a mix "happy:0.8+surprised:0.2", or by seconds "0:neutral,2:happy,5:sad:0.5"'
    elif prop.type == "STRING":
        kind = "path" if prop.subtype in ("FILE_PATH", "DIR_PATH") else "text"
        rule = rules.said if prop.identifier in origin.CONSENT else rules.text
    elif prop.type == "BOOLEAN":
        kind, rule = "flag", rules.flag
    else:
        rule = (rules.whole if prop.type == "INT" else rules.number)(prop.hard_min, prop.hard_max)
        kind = "whole" if prop.type == "INT" else "number"
        if prop.is_array:
            kind, count = "numbers", prop.array_length
            rule = rules.crop if prop.identifier == "crop" else rules.several(rule, count, count)
    return Option(name, prop.identifier, rule, kind, about, count, choices)


def add_to(parser: argparse.ArgumentParser) -> None:
    """Give a parser every option; what is not given is None."""
    for option in table().values():
        flag, about = f"--{option.name.replace('_', '-')}", option.help.replace("%", "%%")
        if option.kind == "flag":
            parser.add_argument(flag, dest=option.name, action=argparse.BooleanOptionalAction, help=about)
        elif option.kind == "choices":
            parser.add_argument(flag, dest=option.name, type=_list, metavar="A,B", help=about)
        elif option.kind == "numbers":
            names = ("X", "Y", "SIDE") if option.name == "crop" else ("N",) * option.count
            parser.add_argument(
                flag, dest=option.name, nargs=option.count, type=float, metavar=names, help=about
            )
        else:
            type_ = {"whole": int, "number": float}.get(option.kind, str)
            words = {"choices": option.choices} if option.choices else {"metavar": option.kind.upper()}
            parser.add_argument(flag, dest=option.name, type=type_, help=about, **words)


def _list(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def given(options: argparse.Namespace) -> dict[str, Any]:
    """The options that were given, checked. Raises argparse.ArgumentTypeError."""
    found = {}
    for option in table().values():
        value = getattr(options, option.name, None)
        if value is not None:
            try:
                found[option.name] = check(option, value, Path.cwd())
            except ValueError as error:
                flag = option.name.replace("_", "-")
                raise argparse.ArgumentTypeError(f"argument --{flag}: {error}") from None
    return found


def check(option: Option, value: Any, folder: Path) -> Any:
    """The tidy form of a value; a relative path is looked for in `folder`. Raises ValueError."""
    tidy = option.rule(value)
    written = option.setting == "transcript" and Path(tidy).suffix.lower() in TRANSCRIPTS
    return whole_path(tidy, folder) if option.kind == "path" or written else tidy


def whole_path(text: str, folder: Path) -> str:
    """A path as Blender takes it: `//` and "" stay, anything else becomes a whole path."""
    if not text.strip() or text.startswith("//"):
        return text.strip()
    return str((folder / Path(text).expanduser()).absolute())


def beyond_panel(emotion: str) -> str:
    """A mix of emotions or a course in time, which the server knows and the panel does not; "" for one that
    the panel knows.
    """
    names = {item.identifier for item in EDTALK_Settings.bl_rna.properties["emotion"].enum_items}
    return "" if emotion in names else emotion


def apply(settings: bpy.types.PropertyGroup, values: Mapping[str, Any]) -> None:
    """Put values into the panel's settings; of an emotion that the panel cannot hold, none is put there."""
    options = table()
    for name, value in values.items():
        option = options[name]
        if option.setting == "emotion":
            settings.emotion = "NONE" if not value or beyond_panel(value) else value
        elif option.kind == "choices":
            setattr(settings, option.setting, set(value))
        else:
            setattr(settings, option.setting, value)
        if option.setting == "crop":
            settings.use_crop = True
