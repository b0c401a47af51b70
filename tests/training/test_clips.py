# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips and pictures become people: cropped alike, with eyes and mouth where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from core.pictures.image import Picture, write
from core.pictures.video import write_preview
from core.wire.errors import InputError
from training.heads.people import anchors_of
from training.recipes import clips


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """A folder with a clip of a head that turns, a folder of three pictures of another, and a text file; and
    the true anchors of the clip's frames."""
    from training.factors import Factors
    from training.heads.errors import NoGraphics
    from training.heads.render import HeadRenderer

    try:
        renderer = HeadRenderer(192)
    except NoGraphics as error:
        pytest.skip(f"{error} ({error.hint})")
    root = tmp_path_factory.mktemp("filmed")
    person = renderer.person(1_000_142)
    shown = [renderer.frame(person, Factors.of(yaw=0.02 * k, jaw_open=0.1 * k)) for k in range(10)]
    write_preview(root / "turning.mp4", [f.image for f in shown], 25)
    other = renderer.person(1_000_143)
    (root / "other").mkdir()
    for k in range(3):
        write(root / "other" / f"{k}.png", Picture(renderer.draw(other, Factors.of(jaw_open=0.3 * k))))
    (root / "notes.txt").write_text("no face here")
    return root, anchors_of(np.stack([f.landmarks for f in shown]))


@pytest.mark.parametrize("reader", [False, True])
def test_every_clip_and_every_folder_is_a_person(
    filmed: tuple[Path, np.ndarray], tmp_path: Path, reader: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not reader:
        monkeypatch.setattr(clips, "reader_file", lambda: tmp_path / "none")
    elif not clips.reader_file().is_file():
        pytest.skip("the landmark reader is not here")
    root, truth = filmed
    people = clips.people_of(root, tmp_path / "crops", 64)
    assert sorted(len(group) for group in people.groups) == [3, 5]  # every second frame of ten, and pictures
    assert not people.known
    largest = max(people.groups, key=len)
    faces = people.take(largest)
    assert torch.isnan(faces.weights).all()
    # the crop is a square around the head, nearly the whole render
    assert np.abs(faces.anchors.numpy() - truth[::2]).max() < 0.15
    mouth, eyes = faces.masks()
    assert 0.01 < mouth.mean() < 0.2 and 0.01 < eyes.mean() < 0.2


def test_finished_crops_are_left_alone(filmed: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    settings = clips.Settings(filmed[0], tmp_path, size=32)
    assert len(list(clips.prepare(settings))) == 2
    assert list(clips.prepare(settings)) == []


def test_what_holds_no_face_is_said_and_left_out(tmp_path: Path) -> None:
    write(tmp_path / "wall.png", Picture(np.full((64, 64, 3), 90, np.uint8)))
    said = []
    with pytest.raises(InputError, match="could be used"):
        for line in clips.prepare(clips.Settings(tmp_path, tmp_path / "crops")):
            said.append(line)
    assert "wall.png is left out: No face" in said[0]


def test_an_empty_folder_and_a_missing_one_are_one_sentence(tmp_path: Path) -> None:
    for data in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InputError, match=r"There (are|is) no"):
            list(clips.prepare(clips.Settings(data, tmp_path / "crops")))
