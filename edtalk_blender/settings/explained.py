# SPDX-License-Identifier: GPL-3.0-or-later
"""The base of every operator whose button says why it is grey."""

from __future__ import annotations

import bpy


class ExplainedOperator:
    """Derive from this first and from `bpy.types.Operator` second; `why_not` takes the place of `poll`."""

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Why the button is grey, in a sentence that says what to do; "" when it can be pressed."""
        raise NotImplementedError

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Asked by Blender before it draws the button; the reason becomes its tooltip."""
        reason = cls.why_not(context)
        if reason:
            cls.poll_message_set(reason)
        return not reason
