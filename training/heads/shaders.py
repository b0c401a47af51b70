# SPDX-License-Identifier: GPL-3.0-or-later
"""GLSL sources of the renderer: one file per stage under `shaders/`, joined with what they share."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).with_name("shaders")
SURFACES = ("skin", "eye", "mouth", "hair", "brow")


def sources() -> dict[str, tuple[str, str]]:
    """Program name -> (vertex source, fragment source)."""
    figure, surface, noise = _read("figure.vert"), _read("surface.glsl"), _read("noise.glsl")
    header = "#version 330\n"
    programs = {name: (figure, header + noise + surface + _read(f"{name}.frag")) for name in SURFACES}
    programs["bake"] = (_read("bake.vert"), header + noise + _read("bake.frag"))
    for name in ("shadow", "background"):
        programs[name] = (_read(f"{name}.vert"), _read(f"{name}.frag"))
    return programs


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")
