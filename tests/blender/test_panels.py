# SPDX-License-Identifier: GPL-3.0-or-later
"""What the sidebar shows, in which order, and that it fits: the main road on top, the rest in sub-panels.

Blender gives a panel's layout only to a window, so a sheet of paper takes its place: it writes down what is
drawn on it.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

pytestmark = [pytest.mark.blender]


class Sheet:
    """A layout that writes down, in order, what is put onto it and onto its rows, columns and open panels."""

    def __init__(self, seen: list[str] | None = None, opened: tuple[str, ...] = ()) -> None:
        self.seen, self._opened = [] if seen is None else seen, opened

    def __getattr__(self, name: str):
        return lambda *args, **keywords: self._put(name, args, keywords)

    def _put(self, name: str, args: tuple, keywords: dict):
        if name == "panel":
            self.seen.append(f"> {args[0]}")
            shut = keywords.get("default_closed", False) and args[0] not in self._opened
            return self._part(), None if shut else self._part()
        if name in ("label", "progress"):
            self.seen.append(keywords.get("text", ""))
        elif name in ("operator", "menu", "template_list", "popover"):
            self.seen.append(args[0])
        elif name in ("prop", "prop_search"):
            self.seen.append(args[1])
        return self._part()

    def _part(self) -> Sheet:
        return Sheet(self.seen, self._opened)


@pytest.fixture
def drawn(part):
    """What the sidebar shows; sub-panels are open or closed as they begin, but for those that are named."""

    def draw(*opened: str) -> list[str]:
        import bpy

        sheet = Sheet(opened=opened)
        context = SimpleNamespace(
            **{name: getattr(bpy.context, name) for name in ("scene", "view_layer", "mode")},
            preferences=SimpleNamespace(system=SimpleNamespace(ui_scale=1.0)),
            region=SimpleNamespace(width=280),
            active_object=bpy.context.view_layer.objects.active,
        )
        part("ui.panel").EDTalkPanel.draw(SimpleNamespace(layout=sheet), context)
        return sheet.seen

    return draw


@pytest.fixture
def face(part):
    """A face with a take of twenty steps."""
    import bpy
    import numpy as np

    face = part("face.rig").make_rig(bpy.context.scene, "Anna")
    bpy.context.view_layer.objects.active = face
    part("takes.edit_on_top").land(face, "anna_001", np.arange(1.0, 21.0), np.zeros((20, 36), np.float32))
    face.edtalk.take.name = "anna_001"
    return face


def test_the_main_road_is_on_top(drawn, face) -> None:
    seen = drawn()
    buttons = ("pick_portrait", "pick_sound", "generate_take", "render_changed", "live_preview")
    road = [f"edtalk.{name}" for name in buttons]
    assert [name for name in seen if name in road] == road
    first_panel = next(i for i, name in enumerate(seen) if name.startswith("> "))
    assert max(seen.index(name) for name in road) < first_panel <= 17


def test_what_is_wanted_now_and_then_begins_closed(drawn, face) -> None:
    seen = drawn()
    for name in ("driving", "seed", "folder", "edtalk_character", "edtalk.simplify_curves", '["mouth_00"]'):
        assert name not in seen, name
    assert len(seen) < 50
    everything = [name.removeprefix("> ") for name in seen if name.startswith("> ")]
    assert {"driving", "seed", "folder", "edtalk_character"} <= set(drawn(*everything))
    assert '["mouth_00"]' in drawn("EDTALK_weights", "EDTALK_weights_mouth")


def test_the_beginning_says_each_thing_once(drawn, part, portrait, voice) -> None:
    import bpy

    settings = bpy.context.scene.edtalk
    settings.portrait, settings.audio = str(portrait), str(voice)
    seen = drawn()
    for name in ("portrait", "audio", "edtalk.generate_take"):
        assert seen.count(name) == 1, name
    assert not any(portrait.name in name or voice.name in name for name in seen)


def test_who_is_shown_is_asked_once_in_a_line_that_is_always_there(drawn, face) -> None:
    def line() -> list[str]:
        seen = drawn()
        return seen[: seen.index("edtalk.read_origin")][-2:]

    settings = face.edtalk
    assert line() == ["EDTALK_PT_consent", "asked"]
    settings.asked = True
    assert line() == ["Frames will say they are synthetic", "EDTALK_PT_consent"]
    settings.asked, settings.permission = False, "by contract"
    assert line() == ["Frames will say they are synthetic", "EDTALK_PT_consent"]
    settings.write_origin = False
    assert line()[-1] == "write_origin"
    assert {"write_origin", "shown", "permission"} <= set(drawn("EDTALK_output"))


def test_a_job_takes_the_place_of_the_buttons(drawn, face, part) -> None:
    jobs = part("server_process.jobs")

    def work(job):
        job.show("Decoding", 3, 10)
        yield

    jobs.start(jobs.Job("Generate", work))
    jobs.tick()
    seen = drawn()
    assert "edtalk.generate_take" not in seen and seen.index("edtalk.cancel") < seen.index("> EDTALK_source")


@pytest.mark.parametrize(("others", "light"), [([], "FLAT"), (["CAMERA"], "FLAT"), (["MESH"], "STUDIO")])
def test_the_plane_is_as_bright_as_the_picture_where_nothing_else_is_lit(part, others, light) -> None:
    shading = SimpleNamespace(type="SOLID", color_type="MATERIAL", light="STUDIO")
    part("ui.job_operator").let_pictures_show(shading, [SimpleNamespace(type=one) for one in others])
    assert (shading.color_type, shading.light) == ("TEXTURE", light)


def test_both_frame_rates_can_be_read_in_a_narrow_sidebar(drawn, face, part, monkeypatch) -> None:
    import bpy

    monkeypatch.setattr(part("takes.retime"), "odd_rate", lambda face, scene: 25.0)
    render = bpy.context.scene.render
    monkeypatch.setattr(render, "fps", 24)
    monkeypatch.setattr(render, "fps_base", 1.001)
    seen = drawn()
    assert seen[seen.index("edtalk.fit_take") - 1] == "Take 25 fps, scene 23.976 fps"


def test_a_server_that_runs_is_not_said_to_start(part, monkeypatch) -> None:
    jobs, service = part("server_process.jobs"), part("server_process.supervisor")
    server = SimpleNamespace(ready=True, pid=0, greeted=lambda: True)
    monkeypatch.setattr(service, "_server", server)
    seen: list[str] = []

    def work(job):
        assert (yield from service.ready_server(job)) is server
        seen.append(job.stage)
        return jobs.Outcome("INFO", "done")

    assert jobs.run(jobs.Job("Render Changed", work)).level == "INFO"
    assert seen == ["Render Changed"]


def test_it_says_where_keys_go_once_there_is_a_layer(drawn, face) -> None:
    import bpy

    assert "edtalk.edit_on_top" in drawn()
    assert bpy.ops.edtalk.edit_on_top() == {"FINISHED"}
    seen = drawn()
    assert "edtalk.edit_on_top" not in seen and "Keys go on top: Anna Edits" in seen


@pytest.mark.parametrize("name", ["anna.png", "a_portrait_with_a_name_that_nobody_can_read_002.png"])
def test_of_a_file_the_name_is_shown_to_its_end(part, name: str) -> None:
    text = part("ui.desk.pick_buttons").with_end(name, 24)
    assert len(text) <= 24 and text.endswith(name[-12:])


def test_a_browser_begins_beside_the_file_the_other_file_or_the_blend(part, tmp_path) -> None:
    import bpy

    begin, settings = part("ui.desk.pick_buttons").start_folder, bpy.context.scene.edtalk
    (tmp_path / "sounds").mkdir()
    settings.portrait = settings.audio = settings.driving = ""
    assert begin(settings, "portrait") == Path.home()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    settings = bpy.context.scene.edtalk
    assert begin(settings, "portrait") == tmp_path
    settings.audio = str(tmp_path / "sounds" / "voice.wav")
    assert begin(settings, "portrait") == begin(settings, "audio") == tmp_path / "sounds"
    settings.portrait = str(tmp_path / "gone" / "anna.png")
    assert begin(settings, "portrait") == tmp_path / "sounds"


def test_a_face_with_a_take_gets_a_new_one(part, face) -> None:
    texts = []

    class Sheet:
        def row(self, **_):
            return self

        def operator(self, name, text="", **_):
            texts.append((name, text))

    draw = part("ui.generate_buttons").draw
    draw(Sheet(), face, False)
    draw(Sheet(), None, True)
    assert ("edtalk.generate_take", "New Take") in texts and ("edtalk.generate_take", "Generate") in texts
    assert ("edtalk.render_all_changed", "") in texts
