# SPDX-License-Identifier: GPL-3.0-or-later
"""The client of the server process: starts it, speaks with it, notices when it has gone. No bpy.

    server = Server(python, root, log)
    server.start()
    pending = server.ask(messages.Describe())
    while not pending.done:
        server.listen(0.1)
    described = pending.result()            # or raises what the server answered

The traps that are avoided here:

- a thread that reads the pipe would make Blender crash now and then (see `pipe`), so `listen` looks for
  itself what has come; the server never waits for that;
- an undrained stderr pipe stops the server once it is full, so stderr goes to a log file;
- the host's PYTHON* variables would point the server at Blender's own packages, so they are removed;
- a working folder inside the extension blocks its update on Windows, and files lying in the working
  folder can hide modules, so the server works in the folder of its log;
- a server must not outlive Blender: it leaves when its stdin closes, which also happens when Blender is
  killed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...core.wire import envelope, messages
from ...core.wire.errors import BadMessage, Died, EDTalkError, NotStarted, WrongProtocol
from ...core.wire.framing import Decoder, encode
from .pipe import Inlet, Outlet

START_SECONDS = 180.0
"""How long a server may take to answer for the first time; loading torch from a cold disk is slow."""

LOOK = 0.001
"""Seconds between two looks of somebody who waits."""

PING = 2.0
"""Seconds of silence after which the server is asked whether it is there. It answers at once, whatever it
works at: the question is to cancel request 0, which there never is.
"""

_END = object()


class Pending:
    """A request that was sent: its notices while it runs, then its one result or error."""

    def __init__(self, number: int, method: str) -> None:
        self.number = number
        self.method = method
        self.notices: deque[messages.Message] = deque()
        self._result: messages.Message | None = None
        self._error: EDTalkError | None = None

    @property
    def done(self) -> bool:
        """Has the answer come?"""
        return self._result is not None or self._error is not None

    def result(self) -> messages.Message:
        """The answer. Raises the error the server sent, or Died when it went away."""
        if self._error is not None:
            raise self._error
        assert self._result is not None, "asked before the answer came"
        return self._result

    def settle(self, result: messages.Message | None, error: EDTalkError | None) -> None:
        """Called once, with one of the two."""
        self._result, self._error = result, error


class Server:
    """One server process: `python` runs it, `root` holds `core` and `server`, `log` takes its stderr, and
    `arguments` are those of `python -m server`.
    """

    def __init__(self, python: Path, root: Path, log: Path, arguments: Sequence[str] = ()) -> None:
        self.python = python
        self.root = root
        self.log = log
        self.arguments = tuple(arguments)
        self.hello: messages.Initialized | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._inlet: Inlet | None = None
        self._heard_at = 0.0
        self._ping: Pending | None = None
        self._outlet: Outlet | None = None
        self._decoder = Decoder()
        self._open: dict[int, Pending] = {}
        self._last_number = 0
        self._deadline = 0.0
        self._greeting: Pending | None = None

    @property
    def alive(self) -> bool:
        """Is there a process that can be asked?"""
        return self._process is not None and self._process.poll() is None

    @property
    def ready(self) -> bool:
        """Has it said hello?"""
        return self.alive and self.hello is not None

    @property
    def pid(self) -> int:
        """Process id, 0 without a process."""
        return self._process.pid if self._process is not None else 0

    def start(self) -> None:
        """Start the process and greet it; returns at once. Raises NotStarted."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(self.log, "ab") as log:
                self._process = subprocess.Popen(
                    [str(self.python), "-u", "-m", "server", *self.arguments],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    bufsize=0,
                    env=clean_environment(os.environ, self.root),
                    cwd=self.log.parent,
                    creationflags=_creation_flags(),
                )
        except OSError as error:
            raise NotStarted(
                f"The server's Python could not be started ({self.python}): {error.strerror or error}",
                hint="Choose another Python in the add-on's preferences",
            ) from error
        assert self._process.stdin is not None and self._process.stdout is not None
        self._inlet = Inlet(self._process.stdin)
        self._outlet = Outlet(self._process.stdout)
        self._deadline = time.monotonic() + START_SECONDS
        self._greeting = self.ask(messages.Initialize(protocol=messages.PROTOCOL, client="Blender"))

    def ask(self, message: messages.Message) -> Pending:
        """Send a request; returns at once. Raises Died when the server has gone."""
        self._last_number += 1
        data = envelope.request(self._last_number, message)
        pending = Pending(self._last_number, data["method"])
        self._open[pending.number] = pending
        try:
            if self._inlet is None:
                raise OSError("not started")
            if len(self._open) == 1:
                self._heard_at = time.monotonic()
            self._inlet.write(encode(data))
        except (OSError, ValueError):
            self._fail_pending()
        return pending

    def listen(self, seconds: float, budget: float = 0.008) -> None:
        """Wait up to `seconds` for something to be said, then take in what is there within `budget`."""
        self._keep_in_touch()
        latest = time.monotonic() + seconds
        while (item := self._heard()) is None and time.monotonic() < latest:
            time.sleep(LOOK)
        end = time.monotonic() + budget
        while item is not None:
            self._take(item)
            item = self._heard() if time.monotonic() < end else None
        if self.hello is None and self._open and time.monotonic() > self._deadline:
            self.kill()

    @property
    def silence(self) -> float:
        """Seconds since the server last said anything, while it owes an answer; 0 while it starts."""
        return time.monotonic() - self._heard_at if self._open and self.hello is not None else 0.0

    def _keep_in_touch(self) -> None:
        """Send what did not fit into the pipe, and ask whether anybody is there."""
        if self._inlet is None or not self.pid:
            return
        if self.silence > PING and (self._ping is None or self._ping.done):
            self._ping = self.ask(messages.Cancel(request=0))
        try:
            self._inlet.push()
        except (OSError, ValueError):
            self._bury()

    def greeted(self) -> bool:
        """Has the first answer come? Raises NotStarted, WrongProtocol or Died when it is not a welcome."""
        if self._greeting is None or not self._greeting.done:
            return False
        try:
            hello = self._greeting.result()
        except WrongProtocol:
            raise
        except Died as error:
            raise NotStarted(
                f"The server did not start: {self.last_words() or error.message}",
                hint="Check the server's Python in the add-on's preferences, or open the log",
            ) from error
        except BadMessage as error:  # fields that only another version has
            raise _other_version(f"The server is of another version: {error.message}") from error
        assert isinstance(hello, messages.Initialized)
        if hello.protocol != messages.PROTOCOL:
            older = "older" if hello.protocol < messages.PROTOCOL else "newer"
            raise _other_version(
                f"The server ({hello.server or 'unnamed'}) is {older} than this extension: "
                f"it speaks protocol {hello.protocol}, the extension {messages.PROTOCOL}"
            )
        self.hello = hello
        return True

    def last_words(self) -> str:
        """The last line the server wrote to its log, "" when there is none."""
        try:
            with open(self.log, "rb") as file:
                file.seek(max(0, os.path.getsize(self.log) - 4096))
                lines = file.read().decode("utf-8", "replace").strip().splitlines()
        except OSError:
            return ""
        return lines[-1].strip()[:300] if lines else ""

    def stop(self, seconds: float = 3.0) -> None:
        """Close its stdin, which tells it to leave; kill it when it has not left in time."""
        process = self._process
        if process is None:
            return
        try:
            if process.stdin is not None:
                process.stdin.close()
        except OSError:
            pass  # it has gone already
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._fail_pending()

    def kill(self) -> None:
        """End it at once; everything that was asked ends in Died."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._fail_pending()

    def _heard(self) -> object:
        """The next message, what is wrong with it, _END when there will be no more; None for nothing yet."""
        if self._outlet is None:
            return None
        try:
            message = self._decoder.next()
            while message is None and (data := self._outlet.read()):
                self._heard_at = time.monotonic()
                self._decoder.feed(data)
                message = self._decoder.next()
        except BadMessage as error:
            return error
        if message is None and data is None:
            self._outlet = None
            return _END
        return message

    def _take(self, item: object) -> None:
        if item is _END:
            self._fail_pending()
            return
        if isinstance(item, BadMessage):
            self.kill()  # what cannot be read cannot be trusted either
            return
        assert isinstance(item, Mapping)
        try:
            reply = envelope.open_reply(item, {n: p.method for n, p in self._open.items()})
        except BadMessage as error:
            number = envelope.number_or_none(item)
            pending = self._open.pop(number, None) if number is not None else None
            if pending is not None:
                pending.settle(None, error)
            return  # a notice of a newer server, or an answer nobody waits for any more
        if reply.number is None:
            request = getattr(reply.message, "request", None)
            if request in self._open and reply.message is not None:
                self._open[request].notices.append(reply.message)
        elif reply.number in self._open:
            self._open.pop(reply.number).settle(reply.message, reply.error)

    def _fail_pending(self) -> None:
        """The process is gone: fail every pending request with `Died`."""
        code = None
        if self._process is not None:
            try:
                code = self._process.wait(0.5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                code = self._process.wait()
        why = f" (exit status {code})" if code else ""
        for pending in self._open.values():
            pending.settle(
                None,
                Died(
                    f"The server went away{why}",
                    hint="Press the button again: it starts a new one. The log may say why",
                ),
            )
        self._open.clear()


def _other_version(text: str) -> WrongProtocol:
    return WrongProtocol(text, hint="Install EDTalk again and restart Blender, so that both are the same")


def clean_environment(environment: Mapping[str, str], root: Path) -> dict[str, str]:
    """The environment for the server: without PYTHON* variables, with `root` as its only extra path."""
    kept = {
        name: value
        for name, value in environment.items()
        if not name.upper().startswith("PYTHON") and name != "__PYVENV_LAUNCHER__"
    }
    return kept | {
        "PYTHONPATH": str(root),
        "PYTHONNOUSERSITE": "1",
        "PYTHONSAFEPATH": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
    }


def _creation_flags() -> int:
    if sys.platform != "win32":
        return 0
    return subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
