# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON-RPC 2.0 around the messages: a dict for the framing on one side, a checked message on the other.

    request(3, Decode(...))    -> {"jsonrpc": "2.0", "id": 3, "method": "decode", "params": {...}}
    result(3, Decoded(...))    -> {"jsonrpc": "2.0", "id": 3, "result": {...}}
    failure(3, NoFace("..."))  -> {"jsonrpc": "2.0", "id": 3, "error": {"code": ..., "message": "...",
                                   "data": {"kind": "no_face", "hint": "..."}}}
    notice(Frame(...))         -> {"jsonrpc": "2.0", "method": "frame", "params": {...}}

The server opens a request in two steps (`open_request`, then `Request.message`), so that a request with bad
fields is still answered under its own number. The client opens what comes back with `open_reply`, which needs
to know the method each number stands for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import BadFields, BadMessage, EDTalkError, UnknownMethod, from_kind
from .messages import METHODS, NOTICES, Message

_METHOD_OF: dict[type[Message], str] = {ask: method for method, (ask, _) in METHODS.items()}
_NOTICE_OF: dict[type[Message], str] = {kind: name for name, kind in NOTICES.items()}


@dataclass(frozen=True)
class Request:
    """A request as it arrived; its fields are not checked yet."""

    number: int
    method: str
    params: Any

    def message(self) -> Message:
        """The checked message. Raises UnknownMethod, BadFields."""
        if self.method not in METHODS:
            raise UnknownMethod(f"There is no request called {self.method[:60]!r}")
        return METHODS[self.method][0].from_dict(self.params)


@dataclass(frozen=True)
class Reply:
    """What the server said: a result or an error under a request's number, or a notice without one.

    An error whose number is None speaks of a message the server could not even attribute.
    """

    number: int | None
    message: Message | None = None
    error: EDTalkError | None = None


def request(number: int, message: Message) -> dict[str, Any]:
    """`message` as the request `number`."""
    return {"jsonrpc": "2.0", "id": number, "method": _METHOD_OF[type(message)], "params": message.to_dict()}


def result(number: int, message: Message) -> dict[str, Any]:
    """`message` as the answer to the request `number`."""
    return {"jsonrpc": "2.0", "id": number, "result": message.to_dict()}


def failure(number: int | None, error: EDTalkError) -> dict[str, Any]:
    """`error` as the answer to the request `number`, None when that is not known."""
    data = {"kind": error.kind, "hint": error.hint}
    return {
        "jsonrpc": "2.0",
        "id": number,
        "error": {"code": error.code, "message": error.message, "data": data},
    }


def notice(message: Message) -> dict[str, Any]:
    """`message` as a notification."""
    return {"jsonrpc": "2.0", "method": _NOTICE_OF[type(message)], "params": message.to_dict()}


def number_or_none(data: Mapping[str, Any]) -> int | None:
    """The request number a raw message carries, as far as it carries a proper one."""
    number = data.get("id")
    return (
        number if isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= 10**9 else None
    )


def open_request(data: Mapping[str, Any]) -> Request:
    """The request in `data`. Raises BadMessage for what is no JSON-RPC request with a whole number as id."""
    number, method = number_or_none(data), data.get("method")
    if data.get("jsonrpc") != "2.0" or number is None or not isinstance(method, str):
        raise BadMessage('A request has "jsonrpc": "2.0", a whole number as "id" and a "method"')
    if set(data) - {"jsonrpc", "id", "method", "params"}:
        raise BadMessage("A request has the members jsonrpc, id, method and params only")
    return Request(number, method, data.get("params", {}))


def open_reply(data: Mapping[str, Any], methods: Mapping[int, str]) -> Reply:
    """What the server said in `data`; `methods` tells which method each open request number stands for.

    Raises BadMessage or BadFields for what is no answer to any of them and no notice.
    """
    if data.get("jsonrpc") != "2.0":
        raise BadMessage('A message has "jsonrpc": "2.0"')
    if "method" in data:
        kind = NOTICES.get(str(data["method"]))
        if kind is None:
            raise UnknownMethod(f"There is no notice called {str(data['method'])[:60]!r}")
        return Reply(None, kind.from_dict(data.get("params")))
    number = number_or_none(data)
    if "error" in data:
        return Reply(number, error=_open_error(data["error"]))
    if number is None or number not in methods or "result" not in data:
        raise BadMessage(f"An answer came to no open request: {number}")
    return Reply(number, METHODS[methods[number]][1].from_dict(data["result"]))


def _open_error(error: Any) -> EDTalkError:
    if not isinstance(error, Mapping) or not isinstance(error.get("message"), str):
        raise BadFields("An error wants a message")
    details = error.get("data")
    details = details if isinstance(details, Mapping) else {}
    return from_kind(str(details.get("kind", "")), error["message"], str(details.get("hint", "")))
