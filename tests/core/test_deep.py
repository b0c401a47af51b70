# SPDX-License-Identifier: GPL-3.0-or-later
"""Deep pictures are what they are: orientation, alpha, profiles, planes, light, and no camera's preview."""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from core.pictures import image
from core.pictures.files import deep, jxl_size, profiles
from core.pictures.files.tiff_pages import pages_of
from core.wire.errors import UnreadableImage

oiio = pytest.importorskip("OpenImageIO")


def levels(height: int = 40, width: int = 60, channels: int = 3) -> np.ndarray:
    """16-bit levels in which any turn, flip or exchange of channels shows."""
    rows, columns = np.mgrid[0:height, 0:width]
    parts = [columns * 65535 // (width - 1), rows * 65535 // (height - 1), np.full((height, width), 20000)]
    return np.stack([*parts, np.full((height, width), 65535)][:channels], -1).astype(np.uint16)


def tiff(pages: list[dict[int, Any]], order: str = "<", big: bool = False) -> bytes:
    """A TIFF file by hand: each page is its tags, with the samples under 273. Values are SHORT or LONG, and a
    list of pages under 330 lies behind the page."""
    word = "Q" if big else "I"
    head = b"II" if order == "<" else b"MM"
    out = bytearray(
        head + struct.pack(f"{order}HHHQ", 43, 8, 0, 0) if big else head + struct.pack(f"{order}HI", 42, 0)
    )
    link = len(out) - struct.calcsize(word)

    def put(page: dict[int, Any]) -> int:
        entries = []
        for tag, value in sorted(page.items()):
            if tag == 330:
                value = [put(inner) for inner in value]
            elif tag == 273:
                strips = value if isinstance(value, list) else [value]
                page = {**page, 279: [len(strip) for strip in strips]}
                places = []
                for strip in strips:
                    out.extend(bytes(-len(out) % 8))
                    places.append(len(out))
                    out.extend(strip)
                value = places
                entries.append((279, page[279]))
            entries.append((tag, value))
        ready = []
        for tag, value in sorted(entries):
            kind, data = (7, value) if isinstance(value, bytes) else (4, b"")
            if kind == 4:
                value = value if isinstance(value, (list, tuple)) else [value]
                data = b"".join(struct.pack(f"{order}I", number) for number in value)
            count = len(data) // (4 if kind == 4 else 1)
            if len(data) > struct.calcsize(word):
                out.extend(bytes(-len(out) % 8))
                place = len(out)
                out.extend(data)
                data = struct.pack(f"{order}{word}", place)
            ready.append(
                struct.pack(f"{order}HH{word}", tag, kind, count) + data.ljust(struct.calcsize(word), b"\0")
            )
        out.extend(bytes(-len(out) % 8))
        at = len(out)
        out.extend(struct.pack(f"{order}{'Q' if big else 'H'}", len(ready)) + b"".join(ready))
        out.extend(bytes(struct.calcsize(word)))
        return at

    for page in pages:
        at = put(page)
        out[link : link + struct.calcsize(word)] = struct.pack(f"{order}{word}", at)
        link = len(out) - struct.calcsize(word)
    return bytes(out)


def page(array: np.ndarray, order: str = "<", planar: bool = False, **more: Any) -> dict[int, Any]:
    height, width, channels = array.shape
    raw = array.astype(f"{order}u{array.dtype.itemsize}")
    data: Any = [raw[..., n].tobytes() for n in range(channels)] if planar else raw.tobytes()
    about = {
        256: width,
        257: height,
        258: [8 * array.dtype.itemsize] * channels,
        259: 1,
        262: 2 if channels > 2 else 1,
    }
    about |= {273: data, 277: channels, 278: height, 284: 2 if planar else 1}
    if channels in (2, 4):
        about[338] = 2
    return about | {int(key[1:]): value for key, value in more.items()}


STORED: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("orientation", STORED)
def test_a_tiff_is_turned_once(tmp_path: Path, orientation: int, depth: int) -> None:
    upright = levels() if depth == 16 else (levels() >> 8).astype(np.uint8)
    stored = np.ascontiguousarray(STORED[orientation](upright))
    (tmp_path / "a.tif").write_bytes(tiff([page(stored, t274=orientation)]))
    picture = image.load(tmp_path / "a.tif")
    assert picture.depth == depth
    np.testing.assert_array_equal(picture.rgb, upright)
    assert image.is_turned(tmp_path / "a.tif") == (orientation != 1)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("big", [False, True])
def test_planes_byte_orders_and_large_files_are_all_the_same(
    tmp_path: Path, depth: int, planar: bool, order: str, big: bool
) -> None:
    upright = levels() if depth == 16 else (levels() >> 8).astype(np.uint8)
    (tmp_path / "a.tif").write_bytes(tiff([page(upright, order, planar)], order, big))
    np.testing.assert_array_equal(image.load(tmp_path / "a.tif").rgb, upright)


@pytest.mark.parametrize("depth", [8, 16])
def test_white_is_white_where_zero_means_white(tmp_path: Path, depth: int) -> None:
    grey = levels()[..., :1] if depth == 16 else (levels()[..., :1] >> 8).astype(np.uint8)
    top = np.iinfo(grey.dtype).max
    (tmp_path / "a.tif").write_bytes(tiff([page(top - grey, t262=0)]))
    np.testing.assert_array_equal(image.load(tmp_path / "a.tif").rgb[..., :1], grey)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("kind", ["associated", "straight"])
def test_alpha_leaves_no_rim_however_it_is_stored(tmp_path: Path, depth: int, kind: str) -> None:
    top = (1 << depth) - 1
    straight = (levels(channels=4) if depth == 16 else levels(channels=4) >> 8).astype(f"u{depth // 8}")
    straight[..., :3] = (top // 2, top // 4, top - 10)
    straight[..., 3] = np.linspace(top // 5, top, 60).astype(straight.dtype)
    stored = straight.copy()
    if kind == "associated":
        share = straight[..., 3:].astype(np.float64) / top
        stored[..., :3] = np.rint(straight[..., :3] * share)
    (tmp_path / "a.tif").write_bytes(tiff([page(stored, t338=1 if kind == "associated" else 2)]))
    picture = image.load(tmp_path / "a.tif")
    assert picture.alpha is not None and picture.depth == depth
    np.testing.assert_allclose(picture.alpha, straight[..., 3], atol=1)
    clear = straight[..., 3] > 0.999 * top
    np.testing.assert_allclose(picture.rgb[clear].astype(float), straight[..., :3][clear], atol=top / 200)


def wide_profile(kind: str) -> bytes:
    """A matrix profile with the primaries of Display P3 and one of the ways to write a tone curve."""

    def fixed(*values: float) -> bytes:
        return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))

    srgb = fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    x = np.linspace(0, 1, 1024)
    table = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    curve = {
        "parametric": b"para" + bytes(4) + struct.pack(">HH", 3, 0) + srgb,
        "table": b"curv"
        + bytes(4)
        + struct.pack(">I", 1024)
        + np.rint(table * 65535).astype(">u2").tobytes(),
    }[kind]
    columns = [(0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407)]
    tags = {
        name: b"XYZ " + bytes(4) + fixed(*column)
        for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns)
    }
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    tags |= {b"wtpt": b"XYZ " + bytes(4) + fixed(0.9642, 1, 0.8249)}
    at, entries, body = 132 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        entries += struct.pack(">4sII", name, at + len(body), len(data))
        body += data
    size = at + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"lcms", 0x04000000, b"mntr", b"RGB ", b"XYZ ") + bytes(12)
    head += b"acsp" + bytes(28) + fixed(0.9642, 1, 0.8249)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + entries + body


def with_profile(path: Path, rgb: np.ndarray, profile: bytes) -> Path:
    if rgb.dtype == np.uint8:
        Image.fromarray(rgb).save(path, icc_profile=profile)
    elif path.suffix == ".tif":
        path.write_bytes(tiff([page(rgb, t34675=profile)]))
    else:
        done, data = cv2.imencode(".png", rgb[..., ::-1])
        assert done
        body = b"wide\0\0" + zlib.compress(profile)
        chunk = struct.pack(">I", len(body)) + b"iCCP" + body + struct.pack(">I", zlib.crc32(b"iCCP" + body))
        path.write_bytes(bytes(data[:33]) + chunk + bytes(data[33:]))
    return path


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("kind", ["parametric", "table"])
def test_16_bit_colours_are_converted_as_8_bit_ones_are(tmp_path: Path, suffix: str, kind: str) -> None:
    profile = wide_profile(kind)
    ImageCms.ImageCmsProfile(__import__("io").BytesIO(profile))  # Pillow's own reader takes it
    skin = np.full((32, 32, 3), (220, 160, 130), np.uint8)
    skin[:16] = (90, 200, 60)
    shallow = image.load(with_profile(tmp_path / f"s{suffix}", skin, profile))
    deep_one = image.load(with_profile(tmp_path / f"d{suffix}", skin.astype(np.uint16) * 257, profile))
    assert deep_one.depth == 16
    np.testing.assert_allclose(deep_one.to_depth(8).rgb.astype(int), shallow.rgb, atol=2)
    assert np.abs(shallow.rgb.astype(int) - skin).max() > 5


def exr(path: Path, values: np.ndarray, names: tuple[str, ...] = (), **about: Any) -> Path:
    spec = oiio.ImageSpec(values.shape[1], values.shape[0], values.shape[2], "half")
    if names:
        spec.channelnames = names
    for key, value in about.items():
        if isinstance(value, tuple):
            spec.attribute(key, f"float[{len(value)}]", value)
        else:
            spec.attribute(key, value)
    out = oiio.ImageOutput.create(str(path))
    assert out.open(str(path), spec) and out.write_image(np.ascontiguousarray(values, np.float32))
    out.close()
    return path


def test_an_exr_frame_of_ours_comes_back_as_it_was(tmp_path: Path) -> None:
    alpha = np.linspace(20000, 65535, 40 * 60).reshape(40, 60).astype(np.uint16)
    picture = image.Picture(levels(), alpha)
    image.write(tmp_path / "a.exr", picture, "exr")
    found = image.load(tmp_path / "a.exr")
    assert found.alpha is not None
    np.testing.assert_allclose(found.alpha, alpha, atol=40)
    np.testing.assert_allclose(found.rgb[alpha > 65000].astype(int), levels()[alpha > 65000], atol=80)


def test_the_same_picture_gives_the_same_file_on_any_day(tmp_path: Path) -> None:
    values = np.random.default_rng(1).random((64, 64, 4)).astype(np.float32)
    deep.write_exr(tmp_path / "a.exr", values)
    time.sleep(1.1)
    deep.write_exr(tmp_path / "b.exr", values)
    assert (tmp_path / "a.exr").read_bytes() == (tmp_path / "b.exr").read_bytes()
    deep.write_exr(tmp_path / "hot.exr", np.full((16, 16, 3), 1e9, np.float32))
    assert oiio.ImageBuf(str(tmp_path / "hot.exr")).get_pixels(oiio.FLOAT).max() == deep.BIGGEST_HALF
    with pytest.raises(ValueError, match="3 or 4 channels"):
        deep.write_exr(tmp_path / "two.exr", np.zeros((16, 16, 2), np.float32))


def test_light_of_other_primaries_and_layers_of_renderers_are_understood(tmp_path: Path) -> None:
    grey = np.full((20, 20, 3), 0.18, np.float32)
    plain = image.load(exr(tmp_path / "a.exr", grey)).rgb[5, 5]
    assert np.ptp(plain.astype(int)) <= 40 and plain[0] / 65535 == pytest.approx(0.4613, abs=0.002)
    ap0 = (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.0770, 0.32168, 0.33767)
    other = image.load(exr(tmp_path / "b.exr", grey, chromaticities=ap0)).rgb[5, 5]
    np.testing.assert_allclose(other.astype(int), plain, atol=200)  # grey stays grey
    red = np.zeros((20, 20, 3), np.float32)
    red[..., 0] = 0.5
    assert image.load(exr(tmp_path / "c.exr", red, chromaticities=ap0)).rgb[5, 5][0] == 65535
    names = (
        "Normal.R",
        "Normal.G",
        "Normal.B",
        "View.Combined.A",
        "View.Combined.B",
        "View.Combined.G",
        "View.Combined.R",
    )
    many = np.concatenate([np.ones((20, 20, 4)), np.full((20, 20, 3), (0.1, 0.2, 0.4))], -1)
    found = image.load(exr(tmp_path / "d.exr", many, names)).rgb[5, 5].astype(float) / 65535
    np.testing.assert_allclose(found, profiles.encoded(np.array([0.4, 0.2, 0.1])), atol=0.003)
    with pytest.raises(UnreadableImage, match="no colours among them"):
        image.load(exr(tmp_path / "e.exr", np.ones((20, 20, 3)), ("depth", "u", "v")))


def test_values_that_are_no_light_are_cut(tmp_path: Path) -> None:
    values = np.full((20, 20, 3), 0.5, np.float32)
    values[0], values[1], values[2], values[3] = np.nan, -5, 100, np.inf
    rgb = image.load(exr(tmp_path / "a.exr", values)).rgb
    assert (rgb[1] == 0).all() and (rgb[2] == 65535).all() and (rgb[0] == 0).all()


@pytest.mark.parametrize("suffix", [".hdr", ".dpx", ".jxl", ".tga"])
def test_other_kinds_are_read_as_what_they_are_whatever_they_are_called(tmp_path: Path, suffix: str) -> None:
    made = tmp_path / f"made{suffix}"
    rgb = (levels(64, 64) / 65535).astype(np.float32)
    out = oiio.ImageOutput.create(f"a{suffix}")
    if out is None:
        pytest.skip("this build does not write it")
    spec = oiio.ImageSpec(64, 64, 3, {".hdr": "float", ".tga": "uint8"}.get(suffix, "uint16"))
    if not out.open(str(made), spec):
        pytest.skip("this build does not write it")
    out.write_image(rgb)
    out.close()
    name = tmp_path / ("face.tga" if suffix == ".tga" else "face.png")
    name.write_bytes(made.read_bytes())
    found = image.load(name).to_depth(8).rgb.astype(float) / 255
    wanted = profiles.encoded(rgb) if suffix == ".hdr" else rgb
    assert np.corrcoef(found.ravel(), wanted.ravel())[0, 1] > 0.995
    for keep in (0.2, 0.7):
        name.write_bytes(made.read_bytes()[: int(made.stat().st_size * keep)])
        try:
            image.load(name)
        except UnreadableImage as error:
            assert error.hint and "edtalk-picture" not in error.message


def small_preview() -> dict[int, Any]:
    return page((levels(32, 32) >> 8).astype(np.uint8), t254=1)


RAWS = {
    "dng": lambda: tiff(
        [small_preview() | {50706: b"\1\4\0\0", 330: [page(levels(64, 64)[..., :1], t262=32803)]}]
    ),
    "nef": lambda: tiff([small_preview() | {330: [page(levels(64, 64)[..., :1], t262=32803)]}]),
    "linear dng": lambda: tiff([page(levels(), t262=34892)]),
    "an arw with an unreadable page behind": lambda: tiff(
        [small_preview() | {330: [page(levels(64, 64)[..., :1])]}], ">"
    ),
    "cr2": lambda: b"II*\0\x10\0\0\0CR\2\0" + tiff([small_preview()])[12:],
    "raf": lambda: b"FUJIFILMCCD-RAW 0201" + bytes(200),
    "cr3": lambda: b"\0\0\0\x18ftypcrx " + bytes(200),
    "rw2": lambda: b"IIU\0\x18\0\0\0" + bytes(200),
    "x3f": lambda: b"FOVb" + bytes(200),
}


@pytest.mark.parametrize("name", ["face.tif", "face.jpg", "FACE.NEF"])
@pytest.mark.parametrize("kind", RAWS)
def test_camera_raw_is_refused_by_what_it_is_or_is_called(tmp_path: Path, kind: str, name: str) -> None:
    (tmp_path / name).write_bytes(RAWS[kind]())
    with pytest.raises(UnreadableImage, match="is a camera raw file") as error:
        image.load(tmp_path / name)
    assert "Develop it" in error.value.hint


@pytest.mark.parametrize("depth", [8, 16])
def test_the_picture_is_taken_and_not_its_small_version(tmp_path: Path, depth: int) -> None:
    upright = levels() if depth == 16 else (levels() >> 8).astype(np.uint8)
    (tmp_path / "a.tif").write_bytes(tiff([small_preview(), page(upright)]))
    np.testing.assert_array_equal(image.load(tmp_path / "a.tif").rgb, upright)


@pytest.mark.parametrize("big", [False, True])
def test_a_picture_of_absurd_size_is_refused_by_its_header(tmp_path: Path, big: bool) -> None:
    about = page(levels(16, 16)) | {256: 16000, 257: 16000}
    (tmp_path / "a.tif").write_bytes(tiff([about], big=big))
    began = time.process_time()
    with pytest.raises(UnreadableImage, match="million"):
        image.load(tmp_path / "a.tif")
    assert time.process_time() - began < 5


def test_fuzzed_tiffs_and_profiles_are_read_or_refused_and_never_more(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    data = tiff([page(levels(20, 20), t34675=wide_profile("table"))])
    for _ in range(150):
        broken = bytearray(data)
        for at in rng.integers(len(data) - 400, len(data), 3):
            broken[at] = rng.integers(0, 256)
        pages_of(bytes(broken))
        (tmp_path / "a.tif").write_bytes(broken)
        try:
            image.load(tmp_path / "a.tif")
        except UnreadableImage as error:
            assert error.message.isprintable()
    profile = wide_profile("parametric")
    for _ in range(300):
        broken = bytearray(profile)
        for at in rng.integers(0, len(profile), 4):
            broken[at] = rng.integers(0, 256)
        with np.errstate(all="ignore"):
            profiles.to_linear(np.ones((2, 3), np.float32), bytes(broken))


def written(path: Path, values: np.ndarray, form: str, **about: Any) -> Path:
    spec = oiio.ImageSpec(values.shape[1], values.shape[0], values.shape[2], form)
    for key, value in about.items():
        spec.attribute(key.replace("__", ":"), value)
    out = oiio.ImageOutput.create(str(path))
    assert out.open(str(path), spec) and out.write_image(np.ascontiguousarray(values))
    out.close()
    return path


@pytest.mark.parametrize("orientation", STORED)
def test_a_dpx_stands_upright_and_says_that_it_was_turned(tmp_path: Path, orientation: int) -> None:
    stored = np.ascontiguousarray(STORED[orientation](levels()))
    path = written(tmp_path / "a.dpx", stored, "uint16")
    data, code = bytearray(path.read_bytes()), (1, 2, 4, 3, 5, 6, 8, 7).index(orientation)
    data[768:770] = struct.pack("<H", code)  # SMPTE 268M; the library's own writer mistakes four of them
    path.write_bytes(data)
    np.testing.assert_array_equal(image.load(path).rgb, levels())
    assert image.is_turned(path) == (orientation != 1)


@pytest.mark.parametrize(
    ("axes", "stored"),
    [
        ("-Y 40 +X 60", lambda a: a),
        ("+Y 40 +X 60", np.flipud),
        ("-Y 40 -X 60", np.fliplr),
        ("+X 60 -Y 40", lambda a: a.transpose(1, 0, 2)),
        ("-X 60 +Y 40", lambda a: a[::-1, ::-1].transpose(1, 0, 2)),
    ],
)
def test_light_that_was_stored_in_another_order_stands_upright(
    tmp_path: Path, axes: str, stored: Callable[[np.ndarray], np.ndarray]
) -> None:
    light = np.full((40, 60, 4), 128, np.uint8)
    light[..., :3] = levels() >> 8
    body = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n" + axes.encode() + b"\n" + stored(light).tobytes()
    (tmp_path / "a.hdr").write_bytes(body)
    found = image.load(tmp_path / "a.hdr").rgb.astype(float)
    wanted = profiles.encoded(light[..., :3] / 256) * 65535
    np.testing.assert_allclose(found, wanted, atol=1500)


@pytest.mark.parametrize("form", ["float", "half"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_floating_point_tiff_is_light(tmp_path: Path, form: str, channels: int) -> None:
    path = written(tmp_path / "a.tif", np.full((20, 20, channels), 0.18, np.float32), form)
    np.testing.assert_allclose(image.load(path).rgb[5, 5] / 65535, [0.4613] * 3, atol=0.002)


@pytest.mark.parametrize("kind", [".dpx", ".exr"])
def test_pixels_that_are_no_squares_are_made_squares(tmp_path: Path, kind: str) -> None:
    form = "uint16" if kind == ".dpx" else "half"
    path = written(tmp_path / f"a{kind}", (levels() / 65535).astype(np.float32), form, PixelAspectRatio=2.0)
    assert image.load(path).rgb.shape == (40, 120, 3) and image.is_turned(path)


@pytest.mark.parametrize("place", [(4, 6), (-10, -5), (30, 50)])
def test_the_display_window_is_what_is_seen(tmp_path: Path, place: tuple[int, int]) -> None:
    spec = oiio.ImageSpec(60, 40, 3, "half")
    spec.x, spec.y, spec.full_width, spec.full_height = *place, 80, 64
    out = oiio.ImageOutput.create("a.exr")
    assert out.open(str(tmp_path / "a.exr"), spec)
    out.write_image(np.full((40, 60, 3), 0.5, np.float32))
    out.close()
    found = image.load(tmp_path / "a.exr")
    assert found.rgb.shape == (64, 80, 3) and found.alpha is not None and image.is_turned(tmp_path / "a.exr")
    rows, columns = np.nonzero(found.alpha)
    x, y = place
    assert (columns.min(), columns.max() + 1) == (max(x, 0), min(x + 60, 80))
    assert (rows.min(), rows.max() + 1) == (max(y, 0), min(y + 40, 64))


def test_a_part_without_colours_is_passed_over_and_deep_samples_are_named(tmp_path: Path) -> None:
    depth, colour = oiio.ImageSpec(20, 20, 1, "float"), oiio.ImageSpec(20, 20, 3, "half")
    depth.channelnames = ("Z",)
    depth.attribute("oiio:subimagename", "depth")
    colour.attribute("oiio:subimagename", "picture")
    out = oiio.ImageOutput.create("a.exr")
    assert out.open(str(tmp_path / "a.exr"), (depth, colour))
    out.write_image(np.ones((20, 20, 1), np.float32))
    assert out.open(str(tmp_path / "a.exr"), colour, "AppendSubimage")
    out.write_image(np.full((20, 20, 3), 0.18, np.float32))
    out.close()
    assert image.load(tmp_path / "a.exr").rgb[3, 3, 0] / 65535 == pytest.approx(0.4613, abs=0.002)
    samples = oiio.ImageSpec(20, 20, 3, "half")
    samples.deep = True
    out = oiio.ImageOutput.create("b.exr")
    assert out.open(str(tmp_path / "b.exr"), samples)
    data = oiio.DeepData()
    data.init(samples)
    out.write_deep_image(data)
    out.close()
    with pytest.raises(UnreadableImage, match="many samples a pixel") as error:
        image.load(tmp_path / "b.exr")
    assert "Flatten" in error.value.hint


READS_JPEG_XL = oiio.ImageInput.create("jpegxl") is not None


@pytest.mark.skipif(READS_JPEG_XL, reason="this build reads it")
def test_a_jpeg_xl_that_this_build_does_not_read_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.jxl").write_bytes(b"\xff\x0a" + bytes(60))
    with pytest.raises(UnreadableImage, match="JPEG XL file, which the OpenImageIO installed here") as error:
        image.load(tmp_path / "a.jxl")
    assert "convert" in error.value.hint


@pytest.mark.skipif(not READS_JPEG_XL, reason="this build does not read it")
def test_the_size_of_a_jpeg_xl_is_known_before_it_is_decoded(tmp_path: Path) -> None:
    for height, width in ((64, 128), (40, 60), (17, 300), (600, 1000)):
        values = np.zeros((height, width, 3), np.uint8)
        path = written(tmp_path / "a.jxl", values, "uint8", jpegxl__effort=1)
        assert jxl_size.size_of(path.read_bytes()) == (width, height)
    high = (3 << 1) | (15999 << 3)  # the fourth width of a side, 30 bits; then the same for the other
    bits = high | ((3 | (15999 << 2)) << (1 + 2 + 30 + 3))
    (tmp_path / "b.jxl").write_bytes(b"\xff\x0a" + bits.to_bytes(14, "little") + bytes(40))
    with pytest.raises(UnreadableImage, match="is 16000 x 16000 pixels"):
        image.load(tmp_path / "b.jxl")


def test_texts_go_into_the_header_of_an_exr(tmp_path: Path) -> None:
    values = np.full((16, 16, 3), 0.5, np.float32)
    deep.write_exr(tmp_path / "a.exr", values, {"software": "a program", "edtalk": '{"a": "\u00e4"}'})
    header = oiio.ImageInput.open(str(tmp_path / "a.exr")).spec()
    assert header.get_string_attribute("Software") == "a program"
    assert header.get_string_attribute("edtalk") == '{"a": "\u00e4"}'


def test_a_frame_of_light_is_shown_over_black(tmp_path: Path) -> None:
    values = np.full((20, 20, 4), 0.09, np.float32)
    values[..., 3] = 0.5
    deep.write_exr(tmp_path / "a.exr", values)
    np.testing.assert_allclose(image.over_black(tmp_path / "a.exr")[4, 4] / 255, 0.332, atol=0.004)
