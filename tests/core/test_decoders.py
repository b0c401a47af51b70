# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture is data: what it holds chooses among named decoders, and no process is ever started for it."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.pictures import image
from core.pictures.files.kinds import KINDS
from core.wire.errors import UnreadableImage

POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 512 512\nshowpage\n"
HOSTILE = {
    "a plain program": POSTSCRIPT,
    "a program with a preview": b"\xc5\xd0\xd3\xc6"
    + struct.pack("<6IH", 30, len(POSTSCRIPT), 0, 0, 0, 0, 0xFFFF)
    + POSTSCRIPT,
    "a program behind a blank line": b"\n" + POSTSCRIPT,
    "a page": b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\n",
    "a drawing": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"/>',
    "a metafile": b"\xd7\xcd\xc6\x9a\0\0" + bytes(60),
    "a film": b"\0\0\1\xb3" + bytes(60),
}
WATCHER = """
import sys
started = []
def watch(event, arguments):
    if event in ("subprocess.Popen", "os.posix_spawn", "os.fork", "os.forkpty", "os.exec", "os.system"):
        started.append(event)
from core.pictures import image
from core.wire.errors import UnreadableImage
sys.addaudithook(watch)
for name in sys.argv[1:]:
    for read in (image.load, image.is_turned):
        try:
            read(name)
        except (UnreadableImage, OSError):
            continue
        print("read", name)
print("started", started)
"""


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".eps", ""])
def test_no_picture_starts_a_process(tmp_path: Path, suffix: str) -> None:
    marker, programs = tmp_path / "ran", tmp_path / "programs"
    programs.mkdir()
    for name in ("gs", "gswin64c", "djpeg", "xv"):  # what Pillow knows to call
        (programs / name).write_text(f"#!/bin/sh\necho $0 >> {marker}\n")
        (programs / name).chmod(0o755)
    hostile = []
    for number, data in enumerate(HOSTILE.values()):
        hostile.append(tmp_path / f"face{number}{suffix}")
        hostile[-1].write_bytes(data)
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}"}
    done = subprocess.run(
        [sys.executable, "-c", WATCHER, *map(str, hostile)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "started []\n" and not marker.exists(), done.stdout


@pytest.mark.parametrize("kind", sorted(HOSTILE))
def test_what_is_no_picture_is_refused_by_its_content_whatever_its_name(tmp_path: Path, kind: str) -> None:
    (tmp_path / "anna.png").write_bytes(HOSTILE[kind])
    with pytest.raises(UnreadableImage) as caught:
        image.load(tmp_path / "anna.png")
    assert caught.value.hint


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_of_all_that_pillow_can_write_only_the_named_formats_are_read(tmp_path: Path) -> None:
    Image.init()
    pixels = Image.fromarray(np.full((64, 64, 3), 90, np.uint8))
    read = set()
    for form in sorted(Image.SAVE):
        stream = io.BytesIO()
        try:
            pixels.save(stream, form)
        except (OSError, ValueError, KeyError):
            continue  # this format has no colours, or wants more than a picture
        (tmp_path / "face.png").write_bytes(stream.getvalue())
        try:
            image.load(tmp_path / "face.png")
        except UnreadableImage:
            continue
        read.add(form)
    assert read == {*(kind.pillow for kind in KINDS if kind.pillow), "DDS", "TGA", "MPO"}


@pytest.mark.skipif(os.name != "posix", reason="there are no such things on Windows")
def test_a_device_and_a_pipe_are_one_sentence(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "face.png")
    for path in (tmp_path / "face.png", Path("/dev/zero"), tmp_path):
        with pytest.raises(UnreadableImage, match="not a file"):
            image.load(path)


@pytest.mark.parametrize("kind", ["reduced", "dng", "canon"])
def test_a_preview_inside_a_raw_file_is_not_taken_for_the_picture(tmp_path: Path, kind: str) -> None:
    stream = io.BytesIO()
    tags = {"reduced": {254: 1}, "dng": {50706: b"\1\4\0\0"}, "canon": {}}[kind]
    Image.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(stream, "TIFF", tiffinfo=tags)
    data = stream.getvalue()
    if kind == "canon":  # whose mark lies between the header and the first directory
        data = move_directory(data)
    (tmp_path / "face.nef").write_bytes(data)
    with pytest.raises(UnreadableImage, match="camera raw") as caught:
        image.load(tmp_path / "face.nef")
    assert "Develop" in caught.value.hint


def move_directory(data: bytes) -> bytes:
    """The same little-endian TIFF with its first directory at the end, and Canon's mark in the header."""
    place = struct.unpack_from("<I", data, 4)[0]
    size = 2 + 12 * struct.unpack_from("<H", data, place)[0] + 4
    directory = data[place : place + size]
    body = data + b"\0" * (len(data) % 2)
    moved = bytearray(body[:8] + body[8:] + directory)
    struct.pack_into("<I", moved, 4, len(body))
    moved[8:12] = b"CR\2\0"
    return bytes(moved)
