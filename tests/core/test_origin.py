# SPDX-License-Identifier: GPL-3.0-or-later
"""A record of origin stands in each picture and film, and programs that are not ours read it."""

from __future__ import annotations

import io
import re
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from core.pictures import film, image, sheet, video
from core.pictures.files import marking
from core.pictures.picture import Picture
from core.wire import origin

FULL = origin.record(
    "0.1.0",
    {
        "checkpoint": "heads-128",
        "seed": "3",
        "portrait": "a" * 32,
        "sound": "b" * 32,
        "shown": 'Anna <B> & "C" ü 安',
        "permission": "contract of 2026-03-01",
    },
)
NOISE = np.random.default_rng(0).integers(0, 256, (33, 47, 4), np.uint8)
PICTURE = Picture(NOISE[..., :3], NOISE[..., 3])


def of_file(path: Path) -> dict[str, str] | None:
    with path.open("rb") as file:
        return origin.of_stream(file)


def body(said: dict[str, str]) -> bytes:
    whole = origin.packet(said).encode()
    return whole[whole.index(b"?>") + 2 : whole.index(b"<?xpacket end=")].strip()


# --- the record -----------------------------------------------------------------------------------


def test_a_record_survives_its_packet() -> None:
    assert origin.parse(body(FULL)) == FULL


def test_it_says_iptcs_word_for_a_composite_with_parts_of_a_trained_model() -> None:
    text = body(FULL).decode()
    assert 'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"' in text
    said = re.search(r"<Iptc4xmpExt:DigitalSourceType>(.*)</", text)
    assert said is not None and said[1] == (
        "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
    )


def test_what_is_not_known_is_left_out() -> None:
    assert set(origin.record("1", {"seed": "", "shown": " \n", "user": "me"})) == {
        "source",
        "tool",
        "version",
    }


@pytest.mark.parametrize("field", origin.CONSENT)
@pytest.mark.parametrize(
    "hostile",
    [
        "x" * 10**6,
        "\0\x1b[31m\nAnna\r\n",
        "]]><!DOCTYPE a>",
        "<?xpacket end='w'?>",
        "\u202eannA",
        "\ud800",
        "😀" * 9999,
        "Anna\u2028Bo",
    ],
)
def test_hostile_text_is_one_short_line_in_a_file(tmp_path: Path, field: str, hostile: str) -> None:
    said = origin.record("1", {field: hostile})
    kept = said.get(field, "a")  # of half a letter nothing is left
    assert len(kept) <= origin.MOST_LETTERS and kept.isprintable()
    image.write(tmp_path / "a.png", PICTURE, origin=said)
    image.write(tmp_path / "a.exr", PICTURE, "exr", origin=said)
    assert of_file(tmp_path / "a.png") == said == of_file(tmp_path / "a.exr")


def test_text_that_is_cut_is_told_in_a_sentence_and_good_text_is_not() -> None:
    assert origin.shortened({"shown": "Anna ", "permission": "by contract"}) == ""
    assert origin.shortened({"shown": "x" * 501}).startswith("Who is shown: at most 500 characters")
    both = origin.shortened({"shown": "An\0na", "permission": "a\nb"})
    assert both.startswith("Who is shown and Permission: ")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not xml",
        b"<a/>",
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b"<x>" * 10000,
        b"\xff\xfe",
        b"<a>" + b"x" * (1 << 17) + b"</a>",
    ],
)
def test_xmp_that_is_none_of_ours_is_no_record(data: bytes) -> None:
    assert origin.parse(data) is None


@pytest.mark.parametrize("places", [(0,), (1 << 20,), ((1 << 20) - 7,), ((1 << 20) - 200,), (5, 1 << 21)])
def test_a_packet_is_found_wherever_in_a_file_it_stands(places: tuple[int, ...]) -> None:
    data = bytearray(b"x" * ((1 << 21) + (1 << 17)))
    foreign = b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><other/><?xpacket end="r"?>'
    for place in places[:-1]:
        data[place : place + len(foreign)] = foreign
    packet = origin.packet(FULL).encode()
    data[places[-1] : places[-1] + len(packet)] = packet
    assert origin.of_stream(io.BytesIO(data)) == FULL
    assert origin.of_stream(io.BytesIO(data), places[-1] + 100) is None


@pytest.mark.parametrize(
    "garbage", [b"<?xpacket begin=", b"<?xpacket end=", b"<?xpacket begin=?><?xpacket end="]
)
def test_garbage_of_many_beginnings_or_ends_costs_no_more_than_its_length(garbage: bytes) -> None:
    """A search that began again at each of them would take hours here."""
    many = garbage * ((8 << 20) // len(garbage))
    assert origin.of_stream(io.BytesIO(many + origin.packet(FULL).encode())) == FULL


def test_frames_make_one_record_of_what_they_agree_in() -> None:
    frames = [FULL | {"weights": letter * 32, "seed": letter} for letter in "ab"]
    one = origin.merged(frames)
    assert one["portrait"] == FULL["portrait"] and "seed" not in one
    assert one["weights"] == origin.digest(b"a" * 32 + b"b" * 32)
    assert one["weights"] != origin.merged(reversed(frames))["weights"]
    assert origin.merged([]) == {}


# --- in files, read by others ---------------------------------------------------------------------


@pytest.mark.parametrize("form", ["png", "png16"])
def test_a_png_keeps_its_levels_and_pillow_reads_the_record(tmp_path: Path, form: image.Format) -> None:
    image.write(tmp_path / "plain.png", PICTURE, form)
    image.write(tmp_path / "a.png", PICTURE, form, origin=FULL)
    one, other = image.load(tmp_path / "a.png"), image.load(tmp_path / "plain.png")
    assert (one.rgb == other.rgb).all() and of_file(tmp_path / "plain.png") is None
    with Image.open(tmp_path / "a.png") as opened:
        opened.verify()  # check sums, too
        assert opened.info["XML:com.adobe.xmp"] == origin.packet(FULL)


def test_a_contact_sheet_carries_it(tmp_path: Path) -> None:
    sheet.write_sheet(tmp_path / "s.png", [NOISE[..., :3]], origin=FULL)
    with Image.open(tmp_path / "s.png") as opened:
        assert opened.info["XML:com.adobe.xmp"] == origin.packet(FULL)


@pytest.mark.parametrize("form", ["png", "png16", "exr"])
def test_openimageio_reads_the_record_and_the_same_levels(tmp_path: Path, form: image.Format) -> None:
    oiio = pytest.importorskip("OpenImageIO")
    paths = [tmp_path / f"{name}{image.SUFFIXES[form]}" for name in ("plain", "marked")]
    image.write(paths[0], PICTURE, form)
    image.write(paths[1], PICTURE, form, origin=FULL)
    plain, marked = (oiio.ImageBuf(str(path)) for path in paths)
    assert np.array_equal(plain.get_pixels(), marked.get_pixels())
    spec = marked.spec()
    if form == "exr":
        assert spec.getattribute("xmp") == origin.packet(FULL)
        assert origin.SOURCE in spec.getattribute("ImageDescription")  # its word for `comments`
    else:
        assert spec.getattribute("Iptc4xmpExt:DigitalSourceType") == origin.SOURCE
        assert spec.getattribute("IPTC:PersonInImage") == FULL["shown"]
        assert spec.getattribute("edtalk:permission") == FULL["permission"]
        assert spec.getattribute("Software") == "EDTalk for Blender 0.1.0"


def test_a_tiff_that_another_program_made_of_a_frame_is_read(tmp_path: Path) -> None:
    packet = origin.packet(FULL).encode()
    Image.fromarray(NOISE).save(tmp_path / "a.tif", tiffinfo={700: packet})
    assert of_file(tmp_path / "a.tif") == FULL


def test_the_same_picture_has_the_same_bytes(tmp_path: Path) -> None:
    for form in ("png", "exr"):
        for name in "ab":
            image.write(tmp_path / name, PICTURE, form, origin=FULL)
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def read_by_ffmpeg(path: Path) -> tuple[dict[str, str], int]:
    """Tags of a film, and how many pictures it still holds."""
    with av.open(str(path)) as container:
        tags = {key.lower(): text for key, text in container.metadata.items()}
        return tags, sum(1 for _ in container.decode(video=0))


@pytest.mark.parametrize("form", film.FORMS)
def test_a_film_says_it_and_ffmpeg_reads_that_it_is_synthetic(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"a{film.FORMS[form].suffix}"
    film.write(path, [NOISE[..., :3]] * 3, 25, form, origin=FULL)
    assert of_file(path) == FULL
    tags, count = read_by_ffmpeg(path)
    assert tags["comment"] == origin.sentence(FULL) and count == 3
    assert origin.SOURCE in tags["comment"] and FULL["shown"] in tags["comment"]
    film.write(path, [NOISE[..., :3]] * 3, 25, form)
    assert of_file(path) is None and "comment" not in read_by_ffmpeg(path)[0]


def test_a_preview_says_it_too(tmp_path: Path) -> None:
    video.write_preview(tmp_path / "p.mp4", [NOISE[..., :3]] * 3, 25, origin=FULL)
    assert of_file(tmp_path / "p.mp4") == FULL
    assert read_by_ffmpeg(tmp_path / "p.mp4")[0]["comment"] == origin.sentence(FULL)


def test_xmp_in_mp4_is_a_whole_box_of_its_own_at_the_end(tmp_path: Path) -> None:
    film.write(tmp_path / "a.mp4", [NOISE[..., :3]] * 3, 25, origin=FULL)
    data, place, boxes = (tmp_path / "a.mp4").read_bytes(), 0, []
    while place < len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        boxes.append((data[place + 4 : place + 8], data[place + 8 : place + size]))
        place += size
    assert place == len(data) and [name for name, _ in boxes].index(b"moov") < len(boxes) - 1
    assert boxes[-1] == (b"uuid", marking.UUID + origin.packet(FULL).encode())
