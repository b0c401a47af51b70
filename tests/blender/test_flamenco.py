# SPDX-License-Identifier: GPL-3.0-or-later
"""The Flamenco job type is read and run by a JavaScript engine, with stand-ins for what Flamenco provides,
and the commands it writes are read by the command line they are meant for.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "extras" / "flamenco" / "edtalk_render.js"

# What the manager puts around a job type: `author`, `frameChunker`, `path`, `print`.
FLAMENCO = """
"use strict";
const fs = require("fs");
const author = {
    Task: (name, type) => ({
        name, type, commands: [], dependencies: [],
        addCommand(command) { this.commands.push(command); },
        addDependency(task) { this.dependencies.push(task.name); },
    }),
    Command: (name, parameters) => ({ name, parameters }),
};
function frameChunker(range, size) {
    const frames = [];
    for (const piece of range.split(",")) {
        const [first, last] = piece.trim().split("-").map(Number);
        for (let frame = first; frame <= (last === undefined ? first : last); frame++) frames.push(frame);
    }
    const chunks = [];
    for (let at = 0; at < frames.length; at += size) {
        const part = frames.slice(at, at + size);
        const last = part[part.length - 1];
        const whole = part.length > 1 && part.length - 1 === last - part[0];
        chunks.push(whole ? `${part[0]}-${last}` : part.join(","));
    }
    return chunks;
}
const job = { settings: JSON.parse(process.argv[3]), tasks: [], addTask(task) { this.tasks.push(task); } };
const run = new Function("author", "frameChunker", "print", "job",
    fs.readFileSync(process.argv[2], "utf8") + "; compileJob(job); return JOB_TYPE;");
const type = run(author, frameChunker, () => {}, job);
console.log(JSON.stringify({ type, tasks: job.tasks }));
"""

SETTINGS = {
    "frames": "1-10, 40",
    "chunk_size": 4,
    "face": "",
    "render_all": False,
    "preview": True,
    "blendfile": "/shared/anna.flamenco.blend",
    "scene": "Scene",
}


@pytest.fixture(scope="module")
def node() -> str:
    found = shutil.which("node") or shutil.which("nodejs")
    if found is None:
        pytest.skip("needs node, a JavaScript engine")
    return found


@pytest.fixture
def compiled(node: str, tmp_path: Path):
    """Compiles a job and gives back the job type and its tasks."""
    stub = tmp_path / "flamenco.js"
    stub.write_text(FLAMENCO, encoding="utf-8")

    def run(**changed: object) -> tuple[dict, list[dict]]:
        command = [node, str(stub), str(SCRIPT), json.dumps({**SETTINGS, **changed})]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        data = json.loads(done.stdout)
        return data["type"], data["tasks"]

    return run


def test_chunks_are_rendered_then_gathered_then_shown(compiled) -> None:
    _, tasks = compiled()
    assert [task["name"] for task in tasks] == [
        *("render-1-4", "render-5-8", "render-9,10,40", "gather", "preview")
    ]
    assert [task["dependencies"] for task in tasks[:3]] == [[], [], []]
    assert tasks[3]["dependencies"] == [task["name"] for task in tasks[:3]]
    assert tasks[4]["dependencies"] == ["gather"]
    assert {task["type"] for task in tasks} == {"blender"}


def test_every_command_opens_the_file_and_ends_in_words_of_ours(compiled) -> None:
    for task in compiled(face="Anna", render_all=True)[1]:
        (command,) = task["commands"]
        given = command["parameters"]
        assert command["name"] == "blender-render" and given["blendfile"] == SETTINGS["blendfile"]
        assert (given["exe"], given["exeArgs"], given["argsBefore"]) == ("{blender}", "{blenderArgs}", [])
        assert given["args"][:4] == ["--scene", "Scene", "--command", "edtalk"]
        assert "--rig=Anna" in given["args"]
        assert ("--all" in given["args"]) == task["name"].startswith("render-")


def test_without_a_preview_the_gathering_is_the_end(compiled) -> None:
    assert [task["name"] for task in compiled(preview=False, frames="7")[1]] == ["render-7", "gather"]


def test_settings_are_ones_that_flamenco_knows(compiled) -> None:
    kind, _ = compiled()
    assert kind["label"] == "EDTalk Render"
    assert {setting["key"] for setting in kind["settings"]} == set(SETTINGS)
    for setting in kind["settings"]:
        assert setting["type"] in {"string", "int32", "float", "bool"} and setting["description"]
        assert setting.get("visible", "visible") in {"visible", "hidden", "submission", "web"}


@pytest.mark.blender
def test_the_commands_are_ones_that_blender_understands(compiled, part) -> None:
    parser = part("batch.command_line").parser()
    for task in compiled(face="Anna", render_all=True)[1]:
        given = task["commands"][0]["parameters"]["args"]
        options = parser.parse_args(given[given.index("edtalk") + 1 :])
        assert options.rig == "Anna" and options.command in ("render", "preview")
    assert options.command == "preview" and options.overwrite


@pytest.mark.blender
def test_the_frames_that_are_offered_are_those_of_all_takes(compiled, part, tmp_path: Path) -> None:
    import bpy

    (frames,) = [setting for setting in compiled()[0]["settings"] if setting["key"] == "frames"]
    bpy.context.scene.frame_start, bpy.context.scene.frame_end = 1, 250
    assert eval(frames["eval"], {"C": bpy.context}) == "1-250"  # noqa: S307
    for first, last in ((101, 120), (90, 110)):
        face = part("face.rig").make_rig(bpy.context.scene, "Anna")
        face.edtalk.take.image = bpy.data.images.new("take", 1, 1)
        face.edtalk.take.last, face.edtalk.take.first = last, first
    assert eval(frames["eval"], {"C": bpy.context}) == "90-120"  # noqa: S307


def test_the_file_says_how_it_is_used() -> None:
    text = SCRIPT.read_text("utf-8")
    assert text.startswith("// SPDX-License-Identifier: GPL-3.0-or-later\n")
    assert not re.search(r"\brequire\(|\bimport\b|\basync\b|\?\.", text), "Flamenco's engine knows no modules"
