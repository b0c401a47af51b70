# SPDX-License-Identifier: GPL-3.0-or-later
"""What `blender --command edtalk` does with one shot: generate, render, export, preview, or only say so.

A shot is a `manifest.Shot`, be it from a manifest or from the command line. Nothing here prints; what comes
out is a `Result`, and what goes wrong is raised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import bpy

from ...core.wire import ranges
from ...core.wire.errors import EDTalkError, InputError, OutputBlocked, OutputExists
from ..face import rig
from ..pictures import frame_record, image_sequence, take_folder
from ..server_process import jobs
from ..settings import paths, timing
from ..takes import generation, origin, ready, request, status, take_rows, work_folder
from ..takes.exchange import weights as exchange
from . import film
from . import options as panel
from .manifest import Shot

Tell = Callable[[jobs.Job], None]


@dataclass
class Result:
    """How a shot ended, for people (`said`) and for scripts (`to_dict`)."""

    shot: str
    status: str = "done"  # "done", "planned", "failed", "cancelled"
    said: str = ""
    hint: str = ""
    blend: str = ""
    takes: list[dict[str, Any]] = field(default_factory=list)  # face, take, folder, first, last
    wrote: str = ""
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """As `--report` writes it."""
        return asdict(self)


def open_file(path: str) -> None:
    """Open a .blend; "" is the file a new Blender shows. Raises InputError."""
    if not path:
        bpy.ops.wm.read_homefile(load_ui=False)
        return
    if not Path(path).is_file():
        raise InputError(f"There is no file {path}")
    try:
        bpy.ops.wm.open_mainfile(filepath=path, load_ui=False)
    except RuntimeError as error:
        raise InputError(f"{path} cannot be opened: {_first_line(error)}") from error


def save_file(path: str) -> None:
    """Save as this .blend, making its folder. Raises OutputBlocked."""
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        bpy.ops.wm.save_as_mainfile(filepath=path)
    except (OSError, RuntimeError) as error:
        raise OutputBlocked(f"{path} cannot be saved: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0].removeprefix("Error: ") if text else type(error).__name__


# ---------------------------------------------------------------------------------------------- generate


def generate(shot: Shot, tell: Tell) -> Result:
    """A new take on a face, in the open file."""
    face = _prepared(shot)
    order = _order(shot, face)
    outcome = run(jobs.Job("Generate", generation.generate(order)), tell)
    result = Result(shot.name, said=outcome.text, hint=outcome.hint)
    faces = rig.faces_in(bpy.context.scene)
    result.takes = [_take(face) for face in faces if face.edtalk.take.name == order.take]
    if shot.save:
        save_file(shot.save)
        result.blend = shot.save
    return result


def _prepared(shot: Shot) -> bpy.types.Object | None:
    """Settings are in the panel and the scene runs at its rate; gives back the face that gets the take."""
    context = bpy.context
    face = None if shot.new_face else one_face(shot.rig) if shot.rig else rig.active_face(context)
    if shot.fps is not None:
        context.scene.render.fps, context.scene.render.fps_base = timing.rate_parts(shot.fps)
    settings = (face if face is not None else context.scene).edtalk
    panel.apply(settings, shot.settings)
    if shot.save and not bpy.data.filepath and settings.folder.startswith("//"):
        settings.folder = str(Path(shot.save).parent / settings.folder[2:])  # beside the file it will be
    reason = ready.why_not_generate(context) if not shot.new_face else _why_not(settings)
    if reason:
        raise InputError(reason)
    return face


def _why_not(settings: bpy.types.PropertyGroup) -> str:
    reason = paths.missing_file(settings.portrait, "a portrait")
    sound, clip = settings.audio.strip(), settings.driving.strip()
    if not reason and not sound and not clip:
        reason = "Pick an audio file or a driving clip first"
    for path, what in ((sound, "audio"), (clip, "clip"), (settings.checkpoint.strip(), "checkpoint")):
        if not reason and path:
            reason = paths.missing_file(path, what)
    return reason


def _order(shot: Shot, face: bpy.types.Object | None) -> request.Order:
    order = replace(request.order_from(bpy.context, face), draw=shot.render)
    emotion = panel.beyond_panel(shot.settings.get("emotion", ""))
    return replace(order, motion={**order.motion, "emotion": emotion}) if emotion else order


# ------------------------------------------------------------------------------------------------ render


def render(
    shot: Shot,
    tell: Tell,
    part: tuple[int, int] | None = None,
    all_frames: bool = False,
    gather: bool = False,
) -> Result:
    """Render what is out of date, of every face with a take or of the one named; with frames or a part, as
    one of several workers, unless it gathers what they made.
    """
    result, said, hints = Result(shot.name, blend=bpy.data.filepath), [], []
    for face in _faces_with_takes(shot.rig):
        if take_rows.is_muted(face):
            said.append(f"{face.edtalk.take.name} is muted and stays as it is")
            continue
        order = replace(request.order_for_changes(bpy.context, face), fork=bool(shot.save))
        frames = frames_for(face, shot.frames, part)
        if frames is not None:
            name = "" if gather else frame_record.worker_name()
            order = replace(order, frames=frozenset(frames), worker=name)
        if frames is not None or all_frames:
            work_folder.check(order)
        if all_frames:
            _forget(order, face)
        outcome = run(jobs.Job(f"Render {face.name}", generation.render_changed(order)), tell)
        said.append(outcome.text)
        hints += [outcome.hint] if outcome.hint else []
        result.takes.append(_take(face))
    if shot.save:
        save_file(shot.save)
        result.blend = shot.save
    result.said, result.hint = "; ".join(said), ". ".join(hints)
    return result


def frames_for(
    face: bpy.types.Object, frames: tuple[int, ...] | None, part: tuple[int, int] | None
) -> tuple[int, ...] | None:
    """Which scene frames of the face's take are this worker's; None: all of them."""
    if part is None:
        return frames
    take = face.edtalk.take
    whole = take_folder.frames(take.first, take.last)
    return ranges.share([n for n in whole if n in frames] if frames is not None else whole, *part)


def _forget(order: request.Order, face: bpy.types.Object) -> None:
    """Let every frame of the order count as out of date."""
    take = face.edtalk.take
    chosen = order.frames if order.frames is not None else take_folder.frames(take.first, take.last)
    record = frame_record.Rendered(order.folder, order.worker)
    record.forget([n for n in chosen if take.first <= n <= take.last])
    record.save()


def _faces_with_takes(name: str) -> list[bpy.types.Object]:
    faces = [face for face in rig.faces_in(bpy.context.scene) if face.edtalk.take.image is not None]
    if name:
        faces = [face for face in faces if face.name == name]
    if not faces:
        called = f" called {name}" if name else ""
        raise InputError(f"There is no face rig{called} with a take in this scene")
    return faces


def one_face(name: str) -> bpy.types.Object:
    """The face rig with this name, or the only one for "". Raises InputError."""
    faces = rig.faces_in(bpy.context.scene)
    found = [face for face in faces if name in ("", face.name)]
    there = ", ".join(face.name for face in faces)
    if not found:
        hint = f"It has {there}" if there else ""
        raise InputError(f"There is no face rig {f'called {name} ' if name else ''}in this scene", hint)
    if len(found) > 1:
        raise InputError(f"This scene has several face rigs: {there}", "Name one of them with --rig")
    return found[0]


# --------------------------------------------------------------------------------------- export, preview


def export(shot: Shot, _tell: Tell) -> Result:
    """Write the weights at scene frames."""
    face = one_face(shot.rig)
    path = Path(shot.export)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputBlocked(f"The folder of {path} cannot be made: {error.strerror or error}") from error
    said = exchange.export(face, bpy.context.scene, path, shot.frames, shot.overwrite)
    return Result(shot.name, said=said, blend=bpy.data.filepath, takes=[_take(face)], wrote=str(path))


def preview(shot: Shot, _tell: Tell) -> Result:
    """A small film of the frames that are there, with the sound; the server's Python makes it."""
    (face, *others) = _faces_with_takes(shot.rig)
    if others:
        raise InputError("This scene has several faces with takes", "Name one of them with --rig")
    scene, take = bpy.context.scene, face.edtalk.take
    path = Path(shot.preview or image_sequence.folder_of(take.image) / "preview.mp4")
    if path.exists() and not shot.overwrite:
        raise OutputExists(f"{path} exists already", "Choose another name, or add --overwrite")
    frames = shot.frames or take_folder.frames(take.first, take.last)
    numbers = [n for n in frames if take.first <= n <= take.last]
    if not numbers:
        raise InputError(f"{take.name} has none of these frames; it has {take.first} to {take.last}")
    film.make(face, scene, path, numbers)
    said = f"{len(numbers)} frames are in {path}"
    hint = ". ".join(filter(None, [*origin.warnings(face), origin.for_export(face)]))
    return Result(
        shot.name, said=said, hint=hint, blend=bpy.data.filepath, takes=[_take(face)], wrote=str(path)
    )


# ------------------------------------------------------------------------------------------------ dry run


def plan(command: str, shot: Shot, part: tuple[int, int] | None = None) -> Result:
    """What the command would do with the shot; nothing is written, no server is started. Raises like it."""
    result = Result(shot.name, "planned", blend=bpy.data.filepath)
    if command == "generate":
        face = _prepared(shot)
        order = _order(shot, face)
        who = face.name if face is not None else "a new face"
        heard = " and ".join(Path(path).name for path in (order.audio, order.driving) if path)
        then = "" if shot.render else ", frames not rendered"
        rate = f"{order.fps:.6g} fps"
        made = f"{who}, {order.take} in {order.folder.parent}{then}"
        result.said = f"{Path(order.portrait).name} with {heard} at {rate} -> {made}"
        if shot.save:
            result.said += f"; saved as {shot.save}"
    elif command == "render":
        said = []
        for face in _faces_with_takes(shot.rig):
            frames = frames_for(face, shot.frames, part)
            mine = [n for n in _out_of_date(face) if frames is None or n in frames]
            words = f"{len(mine)} frames to render: {ranges.say(mine)}" if mine else "nothing to render"
            said.append(f"{face.edtalk.take.name}: {words}")
            result.takes.append(_take(face))
        result.said = "; ".join(said)
    else:
        face = one_face(shot.rig)
        result.takes.append(_take(face))
        result.wrote = getattr(shot, command)
        result.said = f"{face.name} -> {result.wrote or 'preview.mp4 beside the frames'}"
    return result


def _out_of_date(face: bpy.types.Object) -> list[int]:
    status.count(face, bpy.context)
    first, states = status.states(face) or (0, ())
    return [first + i for i, state in enumerate(states) if state != frame_record.CURRENT]


# ------------------------------------------------------------------------------------------------- shared


def run(job: jobs.Job, tell: Tell) -> jobs.Outcome:
    """Drive a job to its end. Raises what ended it."""
    outcome = jobs.run(job, tell)
    if isinstance(job.error, EDTalkError):
        raise job.error
    if outcome.level == "ERROR":
        raise EDTalkError(outcome.text, outcome.hint)
    return outcome


def _take(face: bpy.types.Object) -> dict[str, Any]:
    take = face.edtalk.take
    folder = str(image_sequence.folder_of(take.image)) if take.image is not None else ""
    return {"face": face.name, "take": take.name, "folder": folder, "first": take.first, "last": take.last}
