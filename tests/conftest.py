# SPDX-License-Identifier: GPL-3.0-or-later
"""Shared by all tests: a Blender of its own, and the extension as users have it.

The `edtalk` fixture builds the zip, installs it through Blender's own extension system into an empty
user folder and gives the installed package. Tests that use it skip themselves where bpy is missing.
Blender must have let go of everything before Python ends: 4.2 crashes and 4.5 hangs for ever on a
handler or timer that is left behind.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.faces import MAKE_PLAYABLE
from tests.support.makers import png, sound

ROOT = Path(__file__).resolve().parent.parent
MODULE = "bl_ext.user_default.edtalk"

# Blender reads this when bpy is imported, which happens in the first test that wants it.
_RESOURCES = tempfile.TemporaryDirectory(prefix="edtalk-blender-", ignore_cleanup_errors=True)
os.environ["BLENDER_USER_RESOURCES"] = _RESOURCES.name


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    """Recipes choose how many threads torch uses; the next test is not to notice (where there is torch)."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else 0
    yield
    if before:
        torch.set_num_threads(before)


@pytest.fixture(scope="session")
def checkout() -> ModuleType:
    """The repository as a package, without Blender: `checkout("edtalk_blender.settings.timing")` imports a
    part of it.
    """
    name = "edtalk_checkout"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            name, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
        )
        assert spec is not None and spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return lambda part: importlib.import_module(f"{name}.{part}")


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The extension zip, built and validated by Blender's own tool."""
    pytest.importorskip("bpy", reason="needs the bpy module (Python 3.11)")
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, str(ROOT / "tools" / "build_extension.py"), "--out", str(out)]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    (found,) = out.glob("*.zip")
    return found


@pytest.fixture(scope="session")
def installed(archive: Path) -> Iterator[ModuleType]:
    """The package as Blender runs it, installed from the zip and enabled."""
    import bpy

    result = bpy.ops.extensions.package_install_files(
        filepath=str(archive), repo="user_default", enable_on_install=True, overwrite=True
    )
    assert result == {"FINISHED"} and MODULE in bpy.context.preferences.addons
    yield importlib.import_module(f"{MODULE}.edtalk_blender")
    bpy.ops.preferences.addon_disable(module=MODULE)


@pytest.fixture
def edtalk(installed: ModuleType) -> Iterator[ModuleType]:
    """The installed package in an empty Blender file; a job that a test leaves behind is dropped.

    The server stays for the next test, as it does between two takes of an animator.
    """
    import bpy

    bpy.ops.wm.read_homefile(use_empty=True)
    yield installed
    importlib.import_module(f"{installed.__name__}.server_process.jobs").shut_down()


@pytest.fixture
def part(edtalk: ModuleType):
    """Modules of the installed package by name: `part("face.rig").make_rig(...)`."""
    return lambda name: importlib.import_module(f"{edtalk.__name__}.{name}")


@pytest.fixture(scope="session")
def server_python() -> str:
    """A Python that can run the server: EDTALK_PYTHON, or this one when it has torch."""
    named = os.environ.get("EDTALK_PYTHON")
    if named:
        return named
    if importlib.util.find_spec("torch") is None:
        pytest.skip("needs a Python with torch: set EDTALK_PYTHON")
    return sys.executable


TINY = """
import sys, torch
from core.checkpoints import checkpoint
from core.models import EDTalk, EDTalkConfig
from core.models.audio_to_mouth import AudioToMouthConfig, build
torch.manual_seed(0)
channels = {side: 16 for side in (4, 8, 16, 32, 64)}
model = EDTalk(EDTalkConfig(size=64, latent=64, channels=channels, arithmetic="clean"))
audio = build(AudioToMouthConfig(width=16, blocks=1))
checkpoint.save(sys.argv[1], model, checkpoint.Meta(name="tiny"), audio)
"""


@pytest.fixture(scope="session")
def tiny_checkpoint(server_python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model that has learned nothing: it decodes hundreds of frames a second, weights do change
    them.
    """
    path = tmp_path_factory.mktemp("tiny") / "tiny.safetensors"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    subprocess.run([server_python, "-c", TINY, str(path)], check=True, env=environment)
    return path


@pytest.fixture(scope="session")
def playable_checkpoint(
    server_python: str, tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The small model with emotions and handles, those of `tests.support.faces`."""
    path = tmp_path_factory.mktemp("playable") / "playable.safetensors"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [server_python, "-c", MAKE_PLAYABLE, str(tiny_checkpoint), str(path)]
    subprocess.run(command, check=True, env=environment)
    return path


@pytest.fixture
def portrait(tmp_path: Path) -> Path:
    """A picture without a face, 96 x 64, every pixel another colour."""
    path = tmp_path / "anna.png"
    rows = b"".join(
        b"\0" + b"".join(bytes((2 * x, 4 * y, (7 * x + 3 * y) % 256)) for x in range(96)) for y in range(64)
    )
    path.write_bytes(png(96, 64, 2, rows))
    return path


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    """Two seconds of sound."""
    return sound(tmp_path / "line.wav", 2.0)
