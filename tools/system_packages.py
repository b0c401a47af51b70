# SPDX-License-Identifier: GPL-3.0-or-later
"""Names the Debian packages that are missing on this machine, before something fails without saying why.

Standard library only, and Linux only: on macOS and Windows the wheels bring everything themselves.

    python3.11 tools/system_packages.py            says what is missing; exit status 1 if it is needed
    python3.11 tools/system_packages.py --names    just the package names, for `apt-get install`
"""

from __future__ import annotations

import argparse
import ctypes
import shutil
import sys
from pathlib import Path

# shared library -> Debian package. Blender's Python module cannot be imported without these.
FOR_BLENDER = {
    "libX11.so.6": "libx11-6",
    "libXrender.so.1": "libxrender1",
    "libXfixes.so.3": "libxfixes3",
    "libXi.so.6": "libxi6",
    "libXxf86vm.so.1": "libxxf86vm1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libSM.so.6": "libsm6",
    "libGL.so.1": "libgl1",
    "libgomp.so.1": "libgomp1",
}

# What draws and voices the synthetic heads. Tests that need one of these skip themselves without it.
FOR_HEADS = {
    "libEGL.so.1": "libegl1",
    "libespeak-ng.so.1": "libespeak-ng1",
    "flite": "flite",
    "espeak-ng": "espeak-ng",
}
# Mesa's software renderer is found by file, since several libraries of that name can live side by side.
MESA_FILES = ("*/dri/swrast_dri.so", "*/libgallium*.so")


def is_present(name: str) -> bool:
    """Whether a shared library can be loaded, or a program is on the PATH."""
    if ".so" not in name:
        return shutil.which(name) is not None
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def missing(table: dict[str, str]) -> list[str]:
    """The packages of `table` whose library or program is not here, in the table's order."""
    if not sys.platform.startswith("linux"):
        return []
    return [package for name, package in table.items() if not is_present(name)]


def missing_for_heads() -> list[str]:
    """The packages missing for drawing and voicing synthetic heads."""
    packages = missing(FOR_HEADS)
    has_mesa = any(match for pattern in MESA_FILES for match in Path("/usr/lib").glob(pattern))
    if sys.platform.startswith("linux") and not has_mesa:
        packages.append("libgl1-mesa-dri")
    return packages


def sentence(packages: list[str], purpose: str) -> str:
    """One sentence that says what is missing, what for, and how to get it."""
    return f"Missing for {purpose}: install it with  sudo apt-get install {' '.join(packages)}"


def main(arguments: list[str] | None = None) -> int:
    """Prints what is missing; returns 1 when Blender's Python module could not be imported."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--names", action="store_true", help="print package names only")
    options = parser.parse_args(arguments)

    needed, helpful = missing(FOR_BLENDER), missing_for_heads()
    if options.names:
        print(" ".join(needed + helpful))
        return 0
    if needed:
        print(sentence(needed, "Blender's Python module"), file=sys.stderr)
    if helpful:
        print(sentence(helpful, "the synthetic heads (training; some tests are skipped)"), file=sys.stderr)
    return 1 if needed else 0


if __name__ == "__main__":
    raise SystemExit(main())
