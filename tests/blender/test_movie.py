# SPDX-License-Identifier: GPL-3.0-or-later
"""Export Movie: one button from a take to a film with its sound, in step and up to date."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.support.desk import Desk, key_of

pytestmark = [pytest.mark.blender, pytest.mark.slow]


@pytest.fixture
def desk(part, tmp_path, portrait, voice, tiny_checkpoint, server_python) -> Desk:
    return Desk(part, tmp_path, portrait, voice, tiny_checkpoint, server_python)


@pytest.fixture
def take(desk):
    """A take on the desk."""
    desk.generate()
    return desk


def probe(path: Path) -> dict:
    """What a reader of films says of one."""
    av = pytest.importorskip("av", reason="needs PyAV to look into the film")
    with av.open(str(path)) as container:
        picture = container.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(picture)]
        codecs = [stream.codec_context.name for stream in container.streams]
        return {
            "codecs": codecs,
            "rate": picture.average_rate,
            "seconds": container.duration / 1e6,
            "frames": frames,
            "pixels": picture.codec_context.pix_fmt,
        }


def frames_of(desk) -> list[Path]:
    take = desk.face.edtalk.take
    return [desk.frames / f"take.{n + take.shift:04d}.png" for n in range(take.first, take.last + 1)]


@pytest.mark.parametrize(("fps", "base"), [(25, 1.0), (24, 1.001)])
def test_a_take_becomes_a_film_with_its_sound(desk, tmp_path: Path, fps: int, base: float) -> None:
    import bpy

    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = fps, base
    desk.generate()
    out = tmp_path / "film.mp4"
    assert bpy.ops.edtalk.export_movie(filepath=str(out)) == {"FINISHED"}
    seen, files = probe(out), frames_of(desk)
    assert seen["codecs"] == ["h264", "aac"]
    assert seen["rate"] == (Fraction(24000, 1001) if base > 1 else Fraction(25))
    assert len(seen["frames"]) == len(files)
    assert abs(seen["seconds"] - len(files) * base / fps) < 1.5 * base / fps
    Image = pytest.importorskip("PIL.Image")
    for shown, file in zip(seen["frames"][:3], files):
        true = np.asarray(Image.open(file).convert("RGB"), float)
        assert np.abs(shown.mean((0, 1)) - true.mean((0, 1))).max() < 3


def test_frames_that_are_out_of_date_are_rendered_first(take, tmp_path: Path) -> None:
    import bpy

    before = [file.read_bytes() for file in frames_of(take)]
    key, curve = key_of(
        take, "mouth_00", take.part("face.fcurves").curves_of(take.face).fcurves[0].keyframe_points[4].co.x
    )
    key.co.y += 3
    curve.update()
    assert bpy.ops.edtalk.export_movie(filepath=str(tmp_path / "f.mp4")) == {"FINISHED"}
    after = [file.read_bytes() for file in frames_of(take)]
    assert 0 < sum(old != new for old, new in zip(before, after, strict=True)) < len(after)
    assert (tmp_path / "f.mp4").stat().st_size > 1000


def test_a_lost_frame_is_made_again_and_is_in_the_film(take, tmp_path: Path) -> None:
    import bpy

    frames_of(take)[2].unlink()
    assert bpy.ops.edtalk.export_movie(filepath=str(tmp_path / "f.mov"), form="prores") == {"FINISHED"}
    assert len(probe(tmp_path / "f.mov")["frames"]) == len(frames_of(take))


def test_the_suffix_follows_the_format_and_the_offered_name_is_free(take, tmp_path: Path) -> None:
    import bpy

    movie = take.part("takes.exchange.movie")
    first = movie.offered(take.face, "mp4")
    assert first.parent == Path(bpy.data.filepath).parent and not first.exists()
    first.write_bytes(b"mine")
    assert movie.offered(take.face, "mp4") != first
    assert bpy.ops.edtalk.export_movie(filepath=str(tmp_path / "f.mp4"), form="ffv1") == {"FINISHED"}
    assert (tmp_path / "f.mkv").is_file() and not (tmp_path / "f.mp4").exists()
    assert first.read_bytes() == b"mine"


def test_an_offered_film_needs_no_path(take) -> None:
    import bpy

    out = take.part("takes.exchange.movie").offered(take.face, "mp4")
    assert bpy.ops.edtalk.export_movie() == {"FINISHED"}
    assert out.is_file()


def test_a_folder_that_refuses_costs_one_sentence(take, tmp_path: Path) -> None:
    import bpy

    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    with pytest.raises(RuntimeError, match="written"):
        bpy.ops.edtalk.export_movie(filepath=str(blocked / "film.mp4"))
    assert blocked.read_text() == "no folder"


def test_without_a_take_the_button_says_why_it_is_grey(desk) -> None:
    import bpy

    assert not bpy.ops.edtalk.export_movie.poll()


def test_the_cut_out_keeps_its_alpha(desk, tmp_path: Path) -> None:
    import bpy

    bpy.context.scene.edtalk.passes = {"face"}
    desk.generate()
    out = tmp_path / "cut.mkv"
    assert bpy.ops.edtalk.export_movie(filepath=str(out), form="ffv1", cut_out=True) == {"FINISHED"}
    assert probe(out)["pixels"] == "bgra"


# --- origin ---------------------------------------------------------------------------------------


def read(take, path: Path) -> dict[str, str] | None:
    """What a file says of its origin, read by the installed extension."""
    with path.open("rb") as file:
        return take.part("takes.origin").origin.of_stream(file)


def digest(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()


def test_frames_and_film_say_what_they_were_made_of_and_who_is_shown(take, portrait, voice, tmp_path) -> None:
    import bpy

    frame = read(take, frames_of(take)[3])
    assert (frame["seed"], frame["sound"], frame["portrait"]) == ("0", digest(voice), digest(portrait))
    assert "shown" not in frame and "clip" not in frame
    take.face.edtalk.shown, take.face.edtalk.permission = "Anna", "by contract"
    assert bpy.ops.edtalk.export_movie(filepath=str(tmp_path / "f.mp4")) == {"FINISHED"}
    film = read(take, tmp_path / "f.mp4")
    assert (film["shown"], film["permission"], film["sound"]) == ("Anna", "by contract", frame["sound"])
    av = pytest.importorskip("av", reason="needs PyAV to look into the film")
    with av.open(str(tmp_path / "f.mp4")) as container:
        comment = container.metadata["comment"]
    assert "compositeWithTrainedAlgorithmicMedia" in comment and "Anna" in comment
    assert take.jobs.last().level == "INFO" and "who is shown" not in take.jobs.last().hint


def test_an_export_that_does_not_say_who_is_shown_says_so(take, tmp_path: Path) -> None:
    import bpy

    assert bpy.ops.edtalk.export_movie(filepath=str(tmp_path / "f.mp4")) == {"FINISHED"}
    assert take.jobs.last().level == "INFO" and "who is shown" in take.jobs.last().hint


def test_switched_off_the_files_are_bare_and_each_report_says_so(desk, tmp_path: Path) -> None:
    import bpy

    bpy.context.scene.edtalk.write_origin = False
    desk.generate()
    assert "Write Origin is off" in desk.jobs.last().hint
    assert not desk.face.edtalk.write_origin and read(desk, frames_of(desk)[0]) is None
    assert bpy.ops.edtalk.export_movie(filepath=str(tmp_path / "f.mp4")) == {"FINISHED"}
    assert read(desk, tmp_path / "f.mp4") is None and "Write Origin is off" in desk.jobs.last().hint


def test_pictures_without_a_record_are_up_to_date_and_their_film_has_one(desk, tmp_path: Path) -> None:
    """As those of takes from before there were records."""
    import bpy

    bpy.context.scene.edtalk.write_origin = False
    desk.generate()
    before = [file.read_bytes() for file in frames_of(desk)]
    desk.face.edtalk.write_origin = True
    assert desk.part("ui.origin_buttons").words(desk.face) == "Frames without a record"
    assert bpy.ops.edtalk.export_movie(filepath=str(tmp_path / "f.mp4")) == {"FINISHED"}
    assert [file.read_bytes() for file in frames_of(desk)] == before
    assert read(desk, tmp_path / "f.mp4")["sound"] == desk.face.edtalk.take.sound != ""


def test_who_is_shown_is_of_the_face_through_takes_and_files(take) -> None:
    import bpy

    take.face.edtalk.shown = "Anna"
    first = take.face.edtalk.take.name
    take.generate()
    assert take.face.edtalk.take.name != first and take.face.edtalk.shown == "Anna"
    take.face.edtalk.shown = "Anna Berg"
    assert bpy.ops.edtalk.switch_take(take=first) == {"FINISHED"}
    assert take.face.edtalk.shown == "Anna Berg"
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=bpy.data.filepath)
    assert take.face.edtalk.shown == "Anna Berg" and take.face.edtalk.write_origin
    assert take.face.edtalk.take.sound == digest(take.voice) and take.face.edtalk.take.seed == 0


def test_hostile_text_is_cut_with_a_sentence_and_stops_nothing(take, tmp_path: Path) -> None:
    import bpy

    take.face.edtalk.shown = "Anna\n\x1b[31m " + "x" * 10**5
    take.face.edtalk.take.sound = "y" * 10**5
    assert bpy.ops.edtalk.export_movie(filepath=str(tmp_path / "f.mp4")) == {"FINISHED"}
    said = read(take, tmp_path / "f.mp4")
    assert said["shown"].startswith("Anna [31m xxx") and len(said["shown"]) == 500
    assert "Who is shown: at most 500 characters in one line" in take.jobs.last().hint


def test_any_file_can_be_looked_into(take, tmp_path: Path) -> None:
    import bpy

    take.face.edtalk.shown = "Anna"
    words = take.part("ui.origin_buttons").words
    assert words(take.face) == "Synthetic, shown: not said"
    assert bpy.ops.edtalk.read_origin(filepath=str(frames_of(take)[0])) == {"FINISHED"}
    assert bpy.ops.edtalk.read_origin(filepath=bpy.data.filepath) == {"FINISHED"}
    for name in ("nowhere.png", ""):
        with pytest.raises(RuntimeError, match="cannot be read"):
            bpy.ops.edtalk.read_origin(filepath=str(tmp_path / name))
    for file in frames_of(take):
        file.unlink()
    assert words(take.face) == "Frames will say they are synthetic"
    take.render_changed()
    assert words(take.face) == "Synthetic, shown: Anna"


def spoil(scene) -> None:
    """A scene as far from a film as a scene can be, and another size than the strips were fitted to."""
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 300, 100, 50
    scene.frame_start, scene.frame_end = 1, 400
    scene.view_settings.view_transform, scene.view_settings.exposure = "AgX", 1.0
    scene.render.dither_intensity, scene.render.use_sequencer = 2.0, False
    scene.sync_mode, scene.use_audio_scrub = "NONE", False


def test_a_scene_set_up_for_film_renders_by_hand_what_is_on_disk(take, tmp_path: Path) -> None:
    import bpy

    scene = bpy.context.scene
    spoil(scene)
    assert bpy.ops.edtalk.set_up_for_film() == {"FINISHED"}
    assert (scene.frame_start, scene.frame_end) == (101, 150)
    assert (scene.sync_mode, scene.use_audio_scrub) == ("AUDIO_SYNC", True)
    assert bpy.ops.edtalk.set_up_for_film.poll()
    assert not take.part("pictures.film_scene").changes(
        scene, take.face, set(take.part("pictures.film_scene").GROUPS)
    )
    scene.render.filepath = str(tmp_path / "film.mp4")
    bpy.ops.render.render(animation=True)
    seen, files = probe(next(tmp_path.glob("film*.mp4"))), frames_of(take)
    assert seen["codecs"] == ["h264", "aac"] and len(seen["frames"]) == len(files)
    Image = pytest.importorskip("PIL.Image")
    for shown, file in zip(seen["frames"][::10], files[::10]):
        true = np.asarray(Image.open(file).convert("RGB"), float)
        assert shown.shape == true.shape
        assert np.abs(shown.mean((0, 1)) - true.mean((0, 1))).max() < 3


@pytest.mark.parametrize("group", ["SIZE", "STRIPS", "RANGE", "SOUND", "COLOUR", "FILE"])
def test_only_what_is_ticked_is_set_up(take, group: str) -> None:
    import bpy

    film, scene = take.part("pictures.film_scene"), bpy.context.scene
    spoil(scene)
    before = {name: film.changes(scene, take.face, {name}) for name in film.GROUPS}
    assert all(before.values())
    bpy.ops.edtalk.set_up_for_film(what={group})
    assert not film.changes(scene, take.face, {group})
    others = set(film.GROUPS) - {group} - ({"STRIPS"} if group == "SIZE" else set())
    assert all(film.changes(scene, take.face, {name}) == before[name] for name in others)
