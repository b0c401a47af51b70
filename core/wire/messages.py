# SPDX-License-Identifier: GPL-3.0-or-later
"""Every message between Blender and the server: one frozen dataclass each, checked when it is built, on both
sides.

`METHODS` is the schema: method -> (request, result). All paths are whole paths. Pictures and motion go by
file, never by wire.

Usage, on the client:
    ask = messages.Decode(portrait=..., motion=..., out=...)      # BadFields, if something is wrong with it
    writer.write(envelope.request(7, ask))
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, TypeVar

from . import rules
from .errors import BadFields
from .rules import ruled

PROTOCOL = 2
"""Raised whenever a release changes what a message holds or means; both sides must agree. The two greetings
are the exception: whatever the version, they are an object with this number in `protocol`, and what else they
hold is only looked at when the number is the same.
"""

COMPOSITES = ("crop", "paste")
FORMATS = ("png", "png16", "exr")
FILMS = ("mp4", "prores", "ffv1")
"""Kinds of film, see `core.pictures.film`."""
PASSES = ("face", "matte", "plate", "mouth")
"""What may be written beside the picture, see `core.engine.finish`."""
MAX_SIZE = 4096

M = TypeVar("M", bound="Message")

_COUNT = rules.whole(0, 10**9)
_NUMBER = rules.whole(-(10**7), 10**7)  # Blender's scene frames lie within +-1048574
_SIDE = rules.whole(32, MAX_SIZE)
_SECONDS = rules.number(0, 1e9)


@dataclass(frozen=True, kw_only=True)
class Message:
    """The base of all messages: checks each field by its rule, and turns into plain JSON and back."""

    def __post_init__(self) -> None:
        for field in fields(self):
            try:
                tidy = field.metadata["rule"](getattr(self, field.name))
            except ValueError as error:
                raise BadFields(f"{type(self).__name__}.{field.name} {error}") from error
            object.__setattr__(self, field.name, tidy)

    def to_dict(self) -> dict[str, Any]:
        """As JSON keeps it."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_dict(cls: type[M], data: Any) -> M:
        """The inverse of `to_dict`. Raises BadFields for a missing, unknown or ill-valued field."""
        if not isinstance(data, Mapping):
            raise BadFields(f"{cls.__name__} wants an object with named fields")
        unknown = sorted(str(key)[:60] for key in set(data) - {field.name for field in fields(cls)})
        missing = sorted(
            field.name for field in fields(cls) if field.default is MISSING and field.name not in data
        )
        if unknown:
            raise BadFields(f"{cls.__name__} has no field {', '.join(unknown[:5])}")
        if missing:
            raise BadFields(f"{cls.__name__} lacks {', '.join(missing)}")
        return cls(**data)


@dataclass(frozen=True, kw_only=True)
class Initialize(Message):
    """The first request: who is calling, and in which version of these messages."""

    protocol: int = ruled(_COUNT)
    client: str = ruled(rules.text, "")

    @classmethod
    def from_dict(cls, data: Any) -> Initialize:
        """Of another version, the number alone."""
        other = _other_protocol(data)
        return super().from_dict(data) if other is None else cls(protocol=other)


@dataclass(frozen=True, kw_only=True)
class Initialized(Message):
    """What answers, what it runs on, and the checkpoints it found."""

    protocol: int = ruled(_COUNT)
    server: str = ruled(rules.text)  # version of EDTalk
    python: str = ruled(rules.text)
    torch: str = ruled(rules.text)
    device: str = ruled(rules.text)  # "cuda", "mps" or "cpu"
    memory_mb: int = ruled(_COUNT)  # free memory of the device, 0 when unknown
    pid: int = ruled(_COUNT)
    checkpoints: tuple[dict[str, Any], ...] = ruled(
        rules.several(
            rules.record(
                {
                    "id": rules.text,
                    "path": rules.path,
                    "licence": rules.text,
                    "size": _COUNT,  # side of the picture in pixels
                    "embedded": rules.flag,  # shipped with EDTalk
                }
            )
        )
    )
    warnings: tuple[str, ...] = ruled(rules.several(rules.text), ())

    @classmethod
    def from_dict(cls, data: Any) -> Initialized:
        """Of another version, its number and its name alone."""
        other = _other_protocol(data)
        if other is None:
            return super().from_dict(data)
        name = data.get("server")
        return cls(
            protocol=other,
            server=name[:60] if isinstance(name, str) else "",
            python="",
            torch="",
            device="",
            memory_mb=0,
            pid=0,
            checkpoints=(),
        )


def _other_protocol(data: Any) -> int | None:
    """The number in a greeting, if it is a proper one and not ours."""
    number = data.get("protocol") if isinstance(data, Mapping) else None
    return number if type(number) is int and 0 <= number <= 10**9 and number != PROTOCOL else None


@dataclass(frozen=True, kw_only=True)
class Describe(Message):
    """What are this checkpoint's sliders? "" is the one shipped with EDTalk."""

    checkpoint: str = ruled(rules.path_or_empty, "")


@dataclass(frozen=True, kw_only=True)
class Described(Message):
    """The sliders of a checkpoint, where its emotions lie, and what its handles do."""

    id: str = ruled(rules.text)
    size: int = ruled(_SIDE)
    channels: tuple[dict[str, Any], ...] = ruled(rules.several(rules.channel, 36, 36))
    emotions: Mapping[str, tuple[float, ...]] = ruled(rules.emotions)
    handles: tuple[dict[str, Any], ...] = ruled(rules.handles, ())


@dataclass(frozen=True, kw_only=True)
class Inspect(Message):
    """Where is the face in this portrait?"""

    portrait: str = ruled(rules.path)
    upright: str = ruled(rules.path_or_empty, "")  # a PNG to write, should the file itself lie on its side
    read: bool = ruled(rules.flag, False)  # the marks of each face, too
    crop: tuple[float, float, float] | None = ruled(
        rules.optional(rules.crop), None
    )  # read them here as well


@dataclass(frozen=True, kw_only=True)
class Inspected(Message):
    """Size of the portrait, faces as x, y, width, height, and the crop `analyze` would choose; in pixels.

    The crop is None when there is no face, or when there are several to choose from; `crops` has one for each
    face. A portrait that is `turned` lies on its side or its head, for programs that do not heed the camera's
    mark in the file; all places are those in the upright picture.
    """

    width: int = ruled(_COUNT)
    height: int = ruled(_COUNT)
    faces: tuple[tuple[float, ...], ...] = ruled(rules.several(rules.several(rules.number(-1e6, 1e6), 4, 4)))
    crop: tuple[float, float, float] | None = ruled(rules.optional(rules.crop), None)
    crops: tuple[tuple[float, float, float], ...] = ruled(rules.several(rules.crop), ())
    turned: bool = ruled(rules.flag, False)
    # of each of `crops`, then of the crop that was asked for: None where nothing is read
    marks: tuple[Mapping[str, tuple[tuple[float, ...], ...]] | None, ...] = ruled(
        rules.several(rules.optional(rules.marks)), ()
    )
    warnings: tuple[str, ...] = ruled(rules.several(rules.text), ())  # what is doubtful about the faces


@dataclass(frozen=True, kw_only=True)
class Analyze(Message):
    """A portrait and a voice (or a driving clip, or both) -> motion.npz."""

    portrait: str = ruled(rules.path)
    audio: str = ruled(rules.path_or_empty, "")
    driving: str = ruled(rules.path_or_empty, "")
    checkpoint: str = ruled(rules.path_or_empty, "")
    out: str = ruled(rules.path)  # the motion.npz to write
    crop: tuple[float, float, float] | None = ruled(rules.optional(rules.crop), None)  # None: found by itself
    seed: int = ruled(rules.whole(0, 2**31 - 1), 0)
    idle: float = ruled(rules.number(0, 1), 0.0)  # natural head motion and blinks, 0 none .. 1 lively
    emotion: str = ruled(rules.text, "")  # a name from the checkpoint, "" for none, "auto" for what is meant
    text: str = ruled(rules.prose, "")  # the transcript, plain or as subtitles, or a text file's whole path
    stillness: float = ruled(rules.number(0, 1), 0.3)  # of a head that moves to the voice
    articulation: float = ruled(rules.number(0, 2), 1.0)  # of the lips: 0.5 mumbling .. 1.5 over-articulated
    # of each of `channels.PARTS`: how far it leaves the portrait's own, 1 as analysed
    strength: tuple[float, ...] = ruled(rules.several(rules.number(0, 2), 4, 4), (1.0, 1.0, 1.0, 1.0))
    # what is said when, as `Analyzed` told it and as it was moved since; None: found from `text`
    phones: tuple[dict[str, Any], ...] | None = ruled(rules.optional(rules.PHONES), None)
    face: int | None = ruled(rules.optional(rules.whole(0, 1000)), None)  # of several, from left to right
    overwrite: bool = ruled(rules.flag, False)


@dataclass(frozen=True, kw_only=True)
class Analyzed(Message):
    """The motion that was written, and the crop it is meant for."""

    motion: str = ruled(rules.path)
    steps: int = ruled(_COUNT)
    seconds: float = ruled(_SECONDS)
    model: str = ruled(rules.text)
    crop: tuple[float, float, float] = ruled(rules.crop)
    source_weights: tuple[float, ...] = ruled(rules.WEIGHTS)  # the portrait's own
    sound: str = ruled(rules.said, "")  # digests of the files it was made from, "" for none
    clip: str = ruled(rules.said, "")
    phones: tuple[dict[str, Any], ...] = ruled(rules.PHONES, ())  # what is said when; () where not known
    warnings: tuple[str, ...] = ruled(rules.several(rules.text), ())


@dataclass(frozen=True, kw_only=True)
class Decode(Message):
    """Motion -> one picture file a frame, named by the motion's frame numbers: `out/` + name + number +
    suffix.
    """

    portrait: str = ruled(rules.path)
    motion: str = ruled(rules.path)
    out: str = ruled(rules.path)
    name: str = ruled(rules.file_stem, "take.")
    digits: int = ruled(rules.whole(1, 9), 4)
    checkpoint: str = ruled(rules.path_or_empty, "")
    crop: tuple[float, float, float] | None = ruled(rules.optional(rules.crop), None)
    face: int | None = ruled(rules.optional(rules.whole(0, 1000)), None)
    size: int = ruled(_SIDE, 512)  # side of the crop as it is written
    composite: str = ruled(rules.one_of(*COMPOSITES), "crop")  # alone, or pasted into the whole portrait
    detail: bool = ruled(rules.flag, True)  # carry the portrait's own sharpness over
    format: str = ruled(rules.one_of(*FORMATS), "png")
    marks: Mapping[str, tuple[tuple[float, ...], ...]] | None = ruled(rules.optional(rules.marks), None)
    hold: int | None = ruled(rules.optional(_NUMBER), None)  # also write the untouched source as this frame
    passes: tuple[str, ...] = ruled(rules.several(rules.one_of(*PASSES), 0, len(PASSES)), ())
    mark: bool = ruled(rules.flag, True)  # write into the files where they come from: `core.wire.origin`
    origin: Mapping[str, str] | None = ruled(rules.optional(rules.origin), None)  # what is known of that
    take: str = ruled(rules.text, "")  # frames of another take are not overwritten without asking
    overwrite: bool = ruled(rules.flag, False)  # asked, and they may go


@dataclass(frozen=True, kw_only=True)
class Decoded(Message):
    """How many frames were written, and how fast."""

    written: int = ruled(_COUNT)
    seconds: float = ruled(_SECONDS)
    fps: float = ruled(_SECONDS)


@dataclass(frozen=True, kw_only=True)
class Preview(Message):
    """One picture, now. It overtakes what is queued or running; a newer preview makes an unanswered older one
    stale.
    """

    portrait: str = ruled(rules.path)
    weights: tuple[float, ...] = ruled(rules.WEIGHTS)
    checkpoint: str = ruled(rules.path_or_empty, "")
    crop: tuple[float, float, float] | None = ruled(rules.optional(rules.crop), None)
    face: int | None = ruled(rules.optional(rules.whole(0, 1000)), None)
    size: int = ruled(_SIDE, 256)
    detail: bool = ruled(rules.flag, False)
    mouth: tuple[float, ...] | None = ruled(rules.optional(rules.MOUTH), None)  # None: nothing is asked for
    marks: Mapping[str, tuple[tuple[float, ...], ...]] | None = ruled(rules.optional(rules.marks), None)
    out: str = ruled(rules.path)  # .npy to write: uint8 [H, W, 4], top row first, display-referred sRGB


@dataclass(frozen=True, kw_only=True)
class Previewed(Message):
    """Where the picture is, and the milliseconds it took."""

    out: str = ruled(rules.path)
    width: int = ruled(_COUNT)
    height: int = ruled(_COUNT)
    ms: float = ruled(_SECONDS)


@dataclass(frozen=True, kw_only=True)
class Measure(Message):
    """How far does each weight move this face?"""

    portrait: str = ruled(rules.path)
    checkpoint: str = ruled(rules.path_or_empty, "")
    crop: tuple[float, float, float] | None = ruled(rules.optional(rules.crop), None)
    face: int | None = ruled(rules.optional(rules.whole(0, 1000)), None)


@dataclass(frozen=True, kw_only=True)
class Measured(Message):
    """The most that one unit of each weight moves any point of the face, in shares of the crop's side: see
    `core.engine.sensitivity`. And the portrait's own weights.
    """

    model: str = ruled(rules.text)
    shares: tuple[float, ...] = ruled(rules.WEIGHTS)
    source_weights: tuple[float, ...] = ruled(rules.WEIGHTS)


@dataclass(frozen=True, kw_only=True)
class Hear(Message):
    """How loud is this recording, moment by moment?"""

    audio: str = ruled(rules.path)
    out: str = ruled(rules.path)  # .npy to write: float32 [T] decibels below full scale


@dataclass(frozen=True, kw_only=True)
class Heard(Message):
    """Where the levels are, and how many there are a second."""

    out: str = ruled(rules.path)
    rate: int = ruled(_COUNT)
    seconds: float = ruled(_SECONDS)


@dataclass(frozen=True, kw_only=True)
class Film(Message):
    """Make a film of frames that are on disk, with the sound."""

    frames_in: str = ruled(rules.path)  # folder
    name: str = ruled(rules.file_stem)  # what the file names begin with: "take."
    format: str = ruled(rules.one_of(*FORMATS), "png")
    frames: str = ruled(rules.text)  # file numbers as ranges: "101-150,160", see `core.wire.ranges`
    rate: float = ruled(rules.number(1, 1000))  # frames a second
    form: str = ruled(rules.one_of(*FILMS), "mp4")
    sound: str = ruled(rules.path_or_empty, "")
    since: float = ruled(rules.number(-1e6, 1e6), 0.0)  # seconds of the sound before the first frame
    mark: bool = ruled(rules.flag, True)  # write into the film where it comes from, as for Decode
    origin: Mapping[str, str] | None = ruled(rules.optional(rules.origin), None)
    out: str = ruled(rules.path)
    overwrite: bool = ruled(rules.flag, False)


@dataclass(frozen=True, kw_only=True)
class Filmed(Message):
    """The film that was written."""

    out: str = ruled(rules.path)
    frames: int = ruled(_COUNT)
    seconds: float = ruled(_SECONDS)
    silent: bool = ruled(rules.flag, False)  # no sound was given, or a clip without any


@dataclass(frozen=True, kw_only=True)
class Cancel(Message):
    """Stop that request, whether it waits or runs; it will end in the error "cancelled"."""

    request: int = ruled(_COUNT)


@dataclass(frozen=True, kw_only=True)
class CancelTaken(Message):
    """False: there was nothing left to stop."""

    cancelled: bool = ruled(rules.flag)


@dataclass(frozen=True, kw_only=True)
class Shutdown(Message):
    """Stop everything and leave."""


@dataclass(frozen=True, kw_only=True)
class ShutdownTaken(Message):
    """Goodbye."""


@dataclass(frozen=True, kw_only=True)
class Progress(Message):
    """How far a request has come; about ten a second at most, the last one always."""

    request: int = ruled(_COUNT)
    stage: str = ruled(rules.text)  # a word for the animator: "Loading", "Listening", "Rendering"
    done: int = ruled(_COUNT)
    total: int = ruled(_COUNT)  # 0: not known
    fps: float = ruled(_SECONDS, 0.0)
    eta: float = ruled(_SECONDS, 0.0)  # seconds left


@dataclass(frozen=True, kw_only=True)
class Frame(Message):
    """A frame of a running decode is on disk, whole."""

    request: int = ruled(_COUNT)
    number: int = ruled(_NUMBER)
    path: str = ruled(rules.path)


METHODS: dict[str, tuple[type[Message], type[Message]]] = {
    "initialize": (Initialize, Initialized),
    "describe": (Describe, Described),
    "inspect": (Inspect, Inspected),
    "analyze": (Analyze, Analyzed),
    "decode": (Decode, Decoded),
    "preview": (Preview, Previewed),
    "measure": (Measure, Measured),
    "hear": (Hear, Heard),
    "film": (Film, Filmed),
    "cancel": (Cancel, CancelTaken),
    "shutdown": (Shutdown, ShutdownTaken),
}
"""Method -> (request, result)."""

NOTICES: dict[str, type[Message]] = {"progress": Progress, "frame": Frame}
"""What the server says without being asked."""
