# SPDX-License-Identifier: GPL-3.0-or-later
"""The three jobs: generate a take, render what changed, check the server.

Each is a generator for `jobs`. What the animator chose is copied into an Order when the button is
pressed, so that later changes in the panel do not reach into a running job; what the job writes to is
looked up by session uid, so that undo and file load cannot pull it away under the job. If the rig is
gone, the pictures still come to their end on disk: nothing is lost, and where the rig comes back (redo,
the file opened again), Render Changed finds them.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import bpy
import numpy as np

from ..core.wire import messages
from ..core.wire.channels import Channel
from ..core.wire.errors import Died, EDTalkError, InputError
from . import animation, image_sequence, rig, takes, timing
from .client import Server
from .jobs import Job, Outcome, ask, find_object, find_scene, push_undo, ready_server
from .properties import absolute, copy_settings

SAVE_EVERY = 1.0
"""Seconds between two savings of the record while pictures arrive."""


@dataclass(frozen=True)
class Order:
    """Everything a job needs to know, as plain data."""

    portrait: str
    audio: str
    driving: str
    checkpoint: str
    folder: Path  # of this take
    take: str
    fps: float
    start: int
    emotion: str
    idle: float
    seed: int
    face: int | None
    crop: tuple[float, float, float] | None  # None: to be found
    size: int
    composite: str
    detail: bool
    format: str
    make_plane: bool
    make_strips: bool
    extend_scene: bool
    rig: int  # session uids; rig 0: to be made
    scene: int
    strips: int
    temporary: bool  # the .blend is unsaved, so the folder is a temporary one


@dataclass(frozen=True)
class Pictures:
    """Which pictures a take shall have: scene frames and what each is made from."""

    numbers: np.ndarray  # int64 [N] scene frames, one after the other
    weights: np.ndarray  # float32 [N, 36]
    shift: int
    crop: tuple[float, float, float]
    model: str
    fps: float

    def files(self, fmt: str) -> list[str]:
        """Picture names, one a scene frame."""
        return [takes.file_name(int(number) + self.shift, fmt) for number in self.numbers]


# ---------------------------------------------------------------------------------------------- orders


def base_folder(settings: bpy.types.PropertyGroup) -> tuple[Path, bool]:
    """The folder all takes go to, and whether it is a temporary one.

    An unsaved .blend has no "beside it". Then the takes go to a folder of the system's temporary files
    that is not Blender's own one, so that quitting Blender does not delete them; the panel and the
    report say so.
    """
    if settings.folder.startswith("//") and not bpy.data.filepath:
        return Path(tempfile.gettempdir()) / "edtalk", True
    return Path(absolute(settings.folder or "//edtalk/")), False


def order_from(context: bpy.types.Context, face: bpy.types.Object | None) -> Order:
    """What the panel says now, for a new take of `face`, or of a face that is still to be made."""
    settings = (face if face is not None else context.scene).edtalk
    base, temporary = base_folder(settings)
    portrait = absolute(settings.portrait)
    take = takes.free_name(base, portrait, {action.name for action in bpy.data.actions})
    strips = getattr(context, "sequencer_scene", None) or context.scene
    return Order(
        portrait=portrait,
        audio=absolute(settings.audio),
        driving=absolute(settings.driving),
        checkpoint=absolute(settings.checkpoint),
        folder=base / take,
        take=take,
        fps=timing.scene_rate(context.scene.render.fps, context.scene.render.fps_base),
        start=settings.start,
        emotion="" if settings.emotion == "NONE" else settings.emotion,
        idle=settings.idle,
        seed=settings.seed,
        face=settings.face - 1 if settings.face else None,
        crop=tuple(settings.crop) if settings.use_crop else None,
        size=settings.size,
        composite=settings.composite,
        detail=settings.detail,
        format=settings.format,
        make_plane=settings.make_plane,
        make_strips=settings.make_strips,
        extend_scene=settings.extend_scene,
        rig=face.session_uid if face is not None else 0,
        scene=context.scene.session_uid,
        strips=strips.session_uid,
        temporary=temporary,
    )


def order_for_changes(context: bpy.types.Context, face: bpy.types.Object) -> Order:
    """What the panel says now, for the take that `face` wears; a take shared with a copied rig becomes
    its own.
    """
    order = order_from(context, face)
    take = face.edtalk.take
    shared = any(
        other != face and other.edtalk.take.image == take.image and other.edtalk.take.name == take.name
        for other in bpy.data.objects
        if rig.is_face(other)
    )
    if shared or take.image is None:
        return order
    return replace(
        order, take=take.name, folder=image_sequence.folder_of(take.image), start=take.first, temporary=False
    )


def look_of(order: Order, crop: tuple[float, float, float], model: str) -> bytes:
    """Digest of all that the pictures depend on besides the weights."""
    return takes.Look(
        portrait=takes.file_digest(order.portrait),
        checkpoint=takes.file_digest(order.checkpoint) if order.checkpoint else model,
        crop=tuple(float(np.float32(value)) for value in crop),
        size=order.size,
        composite=order.composite,
        detail=order.detail,
        format=order.format,
    ).digest()


# ------------------------------------------------------------------------------------------------ jobs


def generate(order: Order):
    """Job: portrait and voice -> a new take on the rig."""
    return lambda job: _generate(job, order)


def render_changed(order: Order):
    """Job: decode the frames of the rig's take whose weights or look changed."""
    return lambda job: _render_changed(job, order)


def check(job: Job) -> Generator[None, None, Outcome]:
    """Job: start the server if need be and say what it runs on."""
    server = yield from ready_server(job)
    hello = server.hello
    models = ", ".join(f"{c['id']} ({c['size']} px)" for c in hello.checkpoints) or "none"
    memory = f", {hello.memory_mb} MB free" if hello.memory_mb else ""
    runs = f"Python {hello.python}, torch {hello.torch} on {hello.device}{memory}"
    text = f"Server {hello.server} is ready: {runs}; checkpoints: {models}"
    return Outcome("WARNING" if hello.warnings else "INFO", text, "; ".join(hello.warnings))


def _generate(job: Job, order: Order) -> Generator[None, None, Outcome]:
    takes.make_folder(order.folder)
    try:
        server = yield from ready_server(job)
        described = yield from ask(job, server, messages.Describe(checkpoint=order.checkpoint))
        seen = yield from ask(job, server, messages.Inspect(portrait=order.portrait))
        analyzed = yield from ask(
            job,
            server,
            messages.Analyze(
                portrait=order.portrait,
                audio=order.audio,
                driving=order.driving,
                checkpoint=order.checkpoint,
                out=str(order.folder / "motion.npz"),
                crop=order.crop,
                seed=order.seed,
                idle=order.idle,
                emotion=order.emotion,
                face=order.face,
            ),
        )
        motion, rate = takes.load_motion(order.folder / "motion.npz")
    except BaseException:
        _remove_if_empty(order.folder)
        raise
    face = _land_motion(order, described, analyzed, (seen.width, seen.height), motion, rate)
    if face is None:
        raise InputError(
            "The scene this take was made for is gone, by undo or because another file was opened",
            hint=f"Its motion is kept in {order.folder}",
        )
    order = replace(order, rig=face.session_uid)
    pictures = sample(face, find_scene(order.scene), order.fps)
    warnings = list(analyzed.warnings) + _hidden(pictures, motion, rate, order)
    push_undo("EDTalk: Load Take")
    made = yield from _make_pictures(job, server, order, pictures, fresh=True)
    if order.temporary:
        warnings.append(f"This file is not saved yet, so the take is in {order.folder}")
    return _outcome(f"{order.take}: {made} frames", warnings)


def _render_changed(job: Job, order: Order) -> Generator[None, None, Outcome]:
    takes.make_folder(order.folder)
    server = yield from ready_server(job)
    described = yield from ask(job, server, messages.Describe(checkpoint=order.checkpoint))
    digest = takes.file_digest(order.portrait)
    face = _face_or_error(order)
    if face.edtalk.take.portrait != digest:
        seen = yield from ask(job, server, messages.Inspect(portrait=order.portrait))
        face = _face_or_error(order)
        take = face.edtalk.take
        take.portrait, take.width, take.height = digest, seen.width, seen.height
        take.crop = seen.crop
    take = face.edtalk.take
    if order.crop is not None:
        take.crop = order.crop
    if take.model != described.id:
        take.model = described.id
        rig.label_channels(face, [Channel.from_dict(channel) for channel in described.channels])
    if take.name != order.take:
        take.name = order.take
        take.image = image_sequence.make_image(
            order.take, order.folder / takes.file_name(take.first + take.shift, order.format)
        )
    pictures = sample(face, find_scene(order.scene), order.fps)
    made = yield from _make_pictures(job, server, order, pictures, fresh=False)
    if not made:
        return Outcome("INFO", f"{order.take}: all {len(pictures.numbers)} frames are up to date")
    return Outcome("INFO", f"{order.take}: {made} of {len(pictures.numbers)} frames rendered again")


def _outcome(text: str, warnings: Sequence[str]) -> Outcome:
    return Outcome("WARNING" if warnings else "INFO", text, ". ".join(warnings))


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):  # something is in it, so it is worth keeping
        folder.rmdir()


def _face_or_error(order: Order) -> bpy.types.Object:
    face = find_object(order.rig)
    if face is None or find_scene(order.scene) is None:
        raise InputError("The face rig is gone, by undo or because another file was opened")
    return face


# -------------------------------------------------------------------------------- what goes into Blender


def _land_motion(
    order: Order,
    described: messages.Described,
    analyzed: messages.Analyzed,
    portrait_size: tuple[int, int],
    motion: np.ndarray,
    rate: float,
) -> bpy.types.Object | None:
    """Write a take's curves and settings onto the rig, making a rig when there is none. None without a
    scene.
    """
    scene = find_scene(order.scene)
    if scene is None:
        return None
    face = find_object(order.rig) if order.rig else None
    if face is None:
        face = rig.make_rig(scene, Path(order.portrait).stem)
        copy_settings(scene.edtalk, face.edtalk)
        layer = bpy.context.view_layer
        if face.name in layer.objects and bpy.context.mode == "OBJECT":
            for ob in layer.objects.selected:
                ob.select_set(False)
            layer.objects.active = face
            face.select_set(True)
    rig.label_channels(face, [Channel.from_dict(channel) for channel in described.channels])
    animation.new_action(face, order.take)
    animation.write_weights(face, timing.key_frames(len(motion), order.start, order.fps, rate), motion)
    take, count = face.edtalk.take, timing.frame_count(len(motion), order.fps, rate)
    if take.name:
        strips = find_scene(order.strips)
        if strips is not None and strips.sequence_editor is not None:
            image_sequence.mute_strips(strips, take.name)
    take.name = order.take
    take.first, take.last = order.start, order.start + count - 1
    take.shift = timing.file_shift(order.start)
    take.crop, take.model = analyzed.crop, analyzed.model
    take.width, take.height = portrait_size
    take.portrait = takes.file_digest(order.portrait)
    take.image = image_sequence.make_image(
        order.take, order.folder / takes.file_name(take.first + take.shift, order.format)
    )
    if order.extend_scene:
        scene.frame_end = max(scene.frame_end, take.last)
    return face


def sample(face: bpy.types.Object, scene: bpy.types.Scene, fps: float) -> Pictures:
    """The rig's evaluated weights at the scene frames of its take."""
    take = face.edtalk.take
    numbers = np.arange(take.first, max(take.first, take.last) + 1)
    return Pictures(
        numbers=numbers,
        weights=animation.read_weights(face, numbers, scene),
        shift=take.shift,
        crop=tuple(take.crop),
        model=take.model,
        fps=fps,
    )


def _hidden(pictures: Pictures, motion: np.ndarray, rate: float, order: Order) -> list[str]:
    """A warning when NLA tracks or drivers keep the new take from showing as it was analysed."""
    steps = (pictures.numbers - order.start) * (rate / order.fps)
    lower = np.clip(steps.astype(int), 0, len(motion) - 1)
    upper = np.minimum(lower + 1, len(motion) - 1)
    share = np.clip(steps - lower, 0, 1)[:, None]
    wanted = motion[lower] * (1 - share) + motion[upper] * share
    if np.abs(wanted - pictures.weights).max() < 0.01:
        return []
    return ["NLA tracks or drivers of the rig change what this take shows"]


def show_on_plane(face: bpy.types.Object, plane: bpy.types.Object, arrived: int | None = None) -> None:
    """Let a plane show the face's take, as far as it has arrived."""
    take = face.edtalk.take
    whole = take.last - take.first + 1
    aspect = take.width / take.height if face.edtalk.composite == "paste" and take.height else 1.0
    count = whole if arrived is None else arrived
    image_sequence.show_on_plane(plane, take.image, aspect, take.first, count, take.first + take.shift)


def add_strips(face: bpy.types.Object, scene: bpy.types.Scene) -> list:
    """Put the face's take into the sequencer of `scene`."""
    take, settings = face.edtalk.take, face.edtalk
    return image_sequence.add_strips(
        scene,
        take.name,
        image_sequence.folder_of(take.image),
        range(take.first + take.shift, take.last + take.shift + 1),
        take.first,
        settings.format,
        settings.audio,
    )


def _show(order: Order, pictures: Pictures, arrived: int) -> None:
    """Let image, plane and strips show the take as far as it has arrived; does nothing twice."""
    face, scene = find_object(order.rig), find_scene(order.scene)
    if face is None or scene is None or face.edtalk.take.name != order.take or face.edtalk.take.image is None:
        return
    image = face.edtalk.take.image
    path = order.folder / takes.file_name(int(pictures.numbers[0]) + pictures.shift, order.format)
    if Path(bpy.path.abspath(image.filepath)) != path:
        image.filepath = image_sequence.short_path(path)
    if order.make_plane:
        plane = image_sequence.plane_of(face) or image_sequence.make_plane(face, scene)
        show_on_plane(face, plane, arrived)
    strips = find_scene(order.strips)
    if order.make_strips and strips is not None and not image_sequence.find_strips(strips, order.take):
        add_strips(face, strips)


# ---------------------------------------------------------------------------------------------- pictures


def _make_pictures(
    job: Job, server: Server, order: Order, pictures: Pictures, fresh: bool
) -> Generator[None, None, int]:
    """Decode what is out of date, keep the record true, and show the result; gives back how many were
    made.
    """
    look = look_of(order, pictures.crop, pictures.model)
    record = takes.Rendered(order.folder)
    need = record.changed(pictures.numbers, pictures.weights, look, pictures.files(order.format))
    rest = int(pictures.numbers[0]) - 1  # the frame before the first is the portrait at rest
    rest_look, at_rest = takes.at_rest(look), np.zeros(pictures.weights.shape[1], np.float32)
    rest_file = takes.file_name(rest + pictures.shift, order.format)
    hold = bool(record.changed([rest], at_rest[None], rest_look, [rest_file])[0])
    total = len(pictures.numbers)
    if not need.any() and not hold:
        _show(order, pictures, total)
        return 0
    numbers, weights = pictures.numbers[need], pictures.weights[need]
    if not len(numbers):  # only the portrait at rest: one frame must be asked for, too
        numbers, weights = pictures.numbers[:1], pictures.weights[:1]
    rows = {int(number): row for number, row in zip(numbers, weights)}
    record.forget([*rows, rest] if hold else rows)
    record.save()
    takes.save_motion(
        order.folder / "decode.npz", weights, pictures.fps, numbers + pictures.shift, pictures.model
    )
    arrived: set[int] = set()
    saved = time.monotonic()

    def heard(notice: messages.Message) -> None:
        nonlocal saved
        number = notice.number - pictures.shift
        if number in rows:
            record.note(number, rows[number], look)
            arrived.add(number)
        elif number == rest:
            record.note(rest, at_rest, rest_look)
        if time.monotonic() - saved > SAVE_EVERY:
            record.save()
            saved = time.monotonic()

    waiting = ask(
        job,
        server,
        messages.Decode(
            portrait=order.portrait,
            motion=str(order.folder / "decode.npz"),
            out=str(order.folder),
            name=takes.STEM,
            digits=takes.DIGITS,
            checkpoint=order.checkpoint,
            crop=pictures.crop,
            size=order.size,
            composite=order.composite,
            detail=order.detail,
            format=order.format,
            hold=rest + pictures.shift if hold else None,
            overwrite=not fresh,
        ),
        heard,
    )
    try:
        shown = 0
        for _ in waiting:
            if len(arrived) > shown:
                shown = len(arrived)
                _show(order, pictures, _run_length(pictures.numbers, arrived) if fresh else total)
            yield
        if hold and (order.folder / rest_file).exists():
            record.note(rest, at_rest, rest_look)
    except EDTalkError as error:
        left = len(rows) - len(arrived)
        error.message += f"; {len(arrived)} frames were made, {left} are left"
        if isinstance(error, Died):
            error.hint = "Render Changed starts a new server and makes the rest"
        raise
    finally:
        record.save()
        (order.folder / "decode.npz").unlink(missing_ok=True)
        _refresh(order)
    _show(order, pictures, total)
    push_undo("EDTalk: Show Take")
    return len(arrived)


def _run_length(numbers: np.ndarray, arrived: set[int]) -> int:
    """How many frames from the first on are there without a gap; they are written by several threads."""
    return next((i for i, number in enumerate(numbers) if int(number) not in arrived), len(numbers))


def _refresh(order: Order) -> None:
    face, strips = find_object(order.rig), find_scene(order.strips)
    image = face.edtalk.take.image if face is not None else None
    image_sequence.refresh(image, strips, order.take)
