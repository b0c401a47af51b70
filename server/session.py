# SPDX-License-Identifier: GPL-3.0-or-later
"""One client, from its first message to its last: read, dispatch, answer.

A thread listens, so that a cancel is heard and a closed stdin is noticed while the worker is deep in a
decode, and another sends, so that no work waits for a client that is slow to listen; the work itself stays on
the thread that called `run`. Every request ends in exactly one result or one error.

Leaving: `shutdown` answers all that is open and ends the session in order. When stdin closes there is nobody
left to answer. Either way the running job is told to stop, and if it has not done so after `GRACE` seconds
the process leaves without it, so that no orphan stays.
"""

from __future__ import annotations

import logging
import math
import os
import threading
from pathlib import Path
from typing import BinaryIO, Protocol

from core.wire import envelope, framing, messages, rules
from core.wire.errors import BadFrame, BadMessage, Cancelled, EDTalkError, Stale, WrongProtocol

from .errors import unexpected
from .jobs import URGENT, Desk, Job
from .outbox import Outbox
from .report import Pace, Report

GRACE = 2.0
"""Seconds a running job has to stop after stdin closed."""

PATIENCE = 300.0
"""Idle seconds after which the runtime lets go of the model, so that Blender may have the graphics card;
unless the client wishes otherwise.
"""

log = logging.getLogger("edtalk")


class Runtime(Protocol):
    """What the session needs of `server.runtime.Runtime`; a test may put something smaller here."""

    def answer(self, message: messages.Message, report: Report) -> messages.Message:
        """Do what the message asks for and return its result. Raises EDTalkError."""

    def rest(self) -> None:
        """Let go of memory; nothing has been asked for in a while."""


class Session:
    """The server's side of one connection.

    Usage:
        Session(stdin, stdout, Runtime()).run()
    """

    def __init__(
        self,
        source: BinaryIO,
        sink: BinaryIO,
        runtime: Runtime,
        log_file: str = "",
        patience: float = PATIENCE,
    ) -> None:
        self._reader = framing.Reader(source)
        self._runtime = runtime
        self._log_file = log_file
        self._patience = None if math.isinf(patience) else patience
        self._desk = Desk()
        self._outbox = Outbox(sink, self._desk.close)  # when the client has gone, so do we
        self._open: set[int] = set()
        self._lock = threading.Lock()
        self._greeted = self._shut_down = False
        self._finished = threading.Event()
        self._exit_code = 0

    def run(self) -> int:
        """Serve until the client says shutdown or closes the stream. Returns the exit code."""
        listener = threading.Thread(target=self._listen, name="listener", daemon=True)
        listener.start()
        while (job := self._desk.take(self._patience, self._runtime.rest)) is not None:
            self._serve(job)
        self._finished.set()
        listener.join(GRACE)  # it may still have its last answers to give
        self._outbox.close(GRACE)
        return self._exit_code

    # --- the listening thread ---

    def _listen(self) -> None:
        try:
            while self._hear():
                pass
        except (OSError, ValueError):
            pass  # the stream was closed under us: the same as its end
        except BaseException:
            log.exception("The listening thread failed")
            self._exit_code = 1
        self._desk.close()
        if not self._finished.wait(0 if self._shut_down else GRACE):
            log.warning("A job did not stop in time, leaving without it")
            self._outbox.close(GRACE)
            os._exit(self._exit_code)

    def _hear(self) -> bool:
        """Read and dispatch one message; false when there will be no more."""
        try:
            data = self._reader.read()
        except BadFrame as error:
            self._outbox.put(framing.encode(envelope.failure(None, _short(error))))
            self._exit_code = 1
            return False
        except BadMessage as error:
            self._outbox.put(framing.encode(envelope.failure(None, _short(error))))
            return True
        if data is None:
            return False
        number = envelope.number_or_none(data)
        try:
            request = envelope.open_request(data)
            with self._lock:
                if number in self._open:
                    number = None  # its own answer is still to come, and must stay the only one
                    raise BadMessage(f"The number {request.number} belongs to a request that is still open")
            message = request.message()
            self._check_order(message)
        except EDTalkError as error:
            self._outbox.put(framing.encode(envelope.failure(number, _short(error))))
            return True
        return self._dispatch(Job(request.number, message))

    def _check_order(self, message: messages.Message) -> None:
        if isinstance(message, messages.Initialize):
            if message.protocol != messages.PROTOCOL:
                newer = "newer" if message.protocol < messages.PROTOCOL else "older"
                raise WrongProtocol(
                    f"The server is {newer} than this extension: it speaks protocol {messages.PROTOCOL}, the "
                    f"extension {message.protocol}",
                    hint="Install EDTalk again and restart Blender, so that both are the same",
                )
            self._greeted = True
        elif not self._greeted and not isinstance(message, messages.Shutdown):
            raise BadMessage("The first request must be initialize")

    def _dispatch(self, job: Job) -> bool:
        with self._lock:
            self._open.add(job.number)
        if isinstance(job.message, messages.Shutdown):
            self._shut_down = True
            self._desk.close()
            self._finished.wait(GRACE)
            for number in sorted(self._open - {job.number}):
                self._answer(number, Cancelled("The server was shut down"))
            self._answer(job.number, messages.ShutdownTaken())
            return False
        if isinstance(job.message, messages.Cancel):
            found, waiting_job = self._desk.cancel(job.message.request)
            if waiting_job:
                self._answer(waiting_job.number, Cancelled("Cancelled before it began"))
            self._answer(job.number, messages.CancelTaken(cancelled=found))
        elif stale := self._desk.put(job):
            self._answer(stale.number, Stale("A newer preview has overtaken this one"))
        return True

    # --- the working thread ---

    def _serve(self, job: Job) -> None:
        self._answer(job.number, self._result_or_error(job))
        self._desk.finish(job)

    def _result_or_error(self, job: Job) -> messages.Message | EDTalkError:
        try:
            return self._runtime.answer(job.message, _WireReport(self, job))
        except EDTalkError as error:
            return error
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a library's panic or exit, too, is answered
            log.exception("Request %d (%s) failed", job.number, type(job.message).__name__)
            return unexpected(error, self._log_file)

    def serve_urgent(self) -> None:
        """Answer what may overtake, in the midst of another job."""
        while (job := self._desk.take_urgent()) is not None:
            self._serve(job)

    # --- both ---

    def _answer(self, number: int, outcome: messages.Message | EDTalkError) -> None:
        data = self._written(number, outcome)
        with self._lock:
            if number not in self._open:
                return  # answered already, on the way out
            self._open.discard(number)
        self._outbox.put(data)

    def _written(self, number: int, outcome: messages.Message | EDTalkError) -> bytes:
        """The answer as it is sent; what cannot be sent becomes an error that can, so that there is one."""
        try:
            if isinstance(outcome, EDTalkError):
                return framing.encode(envelope.failure(number, _short(outcome)))
            return framing.encode(envelope.result(number, outcome))
        except Exception as error:
            log.exception("The answer to request %d cannot be sent", number)
            return framing.encode(envelope.failure(number, _short(unexpected(error, self._log_file))))

    def notify(self, message: messages.Message) -> None:
        """Tell the client something it did not ask for; what cannot be sent is left out."""
        try:
            self._outbox.put(framing.encode(envelope.notice(message)))
        except BadMessage:
            log.exception("A notice cannot be sent")


def _short(error: EDTalkError) -> EDTalkError:
    """The same error, of a length that a message has room for."""
    if max(len(error.message), len(error.hint)) <= rules.MAX_TEXT:
        return error
    return type(error)(_cut(error.message), _cut(error.hint))


def _cut(text: str) -> str:
    return text if len(text) <= rules.MAX_TEXT else text[: rules.MAX_TEXT - 3] + "..."


class _WireReport:
    """A job's report to the client."""

    def __init__(self, session: Session, job: Job) -> None:
        self._session = session
        self._job = job
        self._pace = Pace()

    def progress(self, stage: str, done: int, total: int) -> None:
        if self._pace.due(stage, done, total):
            fps, eta = self._pace.speed(done, total)
            self._session.notify(
                messages.Progress(
                    request=self._job.number, stage=stage, done=done, total=total, fps=fps, eta=eta
                )
            )

    def frame(self, number: int, path: Path) -> None:
        self._session.notify(messages.Frame(request=self._job.number, number=number, path=str(path)))

    def breathe(self) -> None:
        if self._job.cancelled.is_set():
            raise Cancelled("Cancelled")
        if not isinstance(self._job.message, URGENT):
            self._session.serve_urgent()
