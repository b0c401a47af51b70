# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of every kind come in upright and in sRGB, squares are cut with care, and files go out whole."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from core.pictures import image
from core.pictures.image import Crop, Picture
from core.wire.errors import InputError, OutputBlocked, UnreadableImage
from tests.support import parity


def gradient(height: int = 48, width: int = 64) -> np.ndarray:
    """Red grows to the right, green downwards, blue is fixed: any turn or flip shows."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack(
        [columns * 255 // (width - 1), rows * 255 // (height - 1), np.full((height, width), 77)], -1
    ).astype(np.uint8)


# --- reading --------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".webp"])
def test_lossless_formats_come_in_unchanged(tmp_path: Path, suffix: str) -> None:
    Image.fromarray(gradient()).save(tmp_path / f"face{suffix}", lossless=True)
    picture = image.load(tmp_path / f"face{suffix}")
    assert picture.alpha is None and picture.depth == 8
    np.testing.assert_array_equal(picture.rgb, gradient())


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_comes_in_upright(tmp_path: Path, orientation: int) -> None:
    stored = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }[orientation](gradient())
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "face.png", exif=exif)
    np.testing.assert_array_equal(image.load(tmp_path / "face.png").rgb, gradient())


@pytest.mark.parametrize("orientation", range(1, 9))
def test_16_bit_pictures_turn_like_8_bit_ones(tmp_path: Path, orientation: int) -> None:
    pixels = gradient()
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / "shallow.png", exif=exif)
    done, data = cv2.imencode(".png", pixels[..., ::-1].astype(np.uint16) * 257)
    assert done
    body = exif.tobytes().removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(body)) + b"eXIf" + body + struct.pack(">I", zlib.crc32(b"eXIf" + body))
    (tmp_path / "deep.png").write_bytes(bytes(data[:33]) + chunk + bytes(data[33:]))  # right after the header
    deep = image.load(tmp_path / "deep.png")
    assert deep.depth == 16
    np.testing.assert_array_equal(deep.to_depth(8).rgb, image.load(tmp_path / "shallow.png").rgb)


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_16_bit_colour_keeps_all_its_levels(tmp_path: Path, suffix: str) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (20, 30, 3), dtype=np.uint16)
    cv2.imwrite(str(tmp_path / f"deep{suffix}"), deep[..., ::-1])
    np.testing.assert_array_equal(image.load(tmp_path / f"deep{suffix}").rgb, deep)


def test_16_bit_grey_becomes_rgb(tmp_path: Path) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (20, 30), dtype=np.uint16)
    cv2.imwrite(str(tmp_path / "grey.png"), deep)
    np.testing.assert_array_equal(image.load(tmp_path / "grey.png").rgb, np.repeat(deep[..., None], 3, -1))


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "LA", "YCbCr"])
def test_every_colour_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    suffix = {"CMYK": ".tiff", "YCbCr": ".jpg"}.get(mode, ".png")
    Image.fromarray(gradient()).convert(mode).save(tmp_path / f"face{suffix}")
    picture = image.load(tmp_path / f"face{suffix}")
    assert picture.rgb.shape == (48, 64, 3)
    assert picture.rgb[:, -8:].mean() > picture.rgb[:, :8].mean() + 20  # still brighter to the right


def test_an_embedded_profile_is_converted_to_srgb(tmp_path: Path) -> None:
    flat = Image.fromarray(np.full((32, 32, 3), (200, 60, 40), np.uint8))
    wide = ImageCms.createProfile("LAB")
    lab = ImageCms.profileToProfile(flat, ImageCms.createProfile("sRGB"), wide, outputMode="LAB")
    assert lab is not None
    flat.save(
        tmp_path / "tagged.png",
        icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    )
    flat.save(tmp_path / "broken.png", icc_profile=b"not a profile")
    np.testing.assert_allclose(image.load(tmp_path / "tagged.png").rgb[5, 5], (200, 60, 40), atol=1)
    np.testing.assert_array_equal(image.load(tmp_path / "broken.png").rgb[5, 5], (200, 60, 40))


def test_alpha_is_kept_aside_and_stray_colour_under_it_is_replaced(tmp_path: Path) -> None:
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[..., :3] = (0, 255, 0)  # green under transparency must never show
    pixels[16:48, 16:48] = (200, 100, 50, 255)
    Image.fromarray(pixels).save(tmp_path / "cut.png")
    picture = image.load(tmp_path / "cut.png")
    assert picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha, pixels[..., 3])
    np.testing.assert_array_equal(picture.rgb[20, 20], (200, 100, 50))
    np.testing.assert_allclose(picture.rgb[2, 2], (200, 100, 50), atol=2)


def test_an_alpha_without_any_transparency_is_dropped(tmp_path: Path) -> None:
    Image.fromarray(gradient()).convert("RGBA").save(tmp_path / "solid.png")
    assert image.load(tmp_path / "solid.png").alpha is None


# --- bad input: one sentence each -----------------------------------------------------------------


def png(width: int = 64, height: int = 48) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(gradient(height, width)).save(stream, "PNG")
    return stream.getvalue()


def jpeg() -> bytes:
    stream = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(stream, "JPEG")
    return stream.getvalue()


def forged_png(width: int, height: int) -> bytes:
    """A tiny file whose header promises a huge picture."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return png()[:8] + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header)) + png()[33:]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "is empty"),
        (b"hello, I am a text file", "is not a picture"),
        (png()[:-100], "damaged or incomplete"),
        (jpeg()[:900], "damaged or incomplete"),
        (forged_png(20000, 20), "is 20000 x 20 pixels; at most 16384 a side"),
        (forged_png(16000, 16000), "at most 16384 a side and 178 million"),
        (forged_png(60000, 60000), "over 178 million pixels"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64), "is an HEIC picture"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isomavc1" + bytes(64), "is a video"),
        (b"\x76\x2f\x31\x01\x02\0\0\0" + bytes(64), "damaged or incomplete"),
        (png(8, 8), "only 8 x 8 pixels"),
    ],
)
def test_an_unusable_file_is_refused_in_one_sentence(tmp_path: Path, data: bytes, sentence: str) -> None:
    (tmp_path / "face.png").write_bytes(data)
    with pytest.raises(UnreadableImage, match=sentence):
        image.load(tmp_path / "face.png")


def test_a_missing_picture_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImage, match="There is no picture"):
        image.load(tmp_path / "nobody.png")
    with pytest.raises(UnreadableImage, match="cannot be opened"):
        image.load(tmp_path)


def test_a_fully_transparent_picture_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((32, 32, 4), np.uint8)).save(tmp_path / "nothing.png")
    with pytest.raises(UnreadableImage, match="fully transparent"):
        image.load(tmp_path / "nothing.png")


def test_32_bit_values_are_refused(tmp_path: Path) -> None:
    Image.new("I", (32, 32)).save(tmp_path / "odd.tiff")
    with pytest.raises(UnreadableImage, match="32-bit values"):
        image.load(tmp_path / "odd.tiff")


# --- cropping -------------------------------------------------------------------------------------


def test_a_crop_at_its_own_size_is_a_copy_of_the_pixels() -> None:
    picture = Picture(gradient())
    np.testing.assert_array_equal(image.crop(picture, Crop(8, 4, 32), 32).rgb, gradient()[4:36, 8:40])


def test_a_crop_over_the_border_repeats_the_edge() -> None:
    cut = image.crop(Picture(gradient()), Crop(-10, -10, 40), 40).rgb
    np.testing.assert_array_equal(cut[10:, 10:], gradient()[:30, :30])
    np.testing.assert_array_equal(cut[:10, 10:], np.repeat(gradient()[:1, :30], 10, 0))


def test_shrinking_averages_instead_of_skipping() -> None:
    fine = np.indices((64, 64)).sum(0) % 2 * 255
    cut = image.crop(Picture(np.repeat(fine[..., None], 3, -1).astype(np.uint8)), Crop(0, 0, 64), 16).rgb
    np.testing.assert_allclose(cut, 127.5, atol=0.6)


@pytest.mark.parametrize("where", [Crop(0, 0, 8), Crop(500, 0, 40), Crop(0, -100, 60)])
def test_a_crop_that_misses_the_picture_is_refused(where: Crop) -> None:
    with pytest.raises(InputError, match="crop"):
        image.crop(Picture(gradient()), where, 16)


@pytest.mark.parametrize("numbers", [[1, 2], ["a", 1, 2], [1, 2, float("nan")], [0, 0, float("inf")], None])
def test_a_crop_is_three_numbers(numbers: list[float]) -> None:
    with pytest.raises(InputError, match="three numbers"):
        Crop.of(numbers)


# --- the edge to the network ----------------------------------------------------------------------


def test_zero_is_128_and_the_map_does_not_depend_on_content() -> None:
    values = np.array([-2.0, -1.0, 0.0, 1.0, 2.0], np.float32).reshape(1, 1, 5)
    assert image.from_model(values).ravel().tolist() == [0, 0, 128, 255, 255]
    assert image.from_model(values[..., 2:3]).item() == 128
    assert image.from_model(values, depth=16).ravel().tolist() == [0, 0, 32768, 65535, 65535]


def test_levels_survive_the_way_into_the_network_and_back() -> None:
    every = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, -1)
    np.testing.assert_array_equal(image.from_model(image.to_model(every)), every)
    deep = (np.arange(65536, dtype=np.uint32)).astype(np.uint16).reshape(256, 256, 1).repeat(3, -1)
    np.testing.assert_array_equal(image.from_model(image.to_model(deep), depth=16), deep)


def test_published_preparation_of_pictures_and_frames_matches_the_reference() -> None:
    still = image.published_picture(parity.given("prep_image_in"))
    np.testing.assert_array_equal(
        image.from_model(still), parity.golden("preprocess")["prep_image_out_levels"]
    )
    parity.compare("preprocess", "prep_image_out", still, 2e-6, 2e-6)
    frame = image.published_frame(parity.given("prep_frame_in"))
    parity.compare("preprocess", "prep_frame_out", frame, 2e-6, 2e-6)
    print(parity.report())


# --- writing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["png", "png16"])
def test_a_written_png_reads_back_the_same(tmp_path: Path, form: image.Format) -> None:
    alpha = np.linspace(0, 255, 48 * 64).reshape(48, 64).astype(np.uint8)
    picture = Picture(gradient(), alpha).to_depth(image.DEPTHS[form])
    image.write(tmp_path / "frame.png", picture, form)
    stored = cv2.imread(str(tmp_path / "frame.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(stored[..., 2::-1], picture.rgb)
    np.testing.assert_array_equal(stored[..., 3], picture.alpha)


def test_exr_holds_linear_light_and_associated_alpha(tmp_path: Path) -> None:
    os.environ["OPENCV_IO_ENABLE_OPENEXR"] = "1"  # OpenCV reads it as an independent witness
    alpha = np.full((48, 64), 128, np.uint8)
    picture = Picture(gradient(), alpha)
    image.write(tmp_path / "frame.exr", picture, "exr")
    stored = cv2.imread(str(tmp_path / "frame.exr"), cv2.IMREAD_UNCHANGED)
    assert stored.shape == (48, 64, 4)
    np.testing.assert_allclose(stored[..., 3], 128 / 255, atol=1e-3)
    level = gradient() / 255
    light = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    np.testing.assert_allclose(stored[..., 2::-1], light * 128 / 255, atol=5e-4)


def test_a_folder_that_is_not_there_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OutputBlocked, match="folder does not exist"):
        image.write(tmp_path / "nowhere" / "frame.png", Picture(gradient()))
    assert list(tmp_path.iterdir()) == []
