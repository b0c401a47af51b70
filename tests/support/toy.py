# SPDX-License-Identifier: GPL-3.0-or-later
"""Small things that walk the whole road: a client for a real server process, and a runtime without a model.

`Client` starts `python -m server` (or the toy server below) and speaks raw messages, so that tests can also
speak them wrongly. `ToyRuntime` stands where `server.runtime.Runtime` stands; what its decode does is chosen
by the take's name.
"""

from __future__ import annotations

import ctypes
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from core.wire import envelope, framing, messages
from core.wire.channels import DEFAULT_CHANNELS
from core.wire.errors import BadMessage, NoFace
from server.report import Report

ROOT = Path(__file__).resolve().parents[2]
UNSENDABLE = {"long": "x" * 5_000_000, "nan": float("nan"), "object": object(), "set": {1}}
"""What no message can hold, by the name of the checkpoint that is described."""
PATIENCE = 60.0
"""Seconds after which a test gives up; generous, because torch loads slowly on a busy machine."""

TOY = [sys.executable, "-c", "from tests.support.toy import main; main()"]
REAL = [sys.executable, "-m", "server"]


class Client:
    """A server process and the pipes to it.

    Usage:
        with Client(TOY) as client:
            client.initialize()
            number = client.send("decode", portrait=..., motion=..., out=...)
            assert client.answer(number)["result"]
    """

    def __init__(self, command: list[str], log: Path, cwd: Path | None = None, **environment: str) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log = log
        settings = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment}
        with log.open("wb") as stream:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                cwd=cwd or log.parent,
                env={**os.environ, **settings},
            )
        assert self.process.stdin and self.process.stdout
        self.stdin = self.process.stdin
        self.heard: list[dict[str, Any]] = []
        self._number = 0
        self._inbox: queue.Queue[dict[str, Any] | None] = queue.Queue()
        threading.Thread(target=self._read, args=(framing.Reader(self.process.stdout),), daemon=True).start()

    def _read(self, reader: framing.Reader) -> None:
        try:
            while (message := reader.read()) is not None:
                self._inbox.put(message)
        except (OSError, ValueError, BadMessage):
            pass
        self._inbox.put(None)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.kill()
        self.process.wait()
        self.stdin.close()

    def raw(self, data: bytes) -> None:
        """Send any bytes."""
        self.stdin.write(data)
        self.stdin.flush()

    def send(self, method: str, **params: Any) -> int:
        """Send a request, right or wrong; returns its number."""
        self._number += 1
        self.raw(framing.encode({"jsonrpc": "2.0", "id": self._number, "method": method, "params": params}))
        return self._number

    def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first message, already heard or yet to come, that is wanted."""
        for message in self.heard:
            if wanted(message):
                return message
        deadline = time.monotonic() + PATIENCE
        while True:
            message = self._inbox.get(timeout=max(0.0, deadline - time.monotonic()))
            assert message is not None, f"the server left: {self.log.read_text(errors='replace')[-2000:]}"
            self.heard.append(message)
            if wanted(message):
                return message

    def answer(self, number: int | None) -> dict[str, Any]:
        """The answer to a request."""
        return self.until(lambda message: "method" not in message and message["id"] == number)

    def error(self, number: int | None) -> dict[str, str]:
        """kind, hint and message of a request's error."""
        error = self.answer(number)["error"]
        return {**error["data"], "message": error["message"]}

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a request and wait for its result."""
        answer = self.answer(self.send(method, **params))
        assert "result" in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def initialize(self) -> dict[str, Any]:
        return self.ask("initialize", protocol=messages.PROTOCOL, client="test")

    def notices(self, method: str, number: int) -> list[dict[str, Any]]:
        """The notices heard so far about a request."""
        said = (message["params"] for message in self.heard if message.get("method") == method)
        return [params for params in said if params["request"] == number]

    def answers(self, number: int) -> int:
        """How many answers a request has had, after everything was heard."""
        while (message := self._inbox.get(timeout=PATIENCE)) is not None:
            self.heard.append(message)
        self._inbox.put(None)
        return sum("method" not in message and message["id"] == number for message in self.heard)

    def leaves(self) -> int:
        """Wait for the process to end; its exit code."""
        return self.process.wait(PATIENCE)


class ToyRuntime:
    """No model, no pictures: `decode` counts `size` steps, in a way chosen by `name`."""

    def answer(self, message: messages.Message, report: Report) -> messages.Message:
        if isinstance(message, messages.Initialize):
            return messages.Initialized(
                protocol=messages.PROTOCOL,
                server="toy",
                python="",
                torch="",
                device="cpu",
                memory_mb=0,
                pid=os.getpid(),
                checkpoints=(),
            )
        if isinstance(message, messages.Describe):
            channels = tuple(channel.to_dict() for channel in DEFAULT_CHANNELS)
            described = messages.Described(id="toy", size=32, channels=channels, emotions={})
            object.__setattr__(described, "id", UNSENDABLE[Path(message.checkpoint).name])
            return described
        if isinstance(message, messages.Preview):
            time.sleep(0.05)
            return messages.Previewed(out=message.out, width=1, height=1, ms=50)
        assert isinstance(message, messages.Decode)
        getattr(self, message.name)()
        for step in range(message.size):
            report.breathe()
            time.sleep(0.01)
            report.frame(step, Path(message.out) / f"{step}.png")
            report.progress("Rendering", step + 1, message.size)
        print(f"counted to {message.size}", file=sys.stderr, flush=True)
        return messages.Decoded(written=message.size, seconds=1, fps=1)

    def rest(self) -> None:
        pass

    def steps(self) -> None:
        pass

    def hang(self) -> None:
        time.sleep(3600)

    def exit(self) -> None:
        raise SystemExit(3)

    def long(self) -> None:
        raise NoFace("x" * 5_000_000, hint="y" * 5_000_000)

    def crash(self) -> None:
        raise ZeroDivisionError("the secret detail")

    def no_face(self) -> None:
        raise NoFace("No face was found in the portrait", hint="Use a front view")

    def chatter(self) -> None:
        """Print in every way there is, and read what is not ours."""
        print("Content-Length: 3\r\n\r\n{}", flush=True)
        os.write(1, b"Content-Length: 9\r\n\r\nfrom descriptor 1\n")
        assert os.read(0, 10) == b""
        subprocess.run(
            [sys.executable, "-c", "import sys; print('from a child', sys.stdin.read())"], check=True
        )
        if os.name == "posix":
            libc = ctypes.CDLL(None)
            libc.puts(b"from a C library")
            libc.fflush(None)


def main() -> None:
    """The toy server: everything real but the runtime."""
    from server.__main__ import leave, serve

    leave(serve(ToyRuntime()))


def request(number: int, message: messages.Message) -> bytes:
    """A request as bytes."""
    return framing.encode(envelope.request(number, message))
