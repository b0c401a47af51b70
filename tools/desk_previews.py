# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a live preview takes: with the model, and with a server without one, which is Blender's share."""

from __future__ import annotations

import time
from pathlib import Path

from desk_measures import ROOT, Row

# A server without a model: it answers every preview at once with the same picture.
STUB = """
import os, sys
source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
sys.path.append({root!r})
import numpy as np
from core.wire import envelope, framing, messages
picture = np.random.default_rng(0).integers(0, 255, (256, 256, 4), np.uint8)
reader, writer = framing.Reader(source), framing.Writer(sink)
while (data := reader.read()) is not None:
    asked = envelope.open_request(data)
    message = asked.message()
    if isinstance(message, messages.Preview):
        with open(message.out + ".part", "wb") as file:
            np.save(file, picture)
        os.replace(message.out + ".part", message.out)
        answer = messages.Previewed(out=message.out, width=256, height=256, ms=0)
    else:
        answer = messages.Initialized(protocol=messages.PROTOCOL, server="stub", python="", torch="",
                                      device="cpu", memory_mb=0, pid=os.getpid(), checkpoints=())
    writer.write(envelope.result(asked.number, answer))
"""


def previews(part, scratch: Path, repeats: int) -> list[Row]:
    """From a slider's new value to the picture in Blender's image; needs the take that `ticks` made."""
    rows = []
    service, live = part("server_process.supervisor"), part("preview.live")
    stub = scratch / "stub"
    (stub / "server").mkdir(parents=True)
    (stub / "server" / "__init__.py").touch()
    (stub / "server" / "__main__.py").write_text(STUB.format(root=str(ROOT)), encoding="utf-8")
    real = service.server_or_none()
    python = real.python
    plain = part("server_process.client").Server(python, stub, scratch / "stub.log")
    plain.start()
    while not plain.greeted():
        plain.listen(0.05)
    for what, server, target in (
        ("preview, from slider to picture, without a model", plain, "under 5 ms"),
        ("the same with the model", real, ""),
    ):
        service._server = server
        live.start()
        try:
            rows.append(Row(what, [once(part, live, 0.01 * turn) for turn in range(repeats + 5)][5:], target))
        finally:
            live.stop()
    plain.stop()
    service._server = real
    return rows


def once(part, live, value: float) -> float:
    """Seconds from setting a weight until its picture is shown; the timer's own waits are left out."""
    import bpy

    (face,) = part("face.rig").faces_in(bpy.context.scene)
    before = part("preview.live_picture").shown()
    began = time.perf_counter()
    face.pose.bones["mouth"]["mouth_00"] = value + 1e-3
    face.update_tag()
    bpy.context.view_layer.update()
    live._state.changed = True
    while part("preview.live_picture").shown() is before:
        live.tick()
        time.sleep(1e-4)  # as Blender does, and longer
        assert not live.trouble(), live.trouble()
        assert time.perf_counter() - began < 60, "no picture came"
    return time.perf_counter() - began
