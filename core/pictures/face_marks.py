# SPDX-License-Identifier: GPL-3.0-or-later
"""Where lips, lids, irises, brows and chin of a portrait are: plain numbers that a person can drag.

All places are in sides of the crop, x right, y down, (0, 0) its upper left corner. A third number is the
depth, in the same unit, away from the viewer. "Right" and "left" are the person's own; the right eye comes
first. Lines run from picture left to picture right. The layers that draw lids, irises and the inside of the
mouth stand on these marks and on nothing else of the reader.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.pictures.picture import Crop
from core.wire.errors import InputError
from core.wire.marks import COUNTS, Points, problem

Floats = NDArray[np.float64]

SHAPES: dict[str, tuple[int, ...]] = {
    "lips_outer": (20, 3),
    "lips_inner": (20, 3),
    "upper_lids": (2, 9, 2),
    "lower_lids": (2, 9, 2),
    "brows": (2, 5, 2),
    "irises": (2, 3),
    "chin": (5, 3),
    "skull": (21, 3),
}
FAR = 2.0  # sides of the crop: a mark beyond is no mark of this face


@dataclass(frozen=True, eq=False)
class FaceMarks:
    """The marks of one face, see the module; `SHAPES` has their shapes."""

    lips_outer: Floats  # a ring: from the corner at picture left along the upper lip, back along the lower
    lips_inner: Floats  # likewise
    upper_lids: Floats  # both corners are in it
    lower_lids: Floats  # and in it
    brows: Floats  # the brow's lower line
    irises: Floats  # middle and radius
    chin: Floats  # the tip first, then points between it and the lower lip
    skull: Floats  # steady points in the order of `core.engine.layers.mark_reader.SKULL`
    certainty: float = 1.0  # of the reader, 0 to 1; 1 where a person has placed them

    def __post_init__(self) -> None:
        """Raises InputError for marks of another shape, or far outside the crop."""
        for name, shape in SHAPES.items():
            values = np.array(getattr(self, name), np.float64)
            if values.shape != shape:
                raise InputError(
                    f"The face mark {name} has the shape {values.shape}, not {shape}", hint=AGAIN
                )
            if not np.isfinite(values).all() or np.abs(values).max() > FAR:
                raise InputError(f"The face mark {name} lies far outside the portrait", hint=AGAIN)
            object.__setattr__(self, name, values)

    @property
    def eye_distance(self) -> float:
        """Between the outer corners of the eyes, in sides of the crop."""
        right, left = self.upper_lids[0, 0], self.upper_lids[1, -1]
        return max(float(np.linalg.norm(left - right)), 1e-3)

    def to_json(self) -> dict[str, Any]:
        """Plain lists and numbers, rounded to a thousandth of a pixel of a 1024 crop."""
        made: dict[str, Any] = {name: np.round(getattr(self, name), 6).tolist() for name in SHAPES}
        return made | {"certainty": round(float(self.certainty), 4)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FaceMarks:
        """The inverse of `to_json`. Raises InputError for what is missing, unknown, or no number."""
        names = {field.name for field in fields(cls)}
        if set(data) != names:
            odd = ", ".join(sorted(set(data) ^ names))
            raise InputError(f"The face marks have missing or unknown parts: {odd}", hint=AGAIN)
        try:
            arrays = {name: np.array(data[name], np.float64) for name in SHAPES}
            return cls(**arrays, certainty=float(data["certainty"]))
        except (TypeError, ValueError) as error:
            said = f"The face marks hold something that is no number: {error}"
            raise InputError(said, hint=AGAIN) from error

    def points(self, where: Crop) -> Points:
        """The same in pixels of the picture that has this crop, as `core.wire.marks` has them."""
        found = {}
        for name, (_, width) in COUNTS.items():
            rows = getattr(self, name).reshape(-1, width) * where.side
            rows[:, :2] += (where.x, where.y)
            found[name] = tuple(tuple(float(value) for value in row) for row in np.round(rows, 3))
        return found

    @classmethod
    def placed(cls, points: Points, where: Crop, picture: Sequence[int]) -> FaceMarks:
        """The inverse of `points`, for a picture of shape (height, width, ...). Raises InputError for marks
        that are no face."""
        if said := problem(points, picture[1], picture[0]):
            raise InputError(said, hint=AGAIN)
        arrays: dict[str, Any] = {}
        for name, shape in SHAPES.items():
            rows = np.array(points[name], np.float64)
            rows[:, :2] -= (where.x, where.y)
            arrays[name] = (rows / where.side).reshape(shape)
        return cls(**arrays, certainty=1.0)


AGAIN = "Find the face again, or place the marks anew"
