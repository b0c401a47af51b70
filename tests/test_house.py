# SPDX-License-Identifier: GPL-3.0-or-later
"""The promises of the repository itself: licence headers, one version number, pages that tell the truth."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("core", "server", "training", "edtalk_blender", "tests", "tools", "demo")
SPDX = "# SPDX-License-Identifier: GPL-3.0-or-later"


def python_files() -> list[Path]:
    """Every Python file of the repository, found by room so that environments and outputs are never read."""
    files = [ROOT / "__init__.py", *(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))]
    return sorted(path for path in files if path.exists())


def text_files() -> list[Path]:
    """Every file a person reads: code, documents, settings."""
    documents = [path for pattern in ("*.md", "*.toml", "Makefile") for path in ROOT.glob(pattern)]
    documents += [*(ROOT / "docs").rglob("*.md"), *(ROOT / ".github").rglob("*.*")]
    return [*python_files(), *documents, *(ROOT / ".ci").iterdir()]


def name_of(path: Path) -> str:
    """A test id that reads the same on every system."""
    return path.relative_to(ROOT).as_posix()


def first_match(pattern: str, path: Path) -> str:
    """The first group of `pattern` in a file; a test fails with the file's name when there is none."""
    match = re.search(pattern, path.read_text(encoding="utf-8"), re.MULTILINE)
    assert match, f"{path.name} has nothing like {pattern}"
    return match.group(1)


def markdown_links(path: Path) -> list[str]:
    """The local files and folders that a page links to or shows."""
    targets = re.findall(r"\]\(([^)#\s]+)", path.read_text(encoding="utf-8"))
    return [target for target in targets if "://" not in target]


def commands_in(path: Path, program: str) -> set[str]:
    """The first word after `program` wherever a page shows it in a code block or in code marks."""
    text = path.read_text(encoding="utf-8")
    shown = re.findall(r"```.*?\n(.*?)```", text, re.DOTALL) + re.findall(r"`([^`\n]+)`", text)
    return {word for code in shown for word in re.findall(rf"(?:^|\s){program} ([a-z][a-z-]+)", code)}


def test_the_rooms_are_where_these_tests_look() -> None:
    assert len(python_files()) > 30
    assert all((ROOT / room).is_dir() for room in ROOMS)


@pytest.mark.parametrize("path", python_files(), ids=name_of)
def test_every_python_file_names_its_licence_and_its_purpose(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines()
    assert SPDX in lines[:2], "the licence belongs on the first line (or the second, below #!)"
    assert ast.get_docstring(ast.parse(source)), "a module docstring says what the file is for"


def names_in(path: Path, name: str) -> list[str]:
    """The strings of a tuple that a module assigns to `name` at its top level; none when it does not."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return list(ast.literal_eval(node.value))
    return []


def is_registered(path: Path) -> bool:
    """Has this module something that Blender must be told of?"""
    return bool(
        re.search(r"^CLASSES = |^def (un)?register\(", path.read_text(encoding="utf-8"), re.MULTILINE)
    )


def test_every_room_names_its_modules_that_blender_must_know() -> None:
    extension = ROOT / "edtalk_blender"
    rooms = [path.parent for path in extension.glob("*/__init__.py")]
    assert sorted(names_in(extension / "__init__.py", "ROOMS")) == sorted(room.name for room in rooms)
    for room in rooms:
        wanted = sorted(
            ".".join(path.relative_to(room).with_suffix("").parts)
            for path in room.rglob("*.py")
            if is_registered(path)
        )
        assert sorted(names_in(room / "__init__.py", "MODULES")) == wanted, room.name


def test_manifest_project_server_and_changelog_agree_on_the_version() -> None:
    project = first_match(r'^version = "([^"]+)"', ROOT / "pyproject.toml")
    assert first_match(r'^version = "([^"]+)"', ROOT / "blender_manifest.toml") == project
    assert first_match(r'^__version__ = "([^"]+)"', ROOT / "server/__init__.py") == project
    assert first_match(r"^## \[?(\d+\.\d+\.\d+)", ROOT / "CHANGELOG.md") == project


def test_the_extension_is_gpl_and_carries_no_upper_blender_version() -> None:
    manifest = (ROOT / "blender_manifest.toml").read_text(encoding="utf-8")
    assert re.search(r'^license = \[\s*"SPDX:GPL-3.0-or-later"', manifest, re.MULTILINE)
    assert re.search(r'^id = "edtalk"', manifest, re.MULTILINE)
    assert "blender_version_max" not in manifest
    assert "GNU GENERAL PUBLIC LICENSE" in (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_nothing_names_a_folder_of_somebodys_machine() -> None:
    folder = re.compile(r"(?<![\w.:/<>-])/(?:home|root|work|Users|farm)/\w")
    found = [
        f"{name_of(path)}:{number}"
        for path in text_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if folder.search(line)
    ]
    assert not found


@pytest.mark.parametrize("page", sorted([*ROOT.glob("*.md"), *ROOT.glob("d*/*.md")]), ids=name_of)
def test_every_local_link_of_a_page_leads_somewhere(page: Path) -> None:
    assert [link for link in markdown_links(page) if not (page.parent / link).exists()] == []


def test_every_make_target_the_pages_mention_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    mentioned = commands_in(ROOT / "README.md", "make") | commands_in(ROOT / "CONTRIBUTING.md", "make")
    mentioned |= commands_in(ROOT / "docs/releasing.md", "make")
    assert {"demo", "test"} <= mentioned <= targets


def test_every_edtalk_command_the_readme_shows_exists(capsys: pytest.CaptureFixture[str]) -> None:
    from server import cli

    shown = commands_in(ROOT / "README.md", "edtalk")
    assert {"animate", "decode", "doctor"} <= shown
    for command in sorted(shown):
        assert cli.main([command, "--help"]) == 0, command
        assert "usage" in capsys.readouterr().out.lower()


def test_dependencies_each_give_a_reason() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = re.search(r"^dependencies = \[\n(.*?)^\]", project, re.MULTILINE | re.DOTALL)
    assert block
    for line in block.group(1).splitlines():
        assert re.search(r'^\s+"[^"]+",\s+# \S.*\(.+\)$', line), f"no reason or licence beside {line.strip()}"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tomllib came with Python 3.11")
def test_a_user_installs_exactly_what_the_project_declares() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (ROOT / "server/requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [line for line in lines if line and not line.startswith("#")]
    assert sorted(wanted) == sorted(project["dependencies"])
