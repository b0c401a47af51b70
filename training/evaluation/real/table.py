# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of `edtalk evaluate --real`: what each number is, what people have, and what is wanted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from core.wire.channels import STEPS_PER_SECOND
from training.evaluation.real.groups import TURNS, Clip, Numbers
from training.evaluation.real.tracks import blinks, closures

GROUPS = {
    "rest": {
        "difference": ("difference in the face, grey levels", "at most 1"),
        "landmarks": ("landmarks off, % of eye distance", "at most .3"),
        "structure": ("structure of the upper face (SSIM)", "at least .98"),
        "colour": ("skin colour off, dE", "at most .3"),
        "sharp_eyes": ("sharpness of the eyes, share of the portrait's", "at least .9"),
        "sharp_mouth": ("sharpness of the mouth", "at least .9"),
        "sharp_cheeks": ("sharpness of the cheeks", "at least .9"),
        "mouth_difference": ("difference in the mouth, grey levels", "at most 3"),
    },
    "talk": {
        "r_aperture": ("lips: r of aperture with the speaker's", "at least .60"),
        "r_width": ("lips: r of width", "at least .55"),
        "spread": ("lips: spread of aperture, share of the speaker's", ".8 to 1.1"),
        "lag": ("lips: lag, ms", "within 40"),
        "met": ("lip closures met, share", "at least .8"),
        "chance": ("lip closures met by chance, share", "-"),
        "sharp_mouth": ("sharpness of the mouth", "1"),
        "sharp_eyes": ("sharpness of the eyes", ".88"),
        "sharp_cheeks": ("sharpness of the cheeks", ".80"),
        "structure": ("structure of the upper face (SSIM)", ".90"),
        "colour": ("skin colour off, dE", "1.2"),
        "ground": ("ground wobble, grey levels a frame", "at most .6"),
        "jitter": ("jitter, % of eye distance", ".55"),
        "sd_yaw": ("head: sd of yaw, degrees", "3 to 5"),
        "sd_pitch": ("head: sd of pitch", "2.5 to 4"),
        "sd_roll": ("head: sd of roll", "2 to 3.5"),
        "blinks_a_minute": ("blinks a minute", "20 to 35"),
    },
    "drive": {
        **{f"r_{turn}": (f"{turn}: r with the clip's", "at least .92") for turn in TURNS},
        **{f"gain_{turn}": (f"{turn}: gain", ".9 to 1.1") for turn in TURNS},
        **{f"error_{turn}": (f"{turn}: error, degrees", "-") for turn in TURNS},
        "met": ("blinks carried over, share", "at least .95"),
        "shut": ("smallest opening in a blink, % of the open eye", "30"),
        "r_lips": ("lips: r of aperture with the clip's", "at least .92"),
        "spread_lips": ("lips: spread, share of the speaker's", ".85 to 1.1"),
    },
}
"""Group -> number -> what it is, and what is wanted."""

LOOKED = {"brow": "brows", "corner": "mouth corners", "eye": "eyes", "mouth": "mouth opening"}
WANTED = {
    "angry": "- . - .",
    "contempt": ". + . .",
    "disgusted": "- . - .",
    "fear": "+ - + +",
    "happy": ". + - +",
    "neutral": ". . . .",
    "sad": "+ - . .",
    "surprised": "+ . + +",
}
SHOWN = {
    "jaw_open": ("mouth", "mouth opening, %", "25"),
    "smile": ("corner", "mouth corners, %", "8"),
    "frown": ("corner", "mouth corners, %", "-3"),
    "press": ("lips", "height of the lips, %", "-3"),
    "gaze_x": ("iris_x", "iris, % of the eye's width", "10.7"),
    "gaze_y": ("iris_y", "iris, % of the eye's width", "5.8"),
    "blink": ("open", "eye opening left, %", "at most 25"),
}
"""Handle -> which of its numbers, what that is, and what is wanted."""


def mean(takes: Iterable[Mapping[str, Any]], name: str) -> float:
    """The mean of one number over the takes that have it."""
    found = [take[name] for take in takes if name in take and np.isfinite(take[name])]
    return float(np.mean(found)) if found else float("nan")


def summary(takes: Mapping[str, Numbers]) -> Numbers:
    """One number each over all takes; events are pooled."""
    rows = list(takes.values())
    out = {name: mean(rows, name) for name in dict.fromkeys(name for row in rows for name in row)}
    for events in ("closures", "blinks"):
        total = sum(row.get(events, 0.0) for row in rows)
        if total:
            out["met"] = sum(row.get(f"{events}_met", 0.0) for row in rows) / total
    if "closures_chance" in out:
        out["chance"] = out["closures_chance"]
    return out


def markdown(found: Mapping[str, Mapping[str, Any]], real: Numbers, before: Mapping[str, Any]) -> str:
    """The tables; `real` are the speakers' own numbers, `before` the `numbers` of an earlier run or {}."""
    past = "before | " if before else ""
    heads = (
        f"| | {past}now | the people | wanted |",
        "| --- | " + "---: | " * (3 if before else 2) + "--- |",
    )
    lines: list[str] = []

    def line(key: str, label: str, value: float, own: float | None, wanted: str) -> None:
        earlier = f"{_text(before.get(key))} | " if before else ""
        lines.append(f"| {label} | {earlier}{_text(value)} | {_text(own)} | {wanted} |")

    for group, rows in GROUPS.items():
        if group not in found:
            continue
        lines += ["", f"## {group.capitalize()}", "", *heads]
        numbers = summary(found[group])
        for name, (label, wanted) in rows.items():
            own = real.get(name) if group == "talk" else None
            line(f"{group}.{name}", label, numbers.get(name, float("nan")), own, wanted)
    for group, names in (("emotion", WANTED), ("handles", SHOWN)):
        if group not in found:
            continue
        takes = list(found[group].values())
        lines += ["", f"## {group.capitalize()}", "", *heads]
        if group == "handles":
            for label in dict.fromkeys(label for take in takes for label in take):
                turn, sign = label[:-2], label[-2:]
                if turn in TURNS:
                    value = mean([take.get(label, {}) for take in takes], turn)
                    asked = TURNS[turn] * int(sign)
                    line(f"handles.{label}", f"{turn} {asked:+.0f} degrees", value, None, f"{asked:+.0f}")
                    others = [other for other in TURNS if other != turn]
                    stray = [np.hypot(*(take[label][x] for x in others)) for take in takes if label in take]
                    astray = float(np.mean(stray))
                    line(f"handles.{label}.astray", "about the other axes", astray, None, "at most 1.5")
        for name in names:
            wished = [take.get(name, {}) for take in takes]
            if group == "emotion":
                for looked, label in LOOKED.items():
                    sign = WANTED[name].split()[list(LOOKED).index(looked)]
                    line(f"emotion.{name}.{looked}", f"{name}: {label}", mean(wished, looked), None, sign)
            else:
                looked, label, wanted = SHOWN[name]
                line(f"handles.{name}", f"{name}: {label}", mean(wished, looked), None, wanted)
    return "\n".join(lines).strip()


def numbers(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Flat keys of every row, for `--json` and a later `--against`."""
    flat: dict[str, Any] = {}
    for group in GROUPS:
        if group in found:
            flat |= {f"{group}.{name}": value for name, value in summary(found[group]).items()}
    for take in (found.get("emotion") or {}).values():
        for name in take:
            for looked in LOOKED:
                value = mean([one.get(name, {}) for one in found["emotion"].values()], looked)
                flat[f"emotion.{name}.{looked}"] = value
    for take in (found.get("handles") or {}).values():
        for label in take:
            takes = [one.get(label, {}) for one in found["handles"].values()]
            turn = label[:-2]
            flat[f"handles.{label}"] = mean(takes, turn if turn in TURNS else SHOWN[label][0])
            if turn in TURNS:
                others = [other for other in TURNS if other != turn]
                flat[f"handles.{label}.astray"] = float(
                    np.mean([np.hypot(*(one[x] for x in others)) for one in takes if one])
                )
    return {key: value if np.isfinite(value) else None for key, value in flat.items()}


def _text(value: float | None) -> str:
    return "" if value is None or not np.isfinite(value) else f"{value:.2f}"


HEADLINES = {
    "rest": ("difference", "structure", "sharp_eyes"),
    "talk": ("r_aperture", "met", "chance", "structure", "ground", "sd_yaw", "blinks_a_minute"),
    "drive": ("r_yaw", "r_pitch", "met", "r_lips"),
}
"""The rows that the model card shows."""


def headline(flat: Mapping[str, Any]) -> str:
    """A short table of what `numbers` gave."""
    lines = ["| | measured | wanted |", "| --- | ---: | --- |"]
    for group, names in HEADLINES.items():
        for name in names:
            label, wanted = GROUPS[group][name]
            if flat.get(f"{group}.{name}") is not None:
                lines.append(f"| {group}: {label} | {_text(flat[f'{group}.{name}'])} | {wanted} |")
    return "\n".join(lines)


def people(clips: Sequence[Clip]) -> Numbers:
    """The speakers' own numbers: what a perfect film of the same people would score."""
    rows: list[Numbers] = []
    for clip in clips:
        seen = clip.tracks
        row = dict(clip.itself) | {
            "jitter": seen.jitter,
            "chance": closures(seen.aperture, seen.aperture)["closures_chance"],
        }
        row |= {f"sd_{turn}": float(np.nanstd(seen.pose[:, axis])) for axis, turn in enumerate(TURNS)}
        row["blinks_a_minute"] = 60 * STEPS_PER_SECOND * len(blinks(seen.eye)) / clip.steps
        rows.append(row)
    return {name: mean(rows, name) for name in dict.fromkeys(name for row in rows for name in row)}
