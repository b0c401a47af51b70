# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds demo.blend and demo.mp4 the way an artist would: install the extension, pick portrait and voice,
press *Generate*, key a smile, press *Render Changed*, save, press *Export Movie*. The buttons are the
add-on's own operators, in background mode.

    .venv/bin/python demo/make_blend.py out/demo
"""

from __future__ import annotations

import argparse
import atexit
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
LABELS = "edtalk_labels"
"""Custom property by which a face rig is known: the name of each weight and its label."""
SMILE = ("happy", 0.8)
"""The emotion that is keyed by hand at the end of the take, and how far it goes."""


def prepare() -> Path:
    """Give this Blender preferences of its own, so that nobody's are touched, and name the server's Python.

    Must run before bpy is imported. Returns a folder that is gone when the program ends.
    """
    folder = Path(tempfile.mkdtemp(prefix="edtalk-demo-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["BLENDER_USER_RESOURCES"] = str(folder / "blender")
    os.environ["EDTALK_PYTHON"] = sys.executable
    return folder


def install(bpy, folder: Path) -> None:
    """Build the zip and install it as a user would."""
    sys.path.insert(0, str(ROOT))
    from tools.build_extension import build

    bpy.ops.extensions.package_install_files(
        filepath=str(build(folder)), repo="user_default", enable_on_install=True, overwrite=True
    )


def generate(bpy, blend: Path, portrait: Path, voice: Path):
    """An empty scene, saved as `blend`; a take of `portrait` saying `voice`. Returns the face rig."""
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.context.preferences.filepaths.save_version = 0  # no demo.blend1 beside it
    bpy.context.scene.view_settings.view_transform = "Standard"  # pictures look as they do on disk
    bpy.ops.wm.save_as_mainfile(filepath=str(blend))
    settings = bpy.context.scene.edtalk
    settings.portrait, settings.audio = str(portrait), str(voice)
    settings.idle = 1.0
    bpy.ops.edtalk.generate_take()
    return next(ob for ob in bpy.context.scene.objects if LABELS in ob)


def key_smile(face, fps: int) -> int:
    """Let the last second end in a smile: two keys on an emotion. Returns where it begins."""
    name, height = SMILE
    bone = face.pose.bones["emotion"]
    end = face.edtalk.take.last
    begin = end - fps
    for frame, value in ((begin, 0.0), (begin + round(0.6 * fps), height)):
        bone[name] = value
        bone.keyframe_insert(f'["{name}"]', frame=frame, group="emotion")
    return begin


def add_camera(bpy, face) -> None:
    """A camera that frames the picture plane, for F12."""
    data = bpy.data.cameras.new("Camera")
    data.type, data.ortho_scale = "ORTHO", 2.0
    camera = bpy.data.objects.new("Camera", data)
    camera.location, camera.rotation_euler = (0.0, -4.0, 0.1), (1.5707963, 0.0, 0.0)
    scene = bpy.context.scene
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.render.resolution_x = scene.render.resolution_y = 512
    scene.render.dither_intensity = 0.0


def set_the_stage(bpy, face) -> None:
    """Whoever opens the file sees the picture, through the camera, and the space bar plays the take once."""
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = face.edtalk.take.first, face.edtalk.take.last
    for screen in bpy.data.screens:
        for area in screen.areas:
            if area.type == "VIEW_3D":
                space = area.spaces.active
                space.shading.light, space.shading.color_type = "FLAT", "TEXTURE"
                space.region_3d.view_perspective = "CAMERA"


def main(arguments: list[str] | None = None) -> int:
    """Builds the file; returns 1 with the add-on's own sentence when a button could not do its work."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path, help="folder for demo.blend and its frames")
    parser.add_argument("--portrait", type=Path, default=HERE / "astronaut.png")
    parser.add_argument("--voice", type=Path, default=HERE / "voice.wav")
    options = parser.parse_args(arguments)
    out = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    folder = prepare()
    import bpy

    try:
        install(bpy, folder)
        face = generate(bpy, out / "demo.blend", options.portrait.absolute(), options.voice.absolute())
        begin = key_smile(face, bpy.context.scene.render.fps)
        print(f"A smile is keyed from frame {begin}; Render Changed makes the frames it touches:")
        bpy.ops.edtalk.render_changed()
        add_camera(bpy, face)
        set_the_stage(bpy, face)
        bpy.ops.file.make_paths_relative()
        bpy.ops.wm.save_mainfile()
        bpy.ops.edtalk.export_movie(filepath=str(out / "demo.mp4"))
        bpy.ops.preferences.addon_disable(module="bl_ext.user_default.edtalk")
    except RuntimeError as error:  # how bpy passes on an operator's report
        print(error, file=sys.stderr)
        return 1
    seconds = time.monotonic() - start
    print(f"{out / 'demo.blend'} and demo.mp4 are ready ({seconds:.0f} s): open it, press the space bar.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
