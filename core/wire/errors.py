# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that can go wrong for an animator, as one small tree.

    EDTalkError
        InputError              what was handed in cannot be used
            NoFace              no face in the picture
            SeveralFaces        more than one face, and none was chosen
            UnreadableImage     not a picture, truncated, or far too large
            UnreadableAudio     not a sound, empty, or too short
            UnreadableVideo     not a clip
            BadMotion           a motion file that is not one, or belongs to another layout
        CheckpointError
            MissingCheckpoint   no such file
            BadCheckpoint       not a checkpoint, wrong keys or shapes, or it wants to run code
        OutputError
            OutputBlocked       read-only folder, full disk
            OutputExists        frames of another take are in the way
        ServerError
            NotStarted          the server could not be started
            Died                the server went away in the middle of a job
            WrongProtocol       extension and server are of different versions
            BadMessage          a message that is not what was agreed on
                BadFrame        the bytes around a message are broken; the stream is over
                UnknownMethod   no such request
                BadFields       a field is missing, unknown, of the wrong type or out of range
            Stale               a preview that a newer preview has overtaken
            Internal            a mistake of ours; the log has the details
        Cancelled               the animator pressed cancel

The message says what happened and why, in one sentence; `hint` says what to do about it. `kind` names the
class on the wire and in logs, so that both Pythons speak of the same thing without sharing classes.
"""

from __future__ import annotations

from typing import ClassVar


class EDTalkError(Exception):
    """Something the animator can be told in one sentence.

    Usage:
        raise NoFace("No face was found in anna.png", hint="Use a front view, or set the crop by hand")
    """

    kind: ClassVar[str] = "error"
    code: ClassVar[int] = -32000  # JSON-RPC leaves -32000..-32099 to the application

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message


class InputError(EDTalkError):
    """What was handed in cannot be used."""

    kind = "input"


class NoFace(InputError):
    """No face in the picture."""

    kind = "no_face"


class SeveralFaces(InputError):
    """More than one face, and none was chosen."""

    kind = "several_faces"


class UnreadableImage(InputError):
    """Not a picture, truncated, or far too large."""

    kind = "unreadable_image"


class UnreadableAudio(InputError):
    """Not a sound, empty, or too short."""

    kind = "unreadable_audio"


class UnreadableVideo(InputError):
    """Not a clip."""

    kind = "unreadable_video"


class BadMotion(InputError):
    """A motion file that is not one, or belongs to another layout."""

    kind = "bad_motion"


class CheckpointError(EDTalkError):
    """Something about the model's parameters on disk."""

    kind = "checkpoint"


class MissingCheckpoint(CheckpointError):
    """No such file."""

    kind = "missing_checkpoint"


class BadCheckpoint(CheckpointError):
    """Not a checkpoint, wrong keys or shapes, or it wants to run code."""

    kind = "bad_checkpoint"


class OutputError(EDTalkError):
    """Results cannot be put where they should go."""

    kind = "output"


class OutputBlocked(OutputError):
    """Read-only folder, full disk."""

    kind = "output_blocked"


class OutputExists(OutputError):
    """Frames of another take are in the way."""

    kind = "output_exists"


class ServerError(EDTalkError):
    """Something between the extension and its server."""

    kind = "server"


class NotStarted(ServerError):
    """The server could not be started."""

    kind = "not_started"


class Died(ServerError):
    """The server went away in the middle of a job."""

    kind = "died"


class WrongProtocol(ServerError):
    """Extension and server are of different versions."""

    kind = "wrong_protocol"


class BadMessage(ServerError):
    """A message that is not what was agreed on."""

    kind = "bad_message"
    code = -32600


class BadFrame(BadMessage):
    """The bytes around a message are broken; the stream cannot be followed any further."""

    kind = "bad_frame"
    code = -32700


class UnknownMethod(BadMessage):
    """No such request."""

    kind = "unknown_method"
    code = -32601


class BadFields(BadMessage):
    """A field is missing, unknown, of the wrong type or out of range."""

    kind = "bad_fields"
    code = -32602


class Stale(ServerError):
    """A preview that a newer preview has overtaken."""

    kind = "stale"


class Internal(ServerError):
    """A mistake of ours; the log has the details."""

    kind = "internal"
    code = -32603


class Cancelled(EDTalkError):
    """The animator pressed cancel."""

    kind = "cancelled"
    code = -32800


def _tree(root: type[EDTalkError]) -> dict[str, type[EDTalkError]]:
    found = {root.kind: root}
    for child in root.__subclasses__():
        found |= _tree(child)
    return found


KINDS: dict[str, type[EDTalkError]] = _tree(EDTalkError)


def from_kind(kind: str, message: str, hint: str = "") -> EDTalkError:
    """The error that `kind` names, for raising on the other side of the wire; a kind not known here is a
    plain EDTalkError.
    """
    return KINDS.get(kind, EDTalkError)(message, hint)
