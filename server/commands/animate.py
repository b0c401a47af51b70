# SPDX-License-Identifier: GPL-3.0-or-later
"""A portrait and a voice in, a talking head out.

    edtalk animate --source face.png --audio voice.wav --out take01
    edtalk animate --source face.png --audio voice.wav --driving clip.mp4 --emotion happy --paste --out take02

leaves in the folder: numbered frames, motion.npz (the weights, 25 steps a second), weights.csv (the same as a
table), preview.mp4 with the sound, and sheet.png, a contact sheet.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.wire.channels import PARTS
from core.wire.errors import InputError, OutputExists
from core.wire.messages import Analyze, Analyzed

from .. import origins
from ..errors import blocked
from ..report import Report
from ..take import spare
from .handles import add_handles, held
from .redraw import draw, numbered
from .terminal import Bars, add_output, add_source, whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

RESULTS = ("motion.npz", "weights.csv", "preview.mp4", "sheet.png")
"""What it leaves beside the frames."""

FRAME = re.compile(r"-?\d+\.(png|exr)")
"""What follows a frame's name."""

PREVIEW_SIDE = 1280
"""Pixels of the preview's longer side, at most; the frames keep theirs."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `edtalk animate`."""
    add_source(parser)
    parser.add_argument("--audio", default="", metavar="SOUND", help="speech for the mouth")
    parser.add_argument("--driving", default="", metavar="CLIP", help="a clip that lends its motion")
    parser.add_argument(
        "--emotion",
        default="",
        help='such as happy, a mix "happy:0.8+surprised:0.2", by seconds "0:neutral,2:happy,5:sad:0.5", '
        "or auto: what voice and transcript mean",
    )
    parser.add_argument(
        "--text",
        default="",
        metavar="TEXT",
        help="what is said, or a .txt, .srt or .vtt file with it: the mouth follows it; without --emotion "
        "it means --emotion auto, too",
    )
    parser.add_argument(
        "--idle",
        type=float,
        default=0.5,
        help="natural head motion and blinks, 0 to 1 (default: %(default)s)",
    )
    parser.add_argument(
        "--stillness",
        type=float,
        default=0.3,
        help="how calm the head is while it goes with the voice, 0 to 1 (default: %(default)s)",
    )
    parser.add_argument(
        "--articulation",
        type=float,
        default=1.0,
        help="how far the lips move, 0 to 2: 0.5 mumbles, 1.5 over-articulates (default: %(default)s)",
    )
    parser.add_argument(
        "--strength",
        action="append",
        default=[],
        metavar="PART=AMOUNT",
        help="how far a part leaves the portrait's own, 0 to 2, such as blink=0.5: "
        f"{', '.join(PARTS)}; may be given several times",
    )
    parser.add_argument("--seed", type=int, default=0, help="another number, other idle motion")
    add_handles(parser)
    add_output(parser, ("png", "png16"))


def run(options: argparse.Namespace) -> int:
    """Analyse, decode, and leave everything in the folder."""
    from core.engine.driving import is_picture
    from core.files import same_file
    from core.motion.motion import Motion
    from core.sound.transcript import read

    from ..runtime import Runtime

    if not options.audio and not options.driving:
        raise InputError("There is nothing to move the face with", hint="Give --audio, --driving or both")
    out, runtime = Path(whole(options.out)), Runtime(options.device)
    there = [out / name for name in RESULTS if (out / name).exists()]
    if there and not options.overwrite:
        raise OutputExists(f"{there[0]} is already there", hint="Choose another folder, or add --overwrite")
    strengths = _strengths(options.strength)
    inputs = (options.source, options.audio, options.driving, options.checkpoint, options.text)
    spare(there, [whole(path) for path in inputs])
    _check_folder(out, options.name, options.overwrite)
    with Bars(options.quiet) as report:
        pose = held(options.handle, whole(options.checkpoint), runtime, report)
        analyzed = runtime.answer(
            Analyze(
                portrait=whole(options.source),
                audio=whole(options.audio),
                driving=whole(options.driving),
                checkpoint=whole(options.checkpoint),
                out=str(out / "motion.npz"),
                crop=options.crop,
                seed=options.seed,
                idle=options.idle,
                emotion=options.emotion or ("auto" if options.text else ""),
                text=read(options.text) if options.text else "",
                stillness=options.stillness,
                articulation=options.articulation,
                strength=strengths,
                face=options.face,
                overwrite=options.overwrite,
            ),
            report,
        )
        assert isinstance(analyzed, Analyzed)
        motion = pose(Motion.load(analyzed.motion))
        if options.handle:
            motion.save(out / "motion.npz")  # files hold what the frames are drawn from
        motion.save_csv(out / "weights.csv")
        known = {"seed": str(options.seed), "sound": analyzed.sound, "clip": analyzed.clip}
        decoded = draw(options, motion, out / "motion.npz", analyzed.crop, runtime, report, known=known)
        rate = numbered(motion, options.fps, options.start).rate
        files = [report.files[number] for number in sorted(report.files)]
        sound, clip = whole(options.audio or options.driving), whole(options.driving)
        origin = None if options.no_origin else origins.of_frames(files, {})
        show(files, rate, out, sound, report, same_file(sound, clip) and not is_picture(clip), origin)
    origins.note(options)
    for warning in analyzed.warnings:
        print(f"Note: {warning}")
    print(f"{out}: {len(files)} frames ({decoded.fps:.1f} a second), {', '.join(RESULTS)}")
    return 0


def _strengths(asked: Sequence[str]) -> tuple[float, ...]:
    """`--strength` as the message has it. Raises InputError for a part that there is not, or no number."""
    found = dict.fromkeys(PARTS, 1.0)
    for text in asked:
        part, _, amount = (piece.strip() for piece in text.partition("="))
        try:
            value = float(amount)
        except ValueError:
            value = -1.0
        if part not in found or not 0 <= value <= 2:
            raise InputError(
                f"The strength {text!r} cannot be read",
                hint=f"Write PART=AMOUNT, a part being {', '.join(PARTS)} and an amount 0 to 2",
            )
        found[part] = value
    return tuple(found.values())


def _check_folder(out: Path, name: str, overwrite: bool) -> None:
    """What is wrong with the folder is said now, not after minutes of listening. Raises OutputBlocked for one
    that cannot be written to, OutputExists for frames of another take.
    """
    try:
        with tempfile.TemporaryFile(dir=next(place for place in (out, *out.parents) if place.exists())):
            pass
        frames = sorted(path.name for path in out.glob("*") if FRAME.fullmatch(path.name.removeprefix(name)))
    except OSError as error:
        raise blocked(out, error) from error
    if frames and not overwrite:
        more = f" and {len(frames) - 1} more frames" if len(frames) > 1 else ""
        verb = "are" if more else "is"
        raise OutputExists(
            f"{frames[0]}{more} {verb} already in {out}", hint="Choose another folder, or add --overwrite"
        )


def show(
    files: Sequence[Path],
    rate: float,
    out: Path,
    sound: str,
    report: Report,
    is_clip: bool = False,
    origin: Mapping[str, str] | None = None,
) -> None:
    """preview.mp4 and sheet.png from the frames on disk; `sound` is a sound, or the clip whose pictures were
    followed as well (`is_clip`). Both carry the record `origin`.
    """
    from core.pictures import sheet, video
    from core.wire.errors import UnreadableAudio

    def pictures() -> Any:
        for done, file in enumerate(files):
            report.progress("Preview", done + 1, len(files))
            yield small(file)

    since = -video.sound_delay(sound) if is_clip else 0.0  # the mouth goes with its pictures
    try:
        video.write_preview(out / "preview.mp4", pictures(), rate, sound, since, origin)
    except UnreadableAudio:  # a driving clip need not have any
        video.write_preview(out / "preview.mp4", pictures(), rate, origin=origin)
    chosen = sheet.spread(len(files))
    captions = [f"{index / rate:.2f} s" for index in chosen]
    cells = (small(files[index]) for index in chosen)
    sheet.write_sheet(out / "sheet.png", cells, captions=captions, origin=origin)


def small(file: Path) -> NDArray[Any]:
    """A frame as 8-bit RGB [H, W, 3], scaled down when it is larger than a preview need be."""
    from core.pictures import image

    return fitting(image.over_black(file))


def fitting(rgb: NDArray[Any]) -> NDArray[Any]:
    """8-bit RGB [H, W, 3], scaled down when it is larger than a preview need be."""
    import cv2

    scale = PREVIEW_SIDE / max(rgb.shape[:2])
    if scale >= 1:
        return rgb
    size = (round(rgb.shape[1] * scale), round(rgb.shape[0] * scale))
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
