# SPDX-License-Identifier: GPL-3.0-or-later
"""core/wire/messages.py, rules.py, envelope.py: a message is right or it does not exist, on both sides."""

from __future__ import annotations

import hashlib
import json
from dataclasses import MISSING, fields
from typing import Any

import pytest

from core.wire import envelope, errors, messages
from core.wire.channels import DEFAULT_CHANNELS, Handle
from core.wire.errors import BadFields, BadMessage, EDTalkError, UnknownMethod

HANDLE = Handle("yaw", "Yaw", "Turns the head", "deg", (0.1,) * 36, -30.0, 30.0).to_dict()
GOOD: dict[str, dict[str, Any]] = {
    "Initialize": {"protocol": messages.PROTOCOL, "client": "test"},
    "Initialized": {
        "protocol": messages.PROTOCOL,
        "server": "0",
        "python": "3",
        "torch": "2",
        "device": "cpu",
        "memory_mb": 1,
        "pid": 2,
        "checkpoints": [{"id": "a", "path": "/a", "licence": "GPL", "size": 64, "embedded": True}],
        "warnings": ["x"],
    },
    "Describe": {"checkpoint": ""},
    "Described": {
        "id": "a",
        "size": 64,
        "channels": [channel.to_dict() for channel in DEFAULT_CHANNELS],
        "emotions": {"happy": [0.5] * 10},
        "handles": [HANDLE],
    },
    "Inspect": {"portrait": "/a.png"},
    "Inspected": {"width": 3, "height": 4, "faces": [[0, 1, 2, 3]], "crop": [0, 0, 3]},
    "Analyze": {"portrait": "/a.png", "audio": "/b.wav", "out": "/m.npz", "idle": 0.5, "face": None},
    "Analyzed": {
        "motion": "/m.npz",
        "steps": 3,
        "seconds": 0.1,
        "model": "a",
        "crop": [0, 0, 9],
        "source_weights": [0] * 36,
        "warnings": [],
    },
    "Decode": {"portrait": "C:\\a.png", "motion": "\\\\host\\share\\m.npz", "out": "C:/out", "hold": -1},
    "Decoded": {"written": 3, "seconds": 0.5, "fps": 6},
    "Preview": {"portrait": "/a.png", "weights": [0.5] * 36, "out": "/p.npy"},
    "Previewed": {"out": "/p.npy", "width": 64, "height": 64, "ms": 1.5},
    "Measure": {"portrait": "/a.png", "crop": [0, 0, 9]},
    "Measured": {"model": "a", "shares": [0.1] * 36, "source_weights": [0] * 36},
    "Hear": {"audio": "/b.wav", "out": "/l.npy"},
    "Heard": {"out": "/l.npy", "rate": 100, "seconds": 2.5},
    "Film": {"frames_in": "/t", "name": "take.", "frames": "1-9", "rate": 25.0, "out": "/f.mp4"},
    "Filmed": {"out": "/f.mp4", "frames": 9, "seconds": 0.36},
    "Cancel": {"request": 3},
    "CancelTaken": {"cancelled": True},
    "Shutdown": {},
    "ShutdownTaken": {},
    "Progress": {"request": 3, "stage": "Rendering", "done": 1, "total": 2, "fps": 3.5, "eta": 0.2},
    "Frame": {"request": 3, "number": -7, "path": "/a/take.-0007.png"},
}
KINDS = {kind.__name__: kind for pair in messages.METHODS.values() for kind in pair} | {
    kind.__name__: kind for kind in messages.NOTICES.values()
}


RELEASED = {1: "before there was this list", 2: "1bb32ebe554ff3a1"}
"""Protocol number -> digest of all names, fields and defaults that messages of that number have."""


def test_messages_that_changed_have_another_protocol_number() -> None:
    """When this fails: is the number that stands in `messages` in a release already? Then raise it and note
    the new digest beside it; if not, note the new digest.
    """
    table = {
        name: [(field.name, repr(field.default)) for field in fields(kind)] for name, kind in KINDS.items()
    }
    shape = json.dumps([sorted(table.items()), sorted(messages.METHODS), sorted(messages.NOTICES)])
    digest = hashlib.blake2b(shape.replace(repr(MISSING), "-").encode(), digest_size=8).hexdigest()
    assert RELEASED[messages.PROTOCOL] == digest


def test_a_greeting_of_another_version_is_read_as_far_as_its_number() -> None:
    hello = messages.Initialized.from_dict({"protocol": 7, "server": "3.0", "gpus": ["a"], "device": None})
    assert (hello.protocol, hello.server) == (7, "3.0")
    assert messages.Initialize.from_dict({"protocol": 7, "window": 3}).protocol == 7
    for number in (True, "7", -1, None):
        with pytest.raises(BadFields):
            messages.Initialize.from_dict({"protocol": number})


def test_every_message_has_an_example_here() -> None:
    assert set(GOOD) == set(KINDS)


@pytest.mark.parametrize("name", GOOD)
def test_a_message_survives_the_wire(name: str) -> None:
    message = KINDS[name].from_dict(GOOD[name])
    assert KINDS[name].from_dict(json.loads(json.dumps(message.to_dict()))) == message


@pytest.mark.parametrize("name", GOOD)
def test_an_unknown_field_is_refused(name: str) -> None:
    with pytest.raises(BadFields, match="no field extra"):
        KINDS[name].from_dict({**GOOD[name], "extra": 1})


@pytest.mark.parametrize("name", [name for name in GOOD if fields(KINDS[name])])
def test_a_field_of_the_wrong_type_is_refused_by_name(name: str) -> None:
    for field in fields(KINDS[name]):
        with pytest.raises(BadFields, match=rf"{name}\.{field.name}"):
            KINDS[name].from_dict({**GOOD[name], field.name: object()})


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("Initialize", "protocol", True),
        ("Initialize", "client", "x" * 5000),
        ("Inspect", "portrait", ""),
        ("Inspect", "portrait", "face.png"),
        ("Inspect", "portrait", "../face.png"),
        ("Inspect", "portrait", "/a\0b.png"),
        ("Inspect", "portrait", "/" + "x" * 40_000),
        ("Analyze", "audio", "voice.wav"),
        ("Analyze", "idle", 1.01),
        ("Analyze", "idle", -0.1),
        ("Analyze", "idle", "0.5"),
        ("Analyze", "articulation", 2.01),
        ("Analyze", "articulation", float("inf")),
        ("Analyze", "strength", [1, 1, 1]),
        ("Analyze", "strength", [1, 1, 1, 2.5]),
        ("Analyze", "seed", -1),
        ("Analyze", "seed", 1.5),
        ("Analyze", "crop", [1, 2]),
        ("Analyze", "crop", [1, 2, 0]),
        ("Analyze", "crop", [1, 2, float("nan")]),
        ("Analyze", "face", -1),
        ("Analyze", "overwrite", 1),
        ("Decode", "name", "a/b"),
        ("Decode", "name", "..\\b"),
        ("Decode", "name", "a:b"),
        ("Decode", "name", "line\nbreak"),
        ("Decode", "digits", 0),
        ("Decode", "size", 5000),
        ("Decode", "size", 31),
        ("Decode", "composite", "blend"),
        ("Decode", "format", "jpg"),
        ("Decode", "hold", 10**9),
        ("Preview", "weights", [0.0] * 35),
        ("Preview", "weights", [0.0] * 35 + [float("inf")]),
        ("Preview", "weights", [0.0] * 35 + [True]),
        ("Preview", "weights", "x" * 36),
        ("Described", "channels", []),
        ("Described", "emotions", {"bored": [0] * 10}),
        ("Described", "emotions", {"happy": [0] * 9}),
        ("Described", "handles", [{**HANDLE, "direction": [0] * 35}]),
        ("Described", "handles", [HANDLE, HANDLE]),
        ("Initialized", "checkpoints", [{"id": "a"}]),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(name: str, field: str, value: object) -> None:
    with pytest.raises(BadFields, match=rf"{name}\.{field} wants"):
        KINDS[name].from_dict({**GOOD[name], field: value})


@pytest.mark.parametrize("params", [None, [], "x", 3])
def test_params_are_an_object(params: object) -> None:
    with pytest.raises(BadFields):
        messages.Cancel.from_dict(params)


def test_a_missing_field_is_named() -> None:
    with pytest.raises(BadFields, match="lacks motion, out, portrait"):
        messages.Decode.from_dict({})


@pytest.mark.parametrize(("method", "pair"), messages.METHODS.items())
def test_a_request_and_its_result_travel_through_the_envelope(method: str, pair: tuple[type, type]) -> None:
    ask, answer = (kind.from_dict(GOOD[kind.__name__]) for kind in pair)
    request = envelope.open_request(json.loads(json.dumps(envelope.request(5, ask))))
    assert (request.number, request.method, request.message()) == (5, method, ask)
    reply = envelope.open_reply(json.loads(json.dumps(envelope.result(5, answer))), {5: method})
    assert reply == envelope.Reply(5, answer)


def test_a_notice_travels_without_a_number() -> None:
    frame = messages.Frame.from_dict(GOOD["Frame"])
    assert envelope.open_reply(envelope.notice(frame), {}) == envelope.Reply(None, frame)


@pytest.mark.parametrize("kind", errors.KINDS)
def test_every_error_keeps_its_class_message_and_hint(kind: str) -> None:
    error = errors.KINDS[kind]("It did not work", hint="Try again")
    reply = envelope.open_reply(json.loads(json.dumps(envelope.failure(4, error))), {})
    assert (reply.number, type(reply.error)) == (4, errors.KINDS[kind])
    assert (str(reply.error), reply.error and reply.error.hint) == ("It did not work", "Try again")


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    assert errors.__doc__
    for kind in errors.KINDS.values():
        assert f" {kind.__name__}" in errors.__doc__ and kind.__doc__


def test_an_error_of_a_kind_not_known_here_is_still_an_error() -> None:
    assert type(errors.from_kind("from_the_future", "x")) is EDTalkError


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"jsonrpc": "1.0", "id": 1, "method": "shutdown"},
        {"jsonrpc": "2.0", "id": "1", "method": "shutdown"},
        {"jsonrpc": "2.0", "id": True, "method": "shutdown"},
        {"jsonrpc": "2.0", "id": -1, "method": "shutdown"},
        {"jsonrpc": "2.0", "method": "shutdown"},
        {"jsonrpc": "2.0", "id": 1, "method": 3},
        {"jsonrpc": "2.0", "id": 1, "method": "shutdown", "extra": 1},
    ],
)
def test_what_is_no_request_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(BadMessage):
        envelope.open_request(data)


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(UnknownMethod):
        envelope.Request(1, "__init__", {}).message()


@pytest.mark.parametrize(
    "data",
    [
        {"id": 1, "result": {}},
        {"jsonrpc": "2.0", "id": 2, "result": {}},
        {"jsonrpc": "2.0", "id": 1},
        {"jsonrpc": "2.0", "id": 1, "error": "x"},
        {"jsonrpc": "2.0", "id": 1, "result": {"cancelled": 1}},
        {"jsonrpc": "2.0", "method": "boo", "params": {}},
    ],
)
def test_the_client_too_refuses_what_was_not_agreed_on(data: dict[str, object]) -> None:
    with pytest.raises(BadMessage):
        envelope.open_reply(data, {1: "cancel"})
