#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pins the server's packages: every version, and the SHA-256 of every file that may be installed for it.

    python -m pip install uv
    python tools/lock_requirements.py

It writes beside server/requirements.txt, for all systems and every Python from 3.10 on (a line says with a
marker where it holds):

- requirements-lock.txt: all packages, from the Python Package Index;
- requirements-lock-cpu.txt: the same without PyTorch and what it brings along for graphics cards;
- requirements-lock-torch.txt: PyTorch's version alone, for `--torch cpu`. PyTorch's own index has other files
  under that version, and tells their hashes nowhere but beside them, so there they would prove nothing.

uv resolves for all systems at once, which pip cannot. Run it when requirements.txt changes or a package needs
a newer version, and read the difference before it is committed. PyTorch stays at what the tests run with.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

SERVER = Path(__file__).resolve().parents[1] / "server"
OLDEST = "3.10"
INDEX = "https://pypi.org/simple"
FOR_CARDS = re.compile(r"(torch|triton|nvidia-[\w-]+|cuda-[\w-]+)==")
"""What PyTorch's own index brings instead, or what only graphics cards need."""
HEAD = "# Made by tools/lock_requirements.py from requirements.txt.\n"
TESTED = "torch<2.14"


def main() -> int:
    """Write both lists. Returns uv's exit code."""
    constraint = SERVER.parent / "build" / "tested.txt"
    constraint.parent.mkdir(exist_ok=True)
    constraint.write_text(TESTED)
    command = ["uv", "pip", "compile", str(SERVER / "requirements.txt"), "--universal", "--generate-hashes"]
    command += ["--python-version", OLDEST, "--only-binary", ":all:", "--default-index", INDEX]
    command += ["--constraint", str(constraint)]
    command += ["--no-config", "--native-tls", "--no-header", "--no-annotate", "--quiet", *sys.argv[1:]]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        return done.returncode
    packages = re.split(r"^(?=\S)", done.stdout, flags=re.MULTILINE)
    for_processors = [package for package in packages if not FOR_CARDS.match(package)]
    lists = {"": packages, "-cpu": for_processors}
    lists["-torch"] = [
        package.split(" \\\n")[0] + "\n" for package in packages if package.startswith("torch==")
    ]
    for suffix, chosen in lists.items():
        text = HEAD + "".join(chosen)
        (SERVER / f"requirements-lock{suffix}.txt").write_text(text, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
