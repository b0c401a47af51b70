# SPDX-License-Identifier: GPL-3.0-or-later
"""From timed mouth shapes to the controls of our mouth.

Shapes may be Rhubarb's letters (A to H, X), those of Preston Blair (Moho, Papagayo: AI, E, O, U, etc, L, WQ,
MBP, FV, rest), phones in ARPAbet (with stress digits) or in IPA. Each is one of a dozen looks. Neighbours
flow into each other by dominance functions (Cohen and Massaro, "Modeling coarticulation in synthetic visual
speech", 1993); lips that must meet do meet, at the middle of their shape.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence

from .curves import Cue

LOOKS: dict[str, tuple[float, dict[str, float]]] = {
    "rest": (0.8, {}),
    "shut": (4.0, {"press": 1.0}),
    "bite": (3.5, {"lip_teeth": 1.0, "jaw_open": 0.06, "upper_up": 0.1}),
    "teeth": (1.2, {"wide": 0.35, "lower_down": 0.42, "upper_up": 0.2, "jaw_open": 0.06}),
    "hush": (2.0, {"funnel": 0.75, "pucker": 0.3, "jaw_open": 0.08}),
    "tongue": (1.0, {"tongue_up": 0.9, "jaw_open": 0.22, "lower_down": 0.2}),
    "lisp": (1.6, {"tongue_out": 0.7, "jaw_open": 0.18, "lower_down": 0.2}),
    "back": (0.6, {"jaw_open": 0.2, "lower_down": 0.2}),
    "open": (1.0, {"jaw_open": 0.62, "lower_down": 0.15, "wide": 0.08}),
    "half": (1.0, {"jaw_open": 0.36, "wide": 0.33, "lower_down": 0.25}),
    "smile": (1.1, {"wide": 0.6, "jaw_open": 0.13, "lower_down": 0.33}),
    "round": (1.1, {"jaw_open": 0.42, "funnel": 0.42, "pucker": 0.22}),
    "kiss": (1.8, {"pucker": 0.92, "jaw_open": 0.1}),
}
"""Look -> how strongly it pulls, and its controls; what it does not name is 0."""

_SPELLED = {
    "rest": "rest sil sp spn pau # _ -",
    "shut": "MBP P B M p b m",
    "bite": "FV F V f v ɱ ʋ",
    "teeth": "etc S Z s z",
    "hush": "SH ZH CH JH ʃ ʒ tʃ dʒ ɕ ʑ ç",
    "tongue": "L T D N l t d n ɾ ɫ ɲ",
    "lisp": "TH DH θ ð",
    "back": "K G NG HH k g ɡ ŋ h x ɣ ʔ ʁ χ",
    "open": "AI AA AY AW a ɑ ɑː aɪ aʊ aː ɒ ä",
    "half": "E AE EH AH ah ɛ æ e ə ʌ ɐ eɪ EY",
    "smile": "IY IH Y i ɪ iː j",
    "round": "O AO ER R OY OW o ɔ ɔː oː oʊ ɜ ɝ ɚ ɹ r œ ø ɔɪ",
    "kiss": "U WQ UW UH W u ʊ uː w y ʏ ɥ",
}
_PHONES = {word: look for look, words in _SPELLED.items() for word in words.split()}
_RHUBARB = dict(zip("ABCDEFGHX", "shut teeth half open round kiss bite tongue rest".split()))
_BLAIR = dict(
    zip(
        ("AI", "E", "O", "U", "ETC", "L", "WQ", "MBP", "FV", "REST"),
        ("open", "smile", "round", "kiss", "teeth", "tongue", "kiss", "shut", "bite", "rest"),
    )
)

SPREAD, BRIEF = 0.042, 0.024
"""Seconds over which a look's pull fades outside its core; contacts are brief, or the vowel between two of
them would never open."""
MEET = ("shut", "bite")
"""Looks whose lips, or lip and teeth, touch, however short they are."""
CONTACTS = (*MEET, "lisp")
CONTROLS = tuple(sorted({name for _, controls in LOOKS.values() for name in controls}))


def looks_of(cues: Sequence[Cue]) -> tuple[list[tuple[str, float, float]], list[str]]:
    """(look, start, end) of each cue, and the shapes that nobody knows, which are taken as a small opening.
    Letters of Rhubarb and shapes of Preston Blair count only where all of a file is of them: "E" is both.
    """
    shapes = {cue.shape.strip() for cue in cues} - {""}
    table = _PHONES
    if shapes <= _RHUBARB.keys():
        table = _RHUBARB
    elif {shape.upper() for shape in shapes} <= _BLAIR.keys():
        table = {shape: _BLAIR[shape.upper()] for shape in shapes}
    found, unknown = [], []
    for cue in cues:
        look = _look(cue.shape.strip(), table)
        if look is None:
            unknown.append(cue.shape)
        found.append((look or "back", cue.start, cue.end))
    return found, sorted(set(unknown))


def _look(shape: str, table: dict[str, str]) -> str | None:
    if not shape:
        return "rest"
    if shape in table:
        return table[shape]
    plain = shape.rstrip("0123456789ː:ʰʷʲ̩̃ˑ").lstrip("ˈˌ")
    for spelled in (plain, plain.upper(), plain[:2], plain[:1]):
        if spelled and spelled in table:
            return table[spelled]
    return None


def track(looks: Sequence[tuple[str, float, float]], times: Sequence[float]) -> list[dict[str, float]]:
    """Mouth controls at rising `times` [s], each 0 to 1."""
    weight = [1e-3] * len(times)
    total = [dict.fromkeys(CONTROLS, 0.0) for _ in times]
    for look, start, end in looks:
        strength, targets = LOOKS[look]
        spread = BRIEF if look in CONTACTS else SPREAD
        centre, core = (start + end) / 2, 0.3 * (end - start)
        reach = core + 5 * spread
        for step in range(bisect_left(times, centre - reach), bisect_left(times, centre + reach)):
            away = max(0.0, abs(times[step] - centre) - core)
            pull = strength * math.exp(-0.5 * (away / spread) ** 2)
            weight[step] += pull
            for name, value in targets.items():
                total[step][name] += pull * value
    found = [{name: value / w for name, value in sums.items()} for sums, w in zip(total, weight)]
    for look, start, end in looks:
        middle = _nearest(times, (start + end) / 2)
        if look in MEET and middle is not None:
            found[middle] = {**dict.fromkeys(CONTROLS, 0.0), **LOOKS[look][1]}
    return found


def _nearest(times: Sequence[float], moment: float) -> int | None:
    """The step that is nearest to a moment; None where the steps end a step or more before it."""
    after = bisect_left(times, moment)
    around = [k for k in (after - 1, after) if 0 <= k < len(times)]
    best = min(around, key=lambda k: abs(times[k] - moment), default=None)
    step = times[1] - times[0] if len(times) > 1 else 1.0
    return best if best is not None and abs(times[best] - moment) < step else None
