# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways to make a frame of the published network, each in a process of its own, asked in turn.

    python -m training.commands.bench_ways fast cpu 1     # each line of its input: seconds a frame

In one process they would not be alone: what one leaves behind in the allocator and in torch's threads made
the same frames take a third longer or shorter.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from core.wire.errors import Died

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("naive", "exact", "fast")


class Way:
    """Called, it makes a few frames in its own process and says how many seconds one took."""

    def __init__(self, name: str, device: str, batch: int) -> None:
        command = [sys.executable, "-m", "training.commands.bench_ways", name, device, str(batch)]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def wait(self) -> None:
        """Until it is warm."""
        self._answer()

    def __call__(self) -> float:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._answer())

    def _answer(self) -> str:
        assert self._process.stdout is not None
        if not (line := self._process.stdout.readline()):
            raise Died("A process that makes frames left in the midst of a measurement")
        return line

    def close(self) -> None:
        """Let the process leave."""
        self._process.communicate()


@contextmanager
def ways(device: str, batch: int) -> Iterator[dict[str, Way]]:
    """All three, by name. `batch` 0 leaves it to them."""
    with ExitStack() as stack:
        found = {name: Way(name, device, batch) for name in NAMES}
        for way in found.values():
            stack.callback(way.close)
        for way in found.values():
            way.wait()
        yield found


def main(arguments: Sequence[str]) -> None:
    """The child: one line when it is warm, then one for each that is read."""
    from training.evaluation import speed

    name, device, batch = arguments
    make = speed.way(name, device, int(batch) or None)
    print("ready", flush=True)
    for _ in sys.stdin:
        print(make(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
