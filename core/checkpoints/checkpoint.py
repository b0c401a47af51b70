# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints: one file that says what it is, loaded strictly and without running anything.

Ours is safetensors.  The tensors are `edtalk.*` and, if it listens, `audio_to_mouth.*`, if it moves
its head to speech, `audio_to_pose.*`, if it understands feelings, `speech_to_expression.*`; matrices are
float16, the bank float32 (its QR decides signs).  One metadata entry, `edtalk`, is JSON: format, id,
name, licence, config, configs of the others, the 36 channels, emotions, handles, digest.  The digest is
checked on loading, so a damaged file is noticed.  The id ends in a digest of the face network alone, so
that a motion file can say whose weights it holds; a converted checkpoint keeps its id.

    meta = save(path, model, Meta(name="heads", licence="CC0-1.0", channels=..., emotions=...))
    loaded = load(path)                      # or a published EDTalk.pt, see core.checkpoints.published
    loaded.model, loaded.audio_to_mouth, loaded.meta
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialised
from torch import Tensor, nn

from core.checkpoints import published, published_keys
from core.files import is_file, written_whole
from core.models import EDTalk, EDTalkConfig
from core.models.audio_to_mouth import PUBLISHED, AudioToMouth, AudioToMouthConfig, build
from core.models.audio_to_pose import AudioToPose, AudioToPoseConfig
from core.models.speech_to_expression import SpeechToExpression, SpeechToExpressionConfig
from core.wire.channels import BANKS, DEFAULT_CHANNELS, EMOTIONS, Channel, Handle, bank_of
from core.wire.errors import BadCheckpoint, CheckpointError, MissingCheckpoint

FORMAT = 1
_MODEL, _AUDIO = "edtalk.", "audio_to_mouth."
_POSE, _FEELING = "audio_to_pose.", "speech_to_expression."
_EXACT = "bank.directions"
_KINDS = ("F16", "BF16", "F32", "F64", "I64", "I32", "BOOL")  # of stored values, in safetensors' words
MOST_HEADER = 8 << 20
"""Bytes before the tensors; ours have some 50 000."""
LONGEST = {"id": 200, "name": 100, "licence": 1000, "note": 4000}
"""Characters of what a checkpoint says about itself."""
MOST_HANDLES = 200


@dataclass(frozen=True)
class Meta:
    """What a checkpoint says about itself; `save` fills in the id."""

    name: str = "edtalk"
    licence: str = ""
    channels: tuple[Channel, ...] = DEFAULT_CHANNELS
    emotions: Mapping[str, tuple[float, ...]] = field(default_factory=dict)  # 10 expression weights each
    note: str = ""  # one line for people: data, steps
    handles: tuple[Handle, ...] = ()  # semantic controls, once `edtalk calibrate` has measured them
    id: str = ""  # name and digest, "heads-0123456789ab"


@dataclass(frozen=True)
class Header:
    """What can be read without reading tensors."""

    meta: Meta
    config: EDTalkConfig
    audio: AudioToMouthConfig | None
    digest: str  # of all tensors as they are stored
    pose: AudioToPoseConfig | None = None
    feeling: SpeechToExpressionConfig | None = None


@dataclass(frozen=True)
class Loaded:
    """Networks in evaluation mode, float32."""

    model: EDTalk
    audio_to_mouth: AudioToMouth | None
    meta: Meta
    audio_to_pose: AudioToPose | None = None
    speech_to_expression: SpeechToExpression | None = None
    warnings: tuple[str, ...] = ()  # sentences: what it holds and this machine cannot use
    audio_id: str = ""  # digest of the audio network's tensors as they are stored, whatever the face network


def default_checkpoint() -> Path:
    """The model that comes with the product."""
    return Path(__file__).with_name("edtalk-heads.safetensors")


def save(
    path: Path | str,
    model: EDTalk,
    meta: Meta,
    audio_to_mouth: AudioToMouth | None = None,
    half: bool = True,
    audio_to_pose: AudioToPose | None = None,
    speech_to_expression: SpeechToExpression | None = None,
) -> Meta:
    """Write a checkpoint whole or not at all; returns `meta` with its id.

    Args:
        half: store matrices as float16.  Published weights are converted with half=False, so that
            they give the same numbers as before.

    Raises:
        OutputBlocked: the system refuses to write.
    """
    face = {k: _stored(k, v, half) for k, v in model.state_dict().items()}
    meta = replace(meta, id=f"{meta.name}-{_digest(face)}")
    tensors = {_MODEL + k: v for k, v in face.items()}
    others = ((_AUDIO, audio_to_mouth), (_POSE, audio_to_pose), (_FEELING, speech_to_expression))
    for prefix, net in others:
        if net is not None:
            tensors |= {prefix + k: _stored(k, v, half) for k, v in net.state_dict().items()}
    header = Header(
        meta,
        model.config,
        None if audio_to_mouth is None else audio_to_mouth.config,
        _digest(tensors),
        None if audio_to_pose is None else audio_to_pose.config,
        None if speech_to_expression is None else speech_to_expression.config,
    )
    _write(path, tensors, header)
    return meta


def load(path: Path | str, device: str | torch.device = "cpu") -> Loaded:
    """Read a checkpoint of ours, or a published generator with the `Audio2Lip.pt` beside it, if any.

    Raises:
        MissingCheckpoint: no such file.
        BadCheckpoint: damaged, or of another kind; one sentence says which key and why.
    """
    path = Path(path)
    if is_file(path) and _is_pickle(path):
        audio = path.with_name("Audio2Lip.pt")
        return load_published(path, audio if is_file(audio) else None, device)
    header = read_header(path)
    _check_shapes(path, header)
    tensors = _tensors(path, header)
    model = EDTalk(header.config)
    _fit(model, tensors, _MODEL, path.name)
    net, audio_id = None, ""
    if header.audio is not None:
        net = build(header.audio)
        _fit(net, tensors, _AUDIO, path.name)
        net.to(device)
        audio_id = _digest({k[len(_AUDIO) :]: t for k, t in tensors.items() if k.startswith(_AUDIO)})
    pose: AudioToPose | None = None
    warnings: tuple[str, ...] = ()
    if header.pose is not None and find_spec("zuko") is None:
        warnings = (_NO_ZUKO,)
    elif header.pose is not None:
        pose = AudioToPose(header.pose).eval()
        _fit(pose, tensors, _POSE, path.name)
    feeling = None
    if header.feeling is not None:
        feeling = SpeechToExpression(header.feeling).eval()
        _fit(feeling, tensors, _FEELING, path.name)
    return Loaded(model.to(device).eval(), net, header.meta, pose, feeling, warnings, audio_id)


def load_published(
    generator: Path | str, audio: Path | str | None = None, device: str | torch.device = "cpu"
) -> Loaded:
    """Read EDTalk.pt or EDTalk_lip_pose.pt, and Audio2Lip.pt, without running their code.

    Raises:
        MissingCheckpoint, BadCheckpoint: naming the key and the likely cause.
    """
    state = published.read(generator, "gen")
    config = published.generator_config(state)
    ours = published.translate(state, config, Path(generator).name)  # before anything is made for it
    model = EDTalk(config)
    _fit(model, ours, "", Path(generator).name)
    net = None
    if audio is not None:
        net = build(PUBLISHED)
        _fit(net, published.read(audio, "audio2lip"), "", Path(audio).name)
        net.to(device)
    full = config.expression > 0
    name = "published" if full else "published-mouth-pose"
    meta = Meta(
        name=name,
        licence="Weights of the EDTalk project, under that project's terms",
        channels=tuple(replace(c, used=full or bank_of(c.name) != "expression") for c in DEFAULT_CHANNELS),
        emotions=published_keys.EMOTIONS if full else {},
        id=f"{name}-{_digest(model.state_dict())}",
    )
    return Loaded(model.to(device).eval(), net, meta)


def rewrite(path: Path | str, meta: Meta, out: Path | str | None = None) -> None:
    """Change what a checkpoint of ours says about itself (labels, handles ...), and not a bit of its tensors.

    The file at `out`, by default the same one, is written whole or not at all.  The id stays: it names
    weights.

    Raises:
        MissingCheckpoint, BadCheckpoint, OutputBlocked.
    """
    header = read_header(path)
    tensors = _tensors(Path(path), header)
    _write(out or path, tensors, replace(header, meta=replace(meta, id=header.meta.id)))


def convert(
    generator: Path | str, out: Path | str, audio: Path | str | None = None, half: bool = False
) -> Meta:
    """Published files -> one checkpoint of ours."""
    loaded = load_published(generator, audio)
    return save(out, loaded.model, loaded.meta, loaded.audio_to_mouth, half)


def read_header(path: Path | str) -> Header:
    """What a checkpoint of ours says about itself, without reading its tensors.

    Raises:
        MissingCheckpoint, BadCheckpoint.
    """
    path = Path(path)
    if not is_file(path):
        raise MissingCheckpoint(f"There is no checkpoint at {path}", "Choose one in the preferences")
    if int.from_bytes(published.first_bytes(path)[:8], "little") > MOST_HEADER:
        raise published.unreadable(path)
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get("edtalk")
    except (SafetensorError, OSError) as error:
        raise published.unreadable(path) from error
    if text is None:
        raise BadCheckpoint(f"{path.name} is a safetensors file, but not a checkpoint of EDTalk", _AGAIN)
    try:
        return _from_json(json.loads(text))
    except CheckpointError:
        raise
    except Exception as error:  # it is somebody's text: whatever it breaks, it is the text that is wrong
        why = str(error) if isinstance(error, ValueError) else f"{type(error).__name__} {error}"
        raise BadCheckpoint(
            f"{path.name} describes itself in a way that is not understood: {why:.200}", _AGAIN
        ) from error


def _write(path: Path | str, tensors: dict[str, Tensor], header: Header) -> None:
    about = {"edtalk": json.dumps(_to_json(header))}
    with written_whole(path) as temporary:
        temporary.write_bytes(serialised(tensors, about))


_NO_ZUKO = "The head moves by a simple rule, because the package zuko is not installed beside the server"
_AGAIN = "Get the file again, or choose another checkpoint"


def _to_json(header: Header) -> dict[str, Any]:
    meta = header.meta
    return {
        "format": FORMAT,
        "id": meta.id,
        "name": meta.name,
        "licence": meta.licence,
        "note": meta.note,
        "config": header.config.to_dict(),
        "audio": None if header.audio is None else header.audio.to_dict(),
        "pose": None if header.pose is None else header.pose.to_dict(),
        "feeling": None if header.feeling is None else header.feeling.to_dict(),
        "channels": [channel.to_dict() for channel in meta.channels],
        "emotions": {name: list(values) for name, values in meta.emotions.items()},
        "handles": [handle.to_dict() for handle in meta.handles],
        "digest": header.digest,
    }


def _from_json(values: dict[str, Any]) -> Header:
    if values["format"] != FORMAT:
        raise ValueError(f"its format is {values['format']}, this version reads {FORMAT}")
    channels = tuple(Channel.from_dict(channel) for channel in values["channels"])
    if [c.name for c in channels] != [c.name for c in DEFAULT_CHANNELS]:
        raise ValueError("its channels are not the 36 in their order")
    emotions = {str(k): tuple(float(x) for x in v) for k, v in values["emotions"].items()}
    if any(len(weights) != BANKS["expression"] for weights in emotions.values()):
        raise ValueError("an emotion is ten expression weights")
    if not set(emotions) <= set(EMOTIONS) or not all(abs(w) <= 1000 for v in emotions.values() for w in v):
        raise ValueError(f"emotions are some of {', '.join(EMOTIONS)}, and their weights within 1000")
    handles = tuple(Handle.from_dict(h) for h in values.get("handles", ()))  # older files have none
    if len({handle.name for handle in handles}) != len(handles) or len(handles) > MOST_HANDLES:
        raise ValueError(f"a handle is described twice, or there are over {MOST_HANDLES}")
    texts = {key: values[key] for key in LONGEST}
    for key, most in LONGEST.items():
        if not isinstance(texts[key], str) or len(texts[key]) > most:
            raise ValueError(f"its {key} is not a text of at most {most} characters")
    audio = None if values["audio"] is None else AudioToMouthConfig.from_dict(values["audio"])
    meta = Meta(channels=channels, emotions=emotions, handles=handles, **texts)
    pose, feeling = values.get("pose"), values.get("feeling")  # older files have neither
    return Header(
        meta,
        EDTalkConfig.from_dict(values["config"]),
        audio,
        str(values["digest"]),
        None if pose is None else AudioToPoseConfig.from_dict(pose),
        None if feeling is None else SpeechToExpressionConfig.from_dict(feeling),
    )


def _stored(key: str, tensor: Tensor, half: bool) -> Tensor:
    tensor = tensor.detach().cpu().contiguous()
    if half and tensor.is_floating_point() and tensor.ndim > 1 and key != _EXACT:
        tensor = tensor.half()
    return tensor


def _digest(tensors: Mapping[str, Tensor]) -> str:
    """Twelve hexadecimal digits of the SHA-256 over names, shapes and values."""
    digest = hashlib.sha256()
    for key in sorted(tensors):
        tensor = tensors[key].detach().cpu().contiguous()
        digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:12]


def _check_shapes(path: Path, header: Header) -> None:
    """Compare what the header says of the tensors with what the networks it describes would want, before
    anything is allocated. Raises BadCheckpoint."""
    with safe_open(path, framework="pt") as file:
        parts = {key: file.get_slice(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
        shapes = {key: tuple(part.get_shape()) for key, part in parts.items()}
        kinds = {key: part.get_dtype() for key, part in parts.items()}
    known = {_MODEL: True, _AUDIO: header.audio, _POSE: header.pose, _FEELING: header.feeling}
    prefixes = tuple(prefix for prefix, there in known.items() if there)
    if stray := [key for key in shapes if not key.startswith(prefixes)]:
        raise BadCheckpoint(f"{path.name} has an unexpected key {min(stray):.80}", _AGAIN)
    if odd := [key for key, kind in kinds.items() if kind not in _KINDS]:
        raise BadCheckpoint(f"{min(odd):.80} in {path.name} holds {kinds[min(odd)]} values: {_OTHER}", _AGAIN)
    with torch.device("meta"):  # shapes without numbers; a pose network's are bounded by its settings
        wanted: dict[str, nn.Module] = {_MODEL: EDTalk(header.config)}
        if header.audio is not None:
            wanted[_AUDIO] = build(header.audio)
        if header.feeling is not None:
            wanted[_FEELING] = SpeechToExpression(header.feeling)
    for prefix, module in wanted.items():
        _compare(module, shapes, prefix, path.name)


def _tensors(path: Path, header: Header) -> dict[str, Tensor]:
    """All tensors of a checkpoint of ours, as they are stored. Raises BadCheckpoint when they are not those
    it was saved with, or hold what is no number."""
    with safe_open(path, framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
    face = {key[len(_MODEL) :]: tensor for key, tensor in tensors.items() if key.startswith(_MODEL)}
    if header.digest != _digest(tensors) or not header.meta.id.endswith(f"-{_digest(face)}"):
        raise BadCheckpoint(f"{path.name} is damaged: its tensors are not those it was saved with", _AGAIN)
    for key, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise BadCheckpoint(f"{key:.80} in {path.name} holds a value that is not a number", _AGAIN)
    return tensors


def _compare(
    module: nn.Module, shapes: Mapping[str, tuple[int, ...]], prefix: str, file: str
) -> dict[str, str]:
    """Names of a module's own values -> keys that start with `prefix`; strict. Raises BadCheckpoint."""
    own = module.state_dict()
    given = {key[len(prefix) :]: key for key in shapes if key.startswith(prefix)}
    for name, expected in own.items():
        if name not in given:
            raise BadCheckpoint(f"{file} lacks the key {prefix}{name}", _AGAIN)
        if shapes[given[name]] != tuple(expected.shape):
            different = f"{shapes[given[name]]}, not {tuple(expected.shape)}"
            raise BadCheckpoint(f"{prefix}{name} in {file} has the shape {different}: {_OTHER}", _AGAIN)
    if stray := set(given) - set(own):
        raise BadCheckpoint(f"{file} has an unexpected key {prefix}{min(stray):.80}: {_OTHER}", _AGAIN)
    return given


def _fit(module: nn.Module, tensors: Mapping[str, Tensor], prefix: str, file: str) -> None:
    """Strictly load the tensors whose names start with `prefix`, as float32 where they are floats."""
    given = _compare(module, {key: tuple(value.shape) for key, value in tensors.items()}, prefix, file)
    found = {name: tensors[key] for name, key in given.items()}
    module.load_state_dict({k: t.float() if t.is_floating_point() else t for k, t in found.items()})


_OTHER = "it belongs to another version of the network"


def _is_pickle(path: Path) -> bool:
    """Zip archives and bare pickles, as torch.save writes them."""
    start = published.first_bytes(path)
    # safetensors begins with a length, which may look like anything, and a brace
    return start[8:9] != b"{" and start.startswith((b"PK", b"\x80"))
