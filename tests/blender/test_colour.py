# SPDX-License-Identifier: GPL-3.0-or-later
"""Studios replace Blender's colour configuration; no name of a space is taken for granted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.blender
ROOT = Path(__file__).resolve().parents[2]

SCRIPT = """
import importlib.util, json, sys
from pathlib import Path
import bpy
spec = importlib.util.spec_from_file_location("edtalk_checkout", sys.argv[1] + "/__init__.py",
                                              submodule_search_locations=[sys.argv[1]])
module = importlib.util.module_from_spec(spec)
sys.modules["edtalk_checkout"] = module
spec.loader.exec_module(module)
from edtalk_checkout.edtalk_blender.pictures import destinations, image_sequence
from edtalk_checkout.edtalk_blender.settings import colour
said = {}
for suffix in (".png", ".exr"):
    image = image_sequence.make_image("a", Path("/nowhere/take.0101" + suffix))
    said[suffix] = image.colorspace_settings.name, image.alpha_mode
    image_sequence.move_image(image, Path("/nowhere/take.0101" + (".png" if suffix == ".exr" else ".exr")))
    said["from " + suffix] = image.colorspace_settings.name, image.alpha_mode
matte = image_sequence.make_pass(image_sequence.make_image("b", Path("/nowhere/take.0101.exr")), "matte")
said["matte"] = matte.colorspace_settings.name, matte.colorspace_settings.is_data
try:
    said["view"] = destinations.set_up_colour(bpy.context.scene)
except TypeError as error:
    said["view"] = "TypeError"
print("SAID", json.dumps(said), flush=True)
import os
os._exit(0)
"""


def said_under(config: str) -> dict:
    environment = {name: value for name, value in os.environ.items() if name != "OCIO"}
    if config:
        environment["OCIO"] = config
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(ROOT)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
    )
    line = next((line for line in done.stdout.splitlines() if line.startswith("SAID ")), None)
    assert line is not None, done.stdout + done.stderr
    return json.loads(line[5:])


CONFIGS = {
    "": ("Linear Rec.709", "sRGB", "Non-Color"),
    "ocio://cg-config-v2.1.0_aces-v1.3_ocio-v2.3": ("Linear Rec.709 (sRGB)", "sRGB - Texture", "Raw"),
    "ocio://studio-config-v2.1.0_aces-v1.3_ocio-v2.3": ("Linear Rec.709 (sRGB)", "sRGB - Texture", "Raw"),
}


@pytest.mark.parametrize("config", CONFIGS)
def test_files_are_read_as_what_they_are_under(config: str) -> None:
    linear, picture, data = CONFIGS[config]
    said = said_under(config)
    assert said[".exr"] == [linear, "PREMUL"] and said["from .png"] == [linear, "PREMUL"]
    assert said[".png"][0] == picture and said["from .exr"] == [picture, "STRAIGHT"]
    assert said["matte"] == [data, True]
    assert "View transform" in said["view"]


def test_a_configuration_without_a_linear_rec_709_leaves_its_own_default(tmp_path) -> None:
    (tmp_path / "small.ocio").write_text(
        "ocio_profile_version: 2\n"
        "roles: {default: Raw Numbers, scene_linear: Scene, data: Raw Numbers, default_byte: Paint}\n"
        "displays:\n  Screen:\n    - !<View> {name: Plain, colorspace: Paint}\n"
        "active_displays: [Screen]\nactive_views: [Plain]\n"
        "colorspaces:\n"
        "  - !<ColorSpace> {name: Scene}\n"
        "  - !<ColorSpace> {name: Paint}\n"
        "  - !<ColorSpace> {name: Raw Numbers, isdata: true}\n"
    )
    said = said_under(str(tmp_path / "small.ocio"))
    assert (
        said[".exr"][1] == "PREMUL" and said["matte"] == ["Raw Numbers", True] and said["view"] == "TypeError"
    )


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (["ACEScg", "lin_rec709", "sRGB"], "lin_rec709"),
        (
            ["Utility - Linear - sRGB", "Utility - sRGB - Texture", "Utility - Linear - P3-D65"],
            "Utility - Linear - sRGB",
        ),
        (["lin_srgb", "Linear Rec.2020", "lin_ap1"], "lin_srgb"),
        (["Linear Rec.2020", "ACEScg", "sRGB"], None),
        (["Linear BT.709", "Rec.709 Gamma 2.4"], "Linear BT.709"),
    ],
)
def test_the_linear_space_is_recognised_among_the_names_of_studios(part, names, wanted) -> None:
    assert part("settings.colour").linear_name(names) == wanted
