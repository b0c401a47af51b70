# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the extension zip with Blender's own packer and has Blender's own validator read it.

Both are one stand-alone program inside Blender (`blender_ext.py`), which the bpy wheel carries along. It is
given Blender's list of allowed tags too: without that list it accepts any tag.

    .venv/bin/python tools/build_extension.py --out dist
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def blender_scripts() -> Path:
    """Blender's `scripts` folder inside the installed bpy wheel, found without importing bpy."""
    spec = importlib.util.find_spec("bpy")
    if spec is None or spec.origin is None:
        raise SystemExit("The bpy module is not installed here; run  make env  and use .venv's Python.")
    found = sorted(Path(spec.origin).parent.glob("*/scripts"))
    if not found:
        raise SystemExit(f"The bpy module at {spec.origin} has no scripts folder.")
    return found[-1]


def extension_command(*arguments: str) -> list[str]:
    """The command line that runs Blender's extension tool with its own tag list."""
    scripts = blender_scripts()
    tool = scripts / "addons_core" / "bl_pkg" / "cli" / "blender_ext.py"
    tags = scripts / "modules" / "_bpy_internal" / "extensions" / "tags.py"
    return [sys.executable, str(tool), *arguments, "--valid-tags", str(tags)]


def build(out: Path) -> Path:
    """Writes `edtalk-<version>.zip` into `out`, validates it and returns its path."""
    out.mkdir(parents=True, exist_ok=True)
    before = {path: path.stat().st_mtime_ns for path in out.glob("*.zip")}
    subprocess.run(
        extension_command("build", "--source-dir", str(ROOT), "--output-dir", str(out)), check=True
    )
    (archive,) = [path for path in out.glob("*.zip") if before.get(path) != path.stat().st_mtime_ns]
    subprocess.run(extension_command("validate", str(archive)), check=True)
    return archive


def main(arguments: list[str] | None = None) -> int:
    """Builds and validates; the exit status is Blender's."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder for the zip")
    options = parser.parse_args(arguments)
    try:
        archive = build(options.out)
    except subprocess.CalledProcessError as error:
        return error.returncode
    print(f"{archive}  {archive.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
