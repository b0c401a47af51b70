# SPDX-License-Identifier: GPL-3.0-or-later
"""What the contracts of `make check` cannot see: the extension and the wire import relatively and the
wire alone, some modules load little, and nothing needs what only POSIX has.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {
    "torch",
    "numpy",
    "soxr",
    "zuko",
    "cv2",
    "av",
    "PIL",
    "OpenImageIO",
    "safetensors",
    "moderngl",
    "soundfile",
    "tqdm",
}
OURS = {"core", "server", "edtalk_blender"}


def sources(room: str) -> list[Path]:
    found = sorted((ROOT / room).rglob("*.py"))
    assert found, f"{room} has no source"
    return found


def imports(path: Path) -> Iterator[str]:
    """Whole names of all modules a file imports, also inside functions; relative ones resolved against the
    repository.
    """
    package = path.relative_to(ROOT).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level]) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            yield from (f"{module}.{alias.name}" if module else alias.name for alias in node.names)


def is_in(name: str, module: str) -> bool:
    return name == module or name.startswith(module + ".")


NEED_NUMPY = ("arrays.py", "weights.py")
"""Of `core/wire/formats`: files of weights hold arrays, and both Pythons have numpy."""


@pytest.mark.parametrize("path", sources("core/wire"), ids=lambda path: path.name)
def test_the_wire_is_standard_library_only_and_relative(path: Path) -> None:
    """Relative, because inside Blender the package is called bl_ext.<repository>.edtalk.core.wire."""
    known = sys.stdlib_module_names | ({"numpy"} if path.name in NEED_NUMPY else set())
    for name in imports(path):
        assert is_in(name, "core.wire") or name.split(".")[0] in known, name
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and not node.level:
            assert node.module and not is_in(node.module, "core")


@pytest.mark.parametrize("path", sources("edtalk_blender"), ids=lambda path: path.name)
def test_the_extension_knows_the_wire_alone_and_is_relative(path: Path) -> None:
    for name in imports(path):
        assert not is_in(name, "server") and not (is_in(name, "core") and not is_in(name, "core.wire")), name
        assert name.split(".")[0] not in HEAVY - {"numpy"}, name
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and not node.level:
            assert node.module and node.module.split(".")[0] not in OURS
        elif isinstance(node, ast.Import):
            assert not any(alias.name.split(".")[0] in OURS for alias in node.names)


def loaded_by(*modules: str) -> set[str]:
    """Top-level names of everything that is loaded after importing these modules in a fresh interpreter."""
    code = f"import sys; import {', '.join(modules)}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_stepping_on_the_porch_opens_no_house() -> None:
    files = [path.relative_to(ROOT) for path in sources("core/wire") if path.name not in NEED_NUMPY]
    names = [".".join(file.with_suffix("").parts) for file in files if file.name != "__init__.py"]
    assert not loaded_by(*names) & (HEAVY | {"bpy"})


def test_the_command_line_answers_help_without_the_heavy_libraries() -> None:
    assert not loaded_by("server.cli", "server.session", "server.__main__") & (HEAVY | {"bpy"})


POSIX_ONLY = {
    "fcntl", "pwd", "grp", "resource", "termios", "tty", "pty", "posix",
    "os.fork", "os.forkpty", "os.setsid", "os.getuid", "os.geteuid", "os.getpgid", "os.killpg", "os.mkfifo",
    "os.symlink", "os.wait", "os.waitpid", "os.statvfs", "os.uname", "os.getloadavg", "os.sched_getaffinity",
    "os.nice", "os.chown", "os.sync", "os.set_blocking",
    "signal.SIGKILL", "signal.SIGHUP", "signal.SIGALRM", "signal.SIGUSR1", "signal.pause", "signal.alarm",
    "select.poll", "select.epoll",
}  # fmt: skip


def posix_only(source: str) -> set[str]:
    """POSIX-only modules and attributes a source uses with no fallback: outside `if` and `try`."""
    found: set[str] = set()

    def walk(node: ast.AST) -> None:
        if isinstance(node, (ast.If, ast.IfExp, ast.Try)):
            return  # asked for first, or caught
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module or "")
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found.add(f"{node.value.id}.{node.attr}")
        for child in ast.iter_child_nodes(node):
            walk(child)

    walk(ast.parse(source))
    return found & POSIX_ONLY


@pytest.mark.parametrize(
    "path",
    [path for room in ("core", "server", "edtalk_blender") for path in sources(room)],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_nothing_needs_what_only_posix_has(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert not posix_only(source)
    assert "set_start_method" not in source and 'get_context("fork")' not in source


def test_the_search_for_posix_calls_finds_them() -> None:
    assert posix_only("import os\nos.fork()") == {"os.fork"}
    assert posix_only("from signal import SIGKILL") == {"signal.SIGKILL"}
    assert posix_only("import os\nif hasattr(os, 'nice'):\n    os.nice(1)") == set()
