# SPDX-License-Identifier: GPL-3.0-or-later
"""What Check Server found, line by line: for the preferences, for the clipboard, for a bug report. No bpy."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

from ...core.wire import messages
from ...core.wire.errors import EDTalkError


@dataclass(frozen=True)
class Line:
    """One line; `fine` is False for what keeps EDTalk from working, None for what is worth knowing."""

    name: str
    value: str
    fine: bool | None = True


def of_hello(hello: messages.Initialized, python: Path, log: Path) -> list[Line]:
    """A server that answers."""
    memory = f", {hello.memory_mb / 1024:.1f} GB free" if hello.memory_mb else ""
    lines = [
        Line("Server", f"{hello.server}, protocol {hello.protocol}, process {hello.pid}"),
        Line("Python", f"{hello.python} ({python})"),
        Line("PyTorch", hello.torch),
        Line("Device", f"{hello.device}{memory}"),
    ]
    for found in hello.checkpoints:
        shipped = ", comes with EDTalk" if found["embedded"] else f" ({found['path']})"
        licence = found["licence"] or "no licence stated"
        lines.append(Line("Checkpoint", f"{found['id']}, {found['size']} px, {licence}{shipped}"))
    if not any(found["embedded"] for found in hello.checkpoints):
        lines.append(Line("Checkpoint", "EDTalk's own is missing: install EDTalk again", False))
    lines += [Line("Note", warning, None) for warning in hello.warnings]
    return [*lines, Line("Log", str(log))]


def of_error(error: EDTalkError, log: Path) -> list[Line]:
    """A server that does not: the sentence, cut where it lists several things, and what to do."""
    first, *rest = error.message.split("; ")
    lines = [Line("Server", first, False), *(Line("", part, None) for part in rest)]
    if error.hint:
        lines.append(Line("To do", error.hint, None))
    return [*lines, Line("Log", str(log))] if log.exists() else lines


def as_text(lines: list[Line], version: str, blender: str) -> str:
    """For the clipboard."""
    marks = {True: "ok  ", None: "note", False: "MISS"}
    head = [f"EDTalk {version}, Blender {blender}, {platform.platform()}"]
    return "\n".join([*head, *(f"{marks[line.fine]}  {line.name:<11}{line.value}" for line in lines)]) + "\n"
