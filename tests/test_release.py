# SPDX-License-Identifier: GPL-3.0-or-later
"""`make release`, on a copy of the files that it changes in a git repository of its own."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
_spec = importlib.util.spec_from_file_location("make_release", ROOT / "tools" / "make_release.py")
assert _spec is not None and _spec.loader is not None
tool = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tool)

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
FILES = (*tool.VERSIONED, "CHANGELOG.md")
NOTES = "# Changelog\n\n## Unreleased\n\n### Added\n\n- A thing.\n\n## 0.1.0 - 2026-11-22\n\n- The first.\n"


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with the real files, of the present version."""
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "CHANGELOG.md").write_text(NOTES, encoding="utf-8")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "config", "user.name", "A Tester")
    git(tmp_path, "config", "user.email", "tester@example.org")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "begin")
    return tmp_path


def contents(folder: Path) -> dict[str, str]:
    return {name: (folder / name).read_text(encoding="utf-8") for name in FILES}


def test_a_release_is_one_version_everywhere_a_headed_changelog_and_a_tag(checkout: Path) -> None:
    tool.release(checkout, "9.0.0", "2026-12-01")
    texts = contents(checkout)
    for name in tool.VERSIONED:
        assert "9.0.0" in texts[name], name
    assert "## Unreleased\n\n## 9.0.0 - 2026-12-01\n\n### Added\n\n- A thing." in texts["CHANGELOG.md"]
    assert git(checkout, "describe", "--exact-match") == "v9.0.0"
    assert git(checkout, "log", "-1", "--format=%s") == "release: 9.0.0"
    assert not git(checkout, "status", "--porcelain")


@pytest.mark.parametrize("version", ["", "9.0", "v9.0.0", "0.0.1", "9.0.0-beta"])
def test_a_version_that_is_none_or_not_higher_changes_nothing(checkout: Path, version: str) -> None:
    before = contents(checkout)
    with pytest.raises(SystemExit, match="VERSION"):
        tool.release(checkout, version, "2026-12-01")
    assert contents(checkout) == before and not git(checkout, "tag")


def test_an_unclean_checkout_an_empty_changelog_or_a_second_version_stops_before_anything(
    checkout: Path,
) -> None:
    (checkout / "README.md").write_text("changed", encoding="utf-8")
    with pytest.raises(SystemExit, match="working tree"):
        tool.release(checkout, "9.0.0", "2026-12-01")
    git(checkout, "checkout", "README.md")
    (checkout / "server/__init__.py").write_text('"""No version."""\n', encoding="utf-8")
    git(checkout, "commit", "--quiet", "-am", "lose it")
    before = contents(checkout)
    with pytest.raises(SystemExit, match="server/__init__"):
        tool.release(checkout, "9.0.0", "2026-12-01")
    (checkout / "CHANGELOG.md").write_text(
        "# Changelog\n\n## Unreleased\n\n## 0.1.0\n\n- Old.\n", encoding="utf-8"
    )
    with pytest.raises(SystemExit, match="Unreleased"):
        tool.release(checkout, "9.0.0", "2026-12-01")
    assert contents(checkout)["pyproject.toml"] == before["pyproject.toml"] and not git(checkout, "tag")
