# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a new version into every file that has one, heads the changelog, commits, tags. No push.

make release VERSION=0.2.0      (docs/releasing.md)
"""

from __future__ import annotations

import datetime
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VERSIONED = {
    "pyproject.toml": r'^version = "{}"$',
    "blender_manifest.toml": r'^version = "{}"$',
    "server/__init__.py": r'^__version__ = "{}"$',
    "README.md": r"edtalk-{}\.zip",
}
"""File -> the one place in it that has the version; {} stands for the number."""
NUMBER = re.compile(r"(\d+)\.(\d+)\.(\d+)")


def release(root: Path, version: str, today: str) -> None:
    """Change the files of the checkout `root`, commit and tag. Raises SystemExit, with a sentence and before
    anything is changed, when the version or the checkout is not ready for it.
    """
    texts = {name: (root / name).read_text(encoding="utf-8") for name in (*VERSIONED, "CHANGELOG.md")}
    match = re.search(VERSIONED["pyproject.toml"].format('([^"]+)'), texts["pyproject.toml"], re.MULTILINE)
    if match is None or not NUMBER.fullmatch(match[1]):
        raise SystemExit("pyproject.toml has no version of the form 1.2.3")
    before = match[1]
    if not NUMBER.fullmatch(version) or _parts(version) <= _parts(before):
        raise SystemExit(f"VERSION must be of the form 1.2.3 and higher than {before}, not {version!r}")
    notes = re.search(r"^## Unreleased\n(.*?)(?=^## |\Z)", texts["CHANGELOG.md"], re.MULTILINE | re.DOTALL)
    if notes is None or "\n- " not in notes[1]:
        raise SystemExit("CHANGELOG.md has nothing under Unreleased: say there what users will notice")
    if _git(root, "status", "--porcelain"):
        raise SystemExit("The working tree has changes: commit or stash them first")
    for name, pattern in VERSIONED.items():
        texts[name], count = re.subn(
            pattern.format(re.escape(before)),
            lambda found: found[0].replace(before, version),
            texts[name],
            flags=re.MULTILINE,
        )
        if count != 1:
            raise SystemExit(f"{name} has the version {before} in {count} places, not in one")
    texts["CHANGELOG.md"] = texts["CHANGELOG.md"].replace(
        "## Unreleased\n", f"## Unreleased\n\n## {version} - {today}\n", 1
    )
    for name, text in texts.items():
        (root / name).write_text(text, encoding="utf-8", newline="\n")
    _git(root, "commit", "--quiet", "--all", "--message", f"release: {version}")
    _git(root, "tag", "--annotate", f"v{version}", "--message", f"EDTalk for Blender {version}")


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("Say which version: make release VERSION=0.2.0")
    release(ROOT, sys.argv[1], datetime.date.today().isoformat())
    print(f"Committed and tagged v{sys.argv[1]}. Look at it, then: git push --follow-tags")
