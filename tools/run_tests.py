# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the tests on all cores: each file that drives Blender in a process of its own, the others by xdist.

Neither undo and file loads of another file nor its libraries weigh on a Blender test, and a crash of
Blender is one file's failure. Each process has a temporary folder of its own.

    python tools/run_tests.py                       all tests
    python tools/run_tests.py -k motion             arguments go on to pytest
    python tools/run_tests.py --only-blender --python .venv-bpy-5.0.1/bin/python

The last line counts all of them: `N passed, N failed, N skipped`.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BLENDER_FILES = "tests/blender/test_*.py"
OTHERS_WITH_BLENDER = ("tests/wire/test_messages.py",)
"""Files that also pass under Blender's own numpy, run with each Blender version."""
NOTHING_CHOSEN = 5  # pytest's exit code where the arguments choose no test of a file
LIMIT = 900  # seconds for one Blender file: one that hangs on the way out must not hold the others
LIMIT_OTHERS = 3600  # seconds for all files without Blender
COUNTED = re.compile(r"(\d+) (passed|failed|errors?|skipped)")


def run(
    python: str, arguments: Sequence[str], workers: int = 1, limit: float = LIMIT
) -> tuple[int, str, Counter[str]]:
    """One pytest run -> exit code, its output, and how many tests passed, failed and were skipped."""
    command = [python, "-m", "pytest", "-q", *arguments]
    if workers > 1:
        command += ["-n", str(workers), "--dist", "loadfile"]
    with tempfile.TemporaryDirectory(prefix="edtalk-tests-", ignore_cleanup_errors=True) as folder:
        # waiting threads sleep instead of spinning: several processes share the cores
        here = {**os.environ, "TMPDIR": folder, "OMP_WAIT_POLICY": "PASSIVE"}
        try:
            done = subprocess.run(command, cwd=ROOT, env=here, capture_output=True, text=True, timeout=limit)
            code, said = done.returncode, done.stdout + done.stderr
        except subprocess.TimeoutExpired as late:
            code, said = 1, f"{late.stdout or b''!r}\nstopped after {limit:.0f} seconds"
    counts: Counter[str] = Counter()
    for number, what in COUNTED.findall(said.rstrip().rpartition("\n")[2] if code >= 0 else ""):
        counts["failed" if what.startswith("error") else what] += int(number)
    if code not in (0, NOTHING_CHOSEN) and not counts["failed"]:
        counts["failed"] += 1  # a crash counts as one failure
    return code, said, counts


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs everything asked for; 0 where all passed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has bpy")
    parser.add_argument("--only-blender", action="store_true", help="leave out what needs no Blender")
    options, more = parser.parse_known_args(arguments)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    files = [str(path.relative_to(ROOT)) for path in sorted(ROOT.glob(BLENDER_FILES))]
    files += OTHERS_WITH_BLENDER if options.only_blender else ()

    total: Counter[str] = Counter()
    broken: list[str] = []

    def note(name: str, code: int, said: str, counts: Counter[str], began: float) -> None:
        total.update(counts)
        fine = code in (0, NOTHING_CHOSEN)
        counted = ", ".join(f"{n} {what}" for what, n in counts.items())
        print(f"{name}: {counted} ({time.monotonic() - began:.0f} s)")
        if not fine:
            broken.append(name)
            print(said)
        sys.stdout.flush()

    with ThreadPoolExecutor(cores) as pool:
        begun = {}
        for name in files:
            begun[pool.submit(timed_run, options.python, [*more, name])] = name
        for done in as_completed(begun):
            began, result = done.result()
            note(begun[done], *result, began)
    if not options.only_blender:
        began = time.monotonic()
        others = run(options.python, [*more, f"--ignore-glob={BLENDER_FILES}"], cores, LIMIT_OTHERS)
        note("all others", *others, began)
    if broken:
        print("Not all is well: " + ", ".join(broken))
    print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
    return 1 if broken or not total["passed"] else 0


def timed_run(python: str, arguments: Sequence[str]) -> tuple[float, tuple[int, str, Counter[str]]]:
    """When it began [s], and what `run` gave."""
    began = time.monotonic()
    return began, run(python, arguments)


if __name__ == "__main__":
    sys.exit(main())
