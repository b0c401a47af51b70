# SPDX-License-Identifier: GPL-3.0-or-later
"""Mouth composites: the mouth of one on the face of another, in the right place, and nothing else changed."""

from __future__ import annotations

import numpy as np
import torch

from training.heads.people import Faces, anchors_of
from training.shared.composites import similarity, with_mouth_of

from ..support import toy_faces


def faces(*motions: tuple[float, float, float], who: int = 1, size: int = 64) -> Faces:
    drawn = [toy_faces.draw(who, size, *motion) for motion in motions]
    points = torch.from_numpy(np.stack([p for _, p in drawn])).float()
    picture = torch.from_numpy(np.stack([p for p, _ in drawn])).permute(0, 3, 1, 2).float() / 127.5 - 1
    anchors = torch.from_numpy(anchors_of(points.numpy()))
    boxes = torch.from_numpy(toy_faces.boxes_of(points.numpy()))
    nothing = torch.zeros(len(drawn), 36)
    return Faces(picture, anchors, boxes, nothing, points, torch.arange(len(drawn)))


def test_the_composite_is_the_face_as_it_would_look_with_the_other_mouth() -> None:
    still, talking = faces((-0.1, 0.0, 0.0)), faces((0.2, 0.5, 1.0))
    wanted = faces((-0.1, 0.5, 0.0))
    made = with_mouth_of(still, talking)
    inside = still.masks()[0]
    gap = ((made - wanted.picture).abs() * inside).sum() / inside.sum()
    without = ((still.picture - wanted.picture).abs() * inside).sum() / inside.sum()
    assert gap < 0.35 * without  # the still face's box is smaller than an open mouth: a rim is missing


def test_outside_the_mouth_nothing_changes() -> None:
    still, talking = faces((0.0, 0.0, 0.0)), faces((0.1, 1.0, 0.0), who=2)
    made = with_mouth_of(still, talking)
    assert torch.equal(made[:, :, :35], still.picture[:, :, :35])
    assert not torch.equal(made, still.picture)


def test_a_turn_and_a_scale_are_found_again() -> None:
    points = torch.tensor([[[-0.3, -0.2], [0.3, -0.2], [0.0, 0.4]]])
    angle, size = 0.3, 1.4
    turn = torch.tensor([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]).float()
    real, imaginary = similarity(points, points @ (size * turn).t() + 0.1)
    torch.testing.assert_close(torch.stack([real, imaginary])[:, 0], size * turn[:, 0])
