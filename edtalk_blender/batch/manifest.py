# SPDX-License-Identifier: GPL-3.0-or-later
"""A manifest: many shots in one JSON file, for `blender --command edtalk ... --manifest shots.json`.

docs/formats.md describes it. All that is wrong with it is found before the first shot is begun, and each
complaint names the shot and the field. No bpy: which settings there are, is handed in.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.wire import ranges, rules
from ...core.wire.errors import InputError
from ..settings import files

if TYPE_CHECKING:
    from .options import Option

SCHEMA = 1
TOP = ("schema", "defaults", "shots")
MOST_SHOTS = 10_000
MOST_BYTES = 1 << 26
MOST_SAID, LONGEST = 30, 400
"""Complaints that are said, and letters of each: nobody reads a thousand, and a field may hold anything."""


@dataclass(frozen=True)
class Shot:
    """One piece of work. Paths are whole ones; a field that is not given is empty or None."""

    name: str = ""
    open: str = ""  # the .blend to begin with; "": the file that Blender was started with
    save: str = ""  # the .blend that the shot is saved as, and that render and export open
    fps: float | None = None
    rig: str = ""
    new_face: bool = False
    render: bool = True
    frames: tuple[int, ...] | None = None
    export: str = ""
    preview: str = ""
    overwrite: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the panel by their names as options."""


def _frames(value: Any) -> tuple[int, ...]:
    if isinstance(value, int) and not isinstance(value, bool):
        return ranges.parse(str(value))
    if not isinstance(value, str):
        raise ValueError(f'wants frames such as "1-100,120", not {value!r}')
    return ranges.parse(value)


FIELDS: dict[str, rules.Rule] = {
    "name": rules.file_stem,
    "open": rules.text,
    "save": rules.text,
    "fps": rules.number(1, 1000),
    "rig": rules.text,
    "new_face": rules.flag,
    "render": rules.flag,
    "frames": _frames,
    "export": rules.text,
    "preview": rules.text,
    "overwrite": rules.flag,
}
"""The fields of a shot besides the panel's settings."""
PATHS = ("open", "save", "export", "preview")
SUFFIXES = {
    "open": (".blend",),
    "save": (".blend",),
    "export": (".npz", ".csv", ".json"),
    "preview": (".mp4",),
}
NEEDED = {"generate": ("save",), "render": (), "export": ("export",), "preview": ("preview",)}
"""Fields without which a command can do nothing with a shot."""


def load(path: Path, command: str, options: Mapping[str, Option]) -> list[Shot]:
    """The shots of a manifest, in its order. Raises InputError, with one line for each complaint."""
    data = _object(path)
    complaints = [f"{path.name}: {text}" for text in _top_level(data)]
    if complaints:
        raise _said(path, complaints)
    folder, shots = path.absolute().parent, []
    defaults = data.get("defaults", {})
    _, wrong = _checked(defaults, folder, options)
    complaints = [f"{path.name}: defaults: {text}" for text in wrong]
    if "name" in defaults:
        complaints.append(f"{path.name}: defaults: name: each shot has its own")
    seen: dict[str, int] = {}
    for number, raw in enumerate(data["shots"], 1):
        title = f"shot {number}"
        if not isinstance(raw, Mapping):
            complaints.append(f"{path.name}: {title} wants an object with named fields")
            continue
        if isinstance(raw.get("name"), str) and raw["name"]:
            title += f" ({raw['name'][:60]})"
        values, wrong = _checked({**defaults, **raw}, folder, options)
        own = [text for text in wrong if text.partition(":")[0] in raw]  # those of the defaults are said once
        if not raw.get("name"):
            own.append("name is missing")
        elif (other := seen.setdefault(str(raw["name"]), number)) != number:
            own.append(f"name: shot {other} is called so, too")
        said = {text.partition(":")[0] for text in own}
        if command != "generate" and not (values.get("save") or values.get("open") or "save" in said):
            own.append("save is missing: the .blend to open")
        own += [f"{name} is missing" for name in NEEDED[command] if not values.get(name) and name not in said]
        complaints += [f"{path.name}: {title}: {text}" for text in own]
        shots.append(values)
    complaints += _clashes(path, shots, command)
    if complaints:
        raise _said(path, complaints)
    return [_shot(values) for values in shots]


def _said(path: Path, complaints: list[str]) -> InputError:
    more = len(complaints) - MOST_SAID
    rest = [f"{path.name}: and {more} more"] if more > 0 else []
    lines = [line if len(line) <= LONGEST else f"{line[:LONGEST]} ..." for line in complaints[:MOST_SAID]]
    return InputError("\n".join(lines + rest))


def _object(path: Path) -> Any:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path.name} is larger than {MOST_BYTES >> 20} MB: it is no manifest")
        data = json.loads(files.read_small(path, MOST_BYTES).decode("utf-8-sig"), object_pairs_hook=_once)
        json.dumps(data, ensure_ascii=False).encode()  # half a character cannot be in the name of a file
        return data
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    except json.JSONDecodeError as error:
        raise InputError(f"{path.name}: line {error.lineno}, column {error.colno}: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path.name} is no manifest: {error}") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON lets a name stand twice and means the last; nobody writes that on purpose."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name!r} stands twice in one object")
        found[name] = value
    return found


def _top_level(data: Any) -> list[str]:
    if not isinstance(data, Mapping):
        return ["wants an object with schema and shots"]
    if data.get("schema") != SCHEMA or isinstance(data["schema"], bool):
        said = f"is {data['schema']!r}" if "schema" in data else "is missing"
        return [f"schema {said}, this version reads {SCHEMA}"]
    wrong = [f"{name} is no field of a manifest{_like(name, TOP)}" for name in data if name not in TOP]
    if not isinstance(data.get("defaults", {}), Mapping):
        wrong.append("defaults wants an object with named fields")
    shots = data.get("shots")
    if not isinstance(shots, list) or not 1 <= len(shots) <= MOST_SHOTS:
        wrong.append(f"shots wants a list of 1 to {MOST_SHOTS} shots")
    return wrong


def _checked(
    raw: Mapping[str, Any], folder: Path, options: Mapping[str, Option]
) -> tuple[dict[str, Any], list[str]]:
    """The tidy values of a shot's fields, and what is wrong: "field: complaint"."""
    from .options import check, whole_path

    values, wrong = {}, []
    for name, value in raw.items():
        if name not in FIELDS and name not in options:
            wrong.append(f"{name}: there is no such field{_like(name, [*FIELDS, *options])}")
            continue
        try:
            if name in options:
                values[name] = check(options[name], value, folder)
                continue
            tidy = FIELDS[name](value)
            if name in PATHS and tidy:
                if Path(tidy).suffix.lower() not in SUFFIXES[name]:
                    raise ValueError(f"wants a file that ends in {', '.join(SUFFIXES[name])}, not {tidy!r}")
                tidy = whole_path(tidy, folder)
            values[name] = tidy
        except ValueError as error:
            wrong.append(f"{name}: {error}")
    return values, wrong


def _like(name: str, names: Any) -> str:
    close = difflib.get_close_matches(name, list(names), 1)
    return f"; is {close[0]} meant?" if close else ""


def _clashes(path: Path, shots: list[dict[str, Any]], command: str) -> list[str]:
    """Two shots that write the same file would overwrite one another."""
    written = {"generate": "save", "export": "export", "preview": "preview"}.get(command)
    if written is None:
        return []
    seen: dict[str, str] = {}
    wrong = []
    for values in shots:
        file, name = values.get(written), values.get("name", "")
        if file and (other := seen.setdefault(file, name)) != name:
            wrong.append(f"{path.name}: shot {name}: {written}: shot {other} writes {file}, too")
    return wrong


def _shot(values: dict[str, Any]) -> Shot:
    own = {name: value for name, value in values.items() if name in FIELDS}
    return Shot(**own, settings={name: value for name, value in values.items() if name not in FIELDS})
