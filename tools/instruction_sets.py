# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the numerical tests once under each instruction set of this processor: one machine stands for many.

oneDNN (`ONEDNN_MAX_CPU_ISA`) and PyTorch's own loops (`ATEN_CPU_CAPABILITY`) choose other code, which adds in
another order, on each make of processor. Each setting is read when torch is loaded: hence a process for each.

    python tools/instruction_sets.py                 all numerical tests (minutes each)
    python tools/instruction_sets.py --short         those that compare pictures; part of `make test`
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHORT = [
    "tests/core/test_cpu_decoder.py",
    "tests/core/test_parity.py",
    "-k",
    "plain_decoder or threads or pictures_match",
]
LONG = [
    *(
        "tests/core/test_cpu_decoder.py",
        "tests/core/test_parity.py",
        "tests/core/test_engine.py",
        "tests/core/test_models.py",
    ),
    *(
        "tests/training/test_encoder_generator.py",
        "tests/training/test_stages.py",
        "tests/training/test_audio_to_mouth.py",
    ),
]
# each with the sets of which it needs one, as Linux names them; "" where every 64-bit x86 has it
ONEDNN = {
    "AVX2": "avx2",
    "AVX512_CORE": "avx512bw",
    "AVX512_CORE_BF16": "avx512_bf16",
    "AVX512_CORE_AMX": "amx_bf16",
}
ATEN = {"default": "", "avx2": "avx2", "avx512": "avx512bw"}


def has() -> set[str]:
    """The processor's instruction sets, by Linux's names; nothing elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    return set(next((line.partition(":")[2] for line in lines if line.startswith("flags")), "").split())


def settings() -> list[tuple[str, str]]:
    """(variable, value) of each instruction set that this processor has, the weakest first."""
    flags = has()
    aten = [("ATEN_CPU_CAPABILITY", name) for name, needs in ATEN.items() if not needs or needs in flags]
    onednn = [("ONEDNN_MAX_CPU_ISA", name) for name, needs in ONEDNN.items() if needs in flags]
    return aten + onednn


def run(variable: str, value: str, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """The tests under one setting, in a process of their own."""
    here = {**os.environ, variable: value, "OMP_WAIT_POLICY": "PASSIVE"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=ROOT, env=here, capture_output=True, text=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints one line for each setting; 0 where all passed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--short", action="store_true", help="only the tests that compare pictures")
    options, more = parser.parse_known_args(arguments)
    broken = False
    for variable, value in settings():
        done = run(variable, value, [*(SHORT if options.short else LONG), *more])
        print(f"{variable}={value}: {done.stdout.rstrip().rpartition(chr(10))[2]}", flush=True)
        if done.returncode:
            broken = True
            print(done.stdout + done.stderr)
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
