# SPDX-License-Identifier: GPL-3.0-or-later
"""What is here, what is missing, and how to get it: Python, libraries, device, memory, checkpoints.

    edtalk doctor

Exit code 0: everything that is needed is here. 1: something is missing; the line says what to do.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import importlib.util
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .. import __version__
from ..errors import REQUIREMENTS

OLDEST = (3, 10)

LIBRARIES: dict[str, tuple[str, ...]] = {
    # module -> distributions that bring it, the one to install first
    "torch": ("torch",),
    "numpy": ("numpy",),
    "zuko": ("zuko",),
    "soxr": ("soxr",),
    "soundfile": ("soundfile",),
    "av": ("av",),
    "cv2": ("opencv-python-headless", "opencv-python", "opencv-contrib-python"),
    "PIL": ("pillow",),
    "OpenImageIO": ("openimageio",),
    "safetensors": ("safetensors",),
    "tqdm": ("tqdm",),
}


@dataclass(frozen=True)
class Finding:
    """One line of the report; `remedy` is what to do when it is not `fine`, which is None for what is
    neither right nor wrong but worth knowing."""

    name: str
    value: str
    fine: bool | None = True
    remedy: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`edtalk doctor` needs none."""


def run(options: argparse.Namespace) -> int:
    """Print the report."""
    return tell(examine())


def tell(findings: Iterator[Finding]) -> int:
    """Print findings as they come, then what to do; 1 when one of them is not fine."""
    remedies: list[str] = []
    marks = {True: "ok  ", None: "note", False: "MISS"}
    for finding in findings:
        print(f"{marks[finding.fine]}  {finding.name:<12} {finding.value}", flush=True)
        if finding.fine is False and finding.remedy not in remedies:
            remedies.append(finding.remedy)
    print("\nEverything that is needed is here." if not remedies else "\nTo do:")
    for remedy in remedies:
        print(f"  {remedy}")
    return 1 if remedies else 0


def examine() -> Iterator[Finding]:
    """Look at everything, the quick things first."""
    version = platform.python_version()
    yield Finding("EDTalk", f"{__version__} in {Path(__file__).resolve().parent.parent}")
    yield Finding("system", f"{platform.platform()}, {os.cpu_count()} processors")
    yield Finding(
        "Python",
        f"{version} ({sys.executable})",
        sys.version_info >= OLDEST,
        "Use Python 3.10 or newer",
    )
    missing = False
    for module, names in LIBRARIES.items():
        finding = _library(module, names)
        missing = missing or not finding.fine
        yield finding
    if missing:
        return  # without the libraries there is nothing to ask
    yield from _with_runtime()


def _library(module: str, names: tuple[str, ...]) -> Finding:
    pip = f'"{sys.executable}" -m pip install'
    if importlib.util.find_spec(module) is None:
        return Finding(module, "is not installed", False, f'{pip} -r "{REQUIREMENTS}"')
    try:
        importlib.import_module(module)
    except Exception as error:  # half-removed packages, system libraries that lack: any kind
        why = " ".join(str(error).split())[:200]
        return Finding(module, f"does not start: {why}", False, f"{pip} --force-reinstall {names[0]}")
    for name in names:
        try:
            return Finding(module, importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            continue
    return Finding(module, "is here, its version is not known")


def _with_runtime() -> Iterator[Finding]:
    from core.pictures import face_models

    from ..runtime import Runtime

    hello = Runtime().hello()
    if not face_models.why_not():  # else it is one of the warnings below
        yield Finding("faces", f"read by the networks of {face_models.PACKAGE}")
    memory = f", {hello.memory_mb / 1024:.1f} GB free" if hello.memory_mb else ""
    yield Finding("device", f"{hello.device}{memory}")
    embedded = False
    for found in hello.checkpoints:
        embedded = embedded or found["embedded"]
        shipped = ", shipped" if found["embedded"] else ""
        size = f"{found['size']} x {found['size']}"
        yield Finding("checkpoint", f"{found['id']}, {size}, {found['licence']}{shipped} ({found['path']})")
    for warning in hello.warnings:
        yield Finding("note", warning, None)
    if not embedded:
        yield Finding(
            "checkpoint",
            "the one shipped with EDTalk is not here",
            False,
            "Install EDTalk again; it lies in core/checkpoints",
        )
