# SPDX-License-Identifier: GPL-3.0-or-later
"""Generate and Render Changed for all faces of a scene, one after the other. A face that cannot be done is
said and passed over; what was made stays.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

import bpy

from ...core.wire.errors import Cancelled, EDTalkError
from ..face import rig
from ..server_process.jobs import Job, Outcome
from . import generation, ready, request

Work = tuple[str, Callable[[Job], Generator[None, None, Outcome]]]


def to_generate(context: bpy.types.Context) -> list[Work]:
    """Name and work of every face that has what a take needs."""
    faces = [face for face in rig.faces_in(context.scene) if not ready.why_not_generate_for(face)]
    return [(face.name, generation.generate(request.order_from(context, face))) for face in faces]


def to_render(context: bpy.types.Context) -> list[Work]:
    """Name and work of every face whose take can be rendered."""
    faces = [face for face in rig.faces_in(context.scene) if not ready.why_not_render_for(face)]
    return [
        (face.name, generation.render_changed(request.order_for_changes(context, face))) for face in faces
    ]


def one_after_the_other(works: list[Work]) -> Callable[[Job], Generator[None, None, Outcome]]:
    """The job that does them all. Cancel stops it at the face that is under way."""

    def work(job: Job) -> Generator[None, None, Outcome]:
        done, wrong = [], []
        for number, (name, one) in enumerate(works, 1):
            try:
                outcome = yield from one(job)
            except Cancelled as error:
                left = len(works) - number
                error.message += f"; {left} more faces were not begun" if left else ""
                raise
            except EDTalkError as error:
                wrong.append(f"{name}: {error.message}")
                continue
            done.append(outcome.text)
            if outcome.hint:
                wrong.append(f"{name}: {outcome.hint}")
        text = "; ".join(done) or "No face could be done"
        level = "ERROR" if not done else "WARNING" if wrong else "INFO"
        return Outcome(level, text, ". ".join(wrong))

    return work
