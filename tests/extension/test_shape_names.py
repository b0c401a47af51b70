# SPDX-License-Identifier: GPL-3.0-or-later
"""edtalk_blender/character/shape_names.py: a character's shape keys are recognised however they are
spelled."""

from __future__ import annotations

import pytest

from core.wire import controls


@pytest.fixture(scope="module")
def names(checkout):
    return checkout("edtalk_blender.character.shape_names")


@pytest.fixture(scope="module")
def table(checkout):
    return checkout("edtalk_blender.character.shape_table")


def test_there_are_52_of_arkit_and_every_control_in_the_tables_is_known(table) -> None:
    assert len(table.ARKIT) == 52
    known = set(controls.FULL) | {control for control, _ in controls.HANDLES.values()}
    used = {control for terms in (*table.ARKIT.values(), *table.VISEMES.values()) for control in terms}
    assert used <= known and set(controls.LABELS.values()) == set(controls.FULL)


def test_every_arkit_name_is_recognised_in_every_usual_spelling(names, table) -> None:
    for name in table.ARKIT:
        short = name.replace("Left", "_L").replace("Right", "_R")
        spellings = [name, name.lower(), name.upper(), f"Head.{name}", f"blendShape1.{name}", f"CC_{name}"]
        spellings += [short, f"{name[0].upper()}{name[1:]}", " ".join(names.words(name)).title()]
        words = names.words(name)
        if words[-1] in ("left", "right"):
            spellings.append("".join(word.title() for word in [words[-1], *words[:-1]]))
        for spelling in spellings:
            assert names.arkit_name(spelling) == name, spelling


@pytest.mark.parametrize(
    "name", ["Basis", "Key 1", "Fat", "eyeColor", "mouthSmileLeftWide", "noseBig", "browUp", "A", ""]
)
def test_other_names_are_not_taken_for_arkit(names, name: str) -> None:
    assert names.arkit_name(name) == ""


@pytest.mark.parametrize(
    ("name", "viseme"),
    [
        ("viseme_aa", "aa"),
        ("vrc.v_pp", "PP"),
        ("V_Ou", "ou"),
        ("Fcl_MTH_A", "aa"),
        ("A", "aa"),
        ("あ", "aa"),
        ("まばたき", "blink"),
        ("Blink", "blink"),
        ("viseme_sil", "sil"),
        ("Basis", ""),
        ("apple", ""),
    ],
)
def test_visemes_are_recognised(names, name: str, viseme: str) -> None:
    assert names.viseme_name(name) == viseme


def test_a_character_with_both_follows_arkit_and_says_what_is_missing(names, table) -> None:
    keys = ["jawOpen", "mouthFunnel", "mouthPucker", "eyeBlinkLeft", "eyeBlinkRight", "viseme_aa", "Tall"]
    match = names.recognise(keys)
    assert match.kind == "ARKIT" and len(match.found) == 5
    assert set(match.unknown) == {"viseme_aa", "Tall"} and len(match.missing) == 47
    assert names.recognise(keys, "VISEMES").found == {"viseme_aa": "aa"}
    assert names.recognise(["A", "I", "U", "E", "O", "Blink"]).kind == "VISEMES"
