# SPDX-License-Identifier: GPL-3.0-or-later
"""Each road of the server and its command line leaves the record of origin in all that it writes."""

from __future__ import annotations

import getpass
import json
import re
import socket
from dataclasses import replace
from pathlib import Path

import av
import pytest
from PIL import Image

from core.motion.motion import Motion
from core.wire import messages, origin
from core.wire.errors import BadFields
from core.wire.messages import Decode, Film
from server import cli, film, origins
from server.commands.terminal import Bars
from server.runtime import Runtime
from server.take import SIDECAR, noted_origins
from tests.support.decoding import three_frames

QUIET = Bars(quiet=True)
CROP = ("--crop", "16", "0", "64", "--size", "48", "--quiet")
KNOWN = {"seed": "7", "sound": "c" * 32, "shown": "Anna", "permission": "by contract"}


@pytest.fixture(scope="module")
def runtime() -> Runtime:
    return Runtime("cpu")


@pytest.fixture
def asked(tiny_checkpoint: Path, portrait: Path, tmp_path: Path) -> Decode:
    return three_frames(tiny_checkpoint, portrait, tmp_path, KNOWN)


def media(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in (".png", ".exr", ".mp4"))


@pytest.mark.parametrize("form", messages.FORMATS)
def test_every_picture_of_a_decode_carries_the_record(runtime, asked, tmp_path: Path, form: str) -> None:
    runtime.answer(replace(asked, format=form), QUIET)
    records = {path.name: origins.of_file(path) for path in media(tmp_path / "out")}
    assert len(records) == 3 * 4 + 1 and all(records.values())
    for said in records.values():
        assert said["source"] == origin.SOURCE and said["checkpoint"].startswith("tiny-")
        assert {name: said[name] for name in KNOWN} == KNOWN
    own = {records[f"take.{number:04d}.{form[:3]}"].get("weights") for number in range(100, 104)}
    assert len(own) == 4 and None in own  # of the portrait at rest there are no weights
    noted = noted_origins(tmp_path / "out" / SIDECAR)
    assert len(noted) == 5 and all(one["source"] == origin.SOURCE for one in noted.values())


def test_the_record_names_no_path_no_user_and_no_computer(runtime, asked, tmp_path: Path) -> None:
    runtime.answer(asked, QUIET)
    said = origins.of_file(tmp_path / "out" / "take.0101.png")
    text = " ".join(said.values())
    for name in (str(tmp_path), tmp_path.name, socket.gethostname(), "anna.png", getpass.getuser()):
        assert not re.search(rf"\b{re.escape(name)}\b", text)


def test_workers_of_a_farm_write_the_same_bytes(runtime, asked, tmp_path: Path) -> None:
    runtime.answer(asked, QUIET)
    one = Motion.load(tmp_path / "motion.npz")
    replace(one, weights=one.weights[1:2], numbers=one.frames[1:2]).save(tmp_path / "part.npz")
    part = replace(asked, motion=str(tmp_path / "part.npz"), out=str(tmp_path / "b"), hold=None)
    runtime.answer(part, QUIET)
    for name in ("take.0102.png", "take_matte.0102.png", "take_plate.png"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_switched_off_nothing_is_written_and_the_levels_are_the_same(runtime, asked, tmp_path: Path) -> None:
    runtime.answer(asked, QUIET)
    runtime.answer(replace(asked, out=str(tmp_path / "off"), mark=False), QUIET)
    for path in media(tmp_path / "off"):
        assert origins.of_file(path) is None
        with Image.open(path) as off, Image.open(tmp_path / "out" / path.name) as on:
            assert off.tobytes() == on.tobytes()
    assert noted_origins(tmp_path / "off" / SIDECAR) == {}


def test_frames_from_before_there_were_records_are_made_again_one_by_one(runtime, asked, tmp_path) -> None:
    runtime.answer(replace(asked, mark=False), QUIET)
    old = (tmp_path / "out" / "take.0101.png").read_bytes()
    one = Motion.load(tmp_path / "motion.npz")
    replace(one, weights=one.weights[2:], numbers=one.frames[2:]).save(tmp_path / "part.npz")
    runtime.answer(replace(asked, motion=str(tmp_path / "part.npz"), hold=None), QUIET)
    assert (tmp_path / "out" / "take.0101.png").read_bytes() == old
    assert origins.of_file(tmp_path / "out" / "take.0103.png")


@pytest.mark.parametrize(("form", "suffix"), [("mp4", ".mp4"), ("prores", ".mov"), ("ffv1", ".mkv")])
def test_a_film_says_what_its_frames_say(runtime, asked, tmp_path: Path, form: str, suffix: str) -> None:
    runtime.answer(asked, QUIET)
    out = tmp_path / f"a{suffix}"
    order = Film(
        frames_in=asked.out,
        name="take.",
        frames="101-103",
        rate=25,
        form=form,
        out=str(out),
        origin={"shown": "Anna and Bo"},
    )
    film.make(order, QUIET)
    said = origins.of_file(out)
    assert said["shown"] == "Anna and Bo" and said["permission"] == "by contract" and said["seed"] == "7"
    frames = [origins.of_file(Path(asked.out) / f"take.{number:04d}.png") for number in range(101, 104)]
    assert said["weights"] == origin.digest("".join(one["weights"] for one in frames).encode())
    with av.open(str(out)) as container:
        tags = {key.lower(): text for key, text in container.metadata.items()}
    assert origin.SOURCE in tags["comment"] and "Anna and Bo" in tags["comment"]
    film.make(replace(order, mark=False, overwrite=True), QUIET)
    assert origins.of_file(out) is None


def test_frames_without_a_record_still_make_a_film_that_says_it_is_synthetic(
    runtime, asked, tmp_path
) -> None:
    runtime.answer(replace(asked, mark=False), QUIET)
    film.make(
        Film(frames_in=asked.out, name="take.", frames="101-103", rate=25, out=str(tmp_path / "a.mp4")), QUIET
    )
    assert set(origins.of_file(tmp_path / "a.mp4")) == {"source", "tool", "version"}


@pytest.mark.parametrize("field", ["shown", "permission", "seed"])
@pytest.mark.parametrize("text", ["x" * 501, "a\nb", "\0", "\u202eannA", 3, None])
def test_a_message_takes_one_short_line_alone(asked, field: str, text: object) -> None:
    with pytest.raises(BadFields, match="one line of at most 500 characters"):
        replace(asked, origin={field: text})


def test_a_message_takes_no_other_fields(asked) -> None:
    with pytest.raises(BadFields, match="seed, sound, clip, shown, permission"):
        replace(asked, origin={"source": "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"})


# --- command line ---------------------------------------------------------------------------------


def test_animate_decode_and_preview_leave_nothing_without_a_record(
    tiny_checkpoint: Path, portrait: Path, voice: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "take"
    face = ["--source", str(portrait), "--checkpoint", str(tiny_checkpoint), *CROP]
    made = ["animate", *face, "--audio", str(voice), "--seed", "5", "--out", str(out), "--fps", "5"]
    assert cli.main([*made, "--shown", "Anna", "--permission", "by contract"]) == 0
    assert {"preview.mp4", "sheet.png"} <= {path.name for path in media(out)}
    sound = origins.of_input(str(voice))
    for path in media(out):
        said = origins.of_file(path)
        assert (said["seed"], said["shown"], said["sound"]) == ("5", "Anna", sound)
        assert said["permission"] == "by contract" and "clip" not in said

    again = tmp_path / "again"
    assert cli.main(["decode", *face, "--motion", str(out / "weights.csv"), "--out", str(again)]) == 0
    assert all(origins.of_file(path)["sound"] == sound for path in media(again))
    assert all(origins.of_file(path)["shown"] == "Anna" for path in media(again))

    seen = ["preview", "--frames-in", str(again), "--fps", "25", "--quiet", "--shown", "Bo"]
    assert cli.main([*seen, "--out", str(tmp_path / "p.mp4")]) == 0
    assert origins.of_file(tmp_path / "p.mp4") == origins.of_frames(media(again), {"shown": "Bo"})

    capsys.readouterr()
    assert cli.main([*seen, "--out", str(tmp_path / "off.mp4"), "--no-origin"]) == 0
    assert origins.of_file(tmp_path / "off.mp4") is None
    assert "do not say that they are synthetic" in capsys.readouterr().out

    assert cli.main(["origin", str(tmp_path / "p.mp4"), str(out / SIDECAR)]) == 0
    shown = capsys.readouterr().out
    assert "Who is shown: Bo" in shown and "edtalk-take.json take.####.png:" in shown and "Seed: 5" in shown
    files = [str(out / "sheet.png"), str(tmp_path / "off.mp4"), str(portrait)]
    assert cli.main(["origin", "--json", *files]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["file"] for line in lines] == ["sheet.png", "off.mp4", "anna.png"]
    assert lines[0]["origin"] == origins.of_file(out / "sheet.png") and lines[1]["origin"] is None


@pytest.mark.parametrize("text", ["x" * 501, "Anna\nBo", "\x1b[31mAnna"])
@pytest.mark.parametrize("flag", ["--shown", "--permission"])
def test_hostile_text_is_refused_before_any_work(flag: str, text: str, tmp_path: Path, capsys) -> None:
    command = ["preview", "--frames-in", str(tmp_path), "--fps", "25", "--out", str(tmp_path / "a.mp4")]
    assert cli.main([*command, flag, text]) == 2
    assert "one line of at most 500 characters" in capsys.readouterr().err


def test_what_cannot_be_read_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in (".", "nowhere.png", "nowhere.json"):
        assert cli.main(["origin", str(tmp_path / name)]) == 1
        assert "cannot be read: it" in capsys.readouterr().err


@pytest.mark.parametrize(
    "note",
    [
        "",
        "[]",
        '{"schema": 1, "takes": {"a": {"origin": 3}}}',
        '{"schema": 1, "takes": {"a": {"origin": {"seed": [1]}}, "b": 4}}',
    ],
)
def test_a_note_of_another_kind_says_nothing(note: str, tmp_path: Path, capsys) -> None:
    (tmp_path / SIDECAR).write_text(note)
    assert cli.main(["origin", str(tmp_path / SIDECAR)]) == 1
    assert "says nothing of its origin" in capsys.readouterr().out
    assert origins.inherited(tmp_path / "motion.npz") == {}


def test_a_hostile_note_does_not_stop_a_decode(tmp_path: Path) -> None:
    said = {"seed": "1\n2", "shown": "x" * 10**5, "source": "\0", "other": "x"}
    note = {"schema": 1, "takes": {"take.####.png": {"origin": said}}}
    (tmp_path / SIDECAR).write_text(json.dumps(note))
    known = origins.inherited(tmp_path / "motion.npz")
    assert known == {"seed": "1 2", "shown": "x" * 500}
    assert Decode(portrait="/a", motion="/b", out="/c", origin=known).origin == known
