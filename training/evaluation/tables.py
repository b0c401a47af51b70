# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured, as Markdown tables for the terminal and the model card.

Every table has the row *copy the source* (doing nothing) and the row *ground truth* (what a perfect model
would get, or the reader's own noise), so that no number stands alone.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from .report import Evaluation

TARGETS: dict[str, tuple[str, float]] = {
    "l1_ratio": ("at most", 0.5),
    "mouth_l1_ratio": ("at most", 0.45),
    "ssim": ("at least", 0.85),
    "r2 pose": ("at least", 0.95),
    "r2 mouth": ("at least", 0.80),
    "r2 expression": ("at least", 0.75),
    "r2 blink": ("at least", 0.85),
    "cross_talk_max": ("at most", 0.15),
    "outside_mouth_energy": ("at most", 0.15),
    "jaw_corr male": ("at least", 0.75),
    "jaw_corr female": ("at least", 0.75),
    "press_corr male": ("at least", 0.75),
    "press_corr female": ("at least", 0.75),
    "lag_ms": ("within +-", 40.0),
}
"""How far the model is to come: name of the number -> how it compares, and with what."""

_WAYS = {"copy": "copy the source", "read": "read weights", "true": "true weights", "truth": "ground truth"}
_BANKS = ("mouth", "pose", "expression")


def flat(numbers: dict[str, Any]) -> dict[str, float | None]:
    """{"r2": {"pose": ..}} -> {"r2 pose": ..}."""
    found: dict[str, float | None] = {}
    for name, value in numbers.items():
        if isinstance(value, dict):
            found |= {f"{name} {part}": inner for part, inner in value.items()}
        else:
            found[name] = value
    return found


def met(name: str, value: float | None) -> bool | None:
    """Whether a target is reached; None where nothing was measured."""
    if value is None:
        return None
    how, goal = TARGETS[name]
    return {"at most": value <= goal, "at least": value >= goal, "within +-": abs(value) <= goal}[how]


def targets(found: Evaluation) -> str:
    """The headline numbers beside what they are to be."""
    rows = []
    for name, value in flat(found.numbers()).items():
        if name in TARGETS:
            how, goal = TARGETS[name]
            verdict = {True: "yes", False: "no", None: "not measured"}[met(name, value)]
            rows.append((name, "-" if value is None else f"{value:.3g}", f"{how} {goal:g}", verdict))
    return _table(("", "measured", "target", "reached"), rows)


def redrawing(found: Evaluation) -> str:
    """Pictures, lips and persons of the redrawn pairs."""
    rows = []
    for key, label in _WAYS.items():
        w = found.ways[key]
        numbers = (w.l1, w.mouth_l1, w.eyes_l1, w.ssim, w.distance.mouth, w.distance.face, w.drift)
        psnr = "-" if key == "truth" else f"{w.psnr:.1f}"
        rows.append((label, psnr, *(f"{number:.2f}" for number in numbers)))
    heads = ("", "PSNR, dB", "error", "mouth box", "eye boxes", "SSIM", "M-LMD, %", "F-LMD, %", "drift")
    return _table(heads, rows)


def reading(found: Evaluation) -> str:
    """R2 of weights read off pictures, in three definitions."""
    names = tuple(found.reading)

    def row(label: str, kind: str, source: dict[str, Any]) -> tuple[str, ...]:
        values = (getattr(source[name], kind) for name in names)
        return (label, *("-" if value is None else f"{value:.2f}" for value in values))

    rows = [
        row("read, pooled", "pooled", found.reading),
        row("read, mean of the channels", "channels", found.reading),
        row("read, as seen", "seen", found.reading),
        row("copy the source, pooled", "pooled", found.copied),
        ("ground truth", *("1.00" for _ in names)),
    ]
    return _table(("", *("emotions" if name == "expression" else name for name in names)), rows)


def disentanglement(found: Evaluation) -> str:
    """The cross-talk matrix, three times."""
    rows: list[Sequence[str]] = []
    talk = found.talk
    for label, matrix in (
        ("encoder", talk.encoder),
        ("encoder, ground truth", talk.encoder_truth),
        ("reader", talk.reader),
        ("reader, ground truth", talk.truth),
    ):
        for row, bank in enumerate(_BANKS):
            cells = [f"({x:.2f})" if row == column else f"{x:.2f}" for column, x in enumerate(matrix[row])]
            rows.append((f"{bank} moves, {label}", *cells))
    rows.append(("copy the source", *("0.00" for _ in _BANKS)))
    return _table(("", *(f"{bank} changes" for bank in _BANKS)), rows)


def outside(found: Evaluation) -> str:
    """Energy outside the mouth when only the mouth moves."""
    talk = found.talk
    rows = [
        ("drawn", f"{talk.outside['drawn']:.2f}", f"{talk.outside_lips['drawn']:.2f}"),
        ("copy the source", "0.00", "0.00"),
        ("ground truth", f"{talk.outside['truth']:.2f}", f"{talk.outside_lips['truth']:.2f}"),
    ]
    return _table(("", "outside lips, jaw and chin", "outside the lips' own box"), rows)


def handles(found: Evaluation) -> str:
    """What handles were asked for, and what the pictures show."""
    if not found.handles:
        return "This checkpoint has not been calibrated.\n"
    rows: list[Sequence[str]] = []
    units = {handle.name: handle.unit for handle in found.meta.handles}
    for kept in found.handles:
        strayed = (
            ", ".join(f"{bank} {value:.2f}" for bank, value in banks.items())
            for banks in (kept.encoder, kept.reader)
        )
        asked = f"{kept.asked:g} {units[kept.name]}".rstrip()
        rows.append((kept.name, asked, f"{kept.measured:.2f}", f"{kept.rendered:.2f}", *strayed))
    rows.append(("copy the source", "any", "0.00", "", "0.00", "0.00"))
    return _table(("", "asked", "measured", "ground truth", "strayed, encoder", "strayed, reader"), rows)


def steadiness(found: Evaluation) -> str:
    """Trembling and lips of smooth clips."""
    rows = [
        (label, f"{one.tremble:.2f}", f"{one.mouth:.2f}", f"{one.face:.2f}")
        for key, label in _WAYS.items()
        for one in (found.steady[key],)
    ]
    return _table(("", "tremble, %", "M-LMD, %", "F-LMD, %"), rows)


def voices(found: Evaluation) -> str:
    """Lip sync on voices never heard."""
    if found.hearing.missing:
        return f"Not measured: {found.hearing.missing}.\n"
    rows: list[Sequence[str]] = []
    for group, m in found.hearing.marks.items():
        drawn, rendered = found.in_step[group]
        rows.append((group, f"{m['r_jaw_open']:.2f}", f"{m['r_press']:.2f}", f"{m['closed']:.2f}",
                     f"{m['lag_ms']:.0f}", f"{drawn:.2f}", f"{rendered:.2f}"))  # fmt: skip
    rows.append(("copy the source", "0.00", "0.00", "0.00", "-", "0.00", ""))
    rows.append(("ground truth", "1.00", "1.00", "1.00", "0", "", "1.00"))
    heads = ("", "jaw", "press", "closures met", "lag, ms", "lips as drawn", "lips as rendered")
    return _table(heads, rows)


INTRODUCTIONS: dict[str, str] = {
    "What was to be reached": "",
    "How well it redraws heads it has never seen": """
        {a.pairs} pairs (source, driving) of {heads} held-out identities, at the model's own {size} pixels.
        *Error* is the mean absolute error as a ratio to *copying the source*. *Read*: the weights come from
        the driving picture through the encoder; *true*: the renderer's own weights were given, as an
        animator gives them. M-LMD and F-LMD are distances of mouth and face landmarks in percent of the
        picture's width. *Drift* is how far the face became another person's: 0 the same picture,
        {strangers:.2f} two strangers.""",
    "How well it reads weights off pictures": """
        Coefficient of determination on held-out heads: 1 is perfect, 0 is guessing the mean. *Pooled* takes
        a bank's weights together; *mean of the channels* counts a rare tongue as much as the jaw; *as seen*
        compares the landmarks of one face that makes both motions, so that what no picture shows (a tongue
        behind closed lips) does not count.""",
    "Does one bank leave the others alone": """
        One bank moves by one standard deviation, on {a.people} held-out heads in random motion; the cells
        say by how many standard deviations the other banks' factors change in the redrawn pictures, as the
        checkpoint's own encoder and as an independent reader see it. In brackets: the share of the move
        itself that is read back. Channels that the encoder only guesses are read as neutral by it; the
        reader is not so kind. *Ground truth*: renders of the same change, so that what encoder and reader
        confuse by themselves can be told from what the drawing does.""",
    "Does the mouth stay in its place": """
        When only the mouth moves: the share of the pictures' change (squared) that lies elsewhere.""",
    "Do the handles keep their word": """
        `edtalk calibrate` fitted them on other heads. {a.handled} held-out heads at rest are asked for each;
        the landmark reader measures the redrawn pictures and, for the ground truth, the rig's own rendering
        of the same. *Strayed*: by how many standard deviations the banks changed that were to stay, as the
        encoder reads it, and as the reader does beyond what it says of the rig.""",
    "Is it steady": """
        {a.clips} clips of smooth random motion. *Tremble* is the root mean square of the landmarks' second
        difference, frame to frame; what lies above the ground truth's is jitter.""",
    "How it hears voices it never heard": """
        {a.sentences} sentences by each of six synthetic voices, three male and three female, that are in no
        training corpus: correlation of predicted and true jaw opening and lip pressing, share of closures
        met, lag. *Lips as drawn*: the opening of the lips in pictures drawn from the sound, against the true
        one; *as rendered*: the same for renders.""",
}
"""Title of a section -> what its table says."""


def sections(found: Evaluation) -> list[tuple[str, str]]:
    """(title, Markdown) of everything, in reading order."""
    tables = (targets, redrawing, reading, disentanglement, outside, handles, steadiness, voices)
    filled = {"a": found.amounts, "heads": found.heads, "size": found.size, "strangers": found.strangers}
    result = []
    for (title, text), table in zip(INTRODUCTIONS.items(), tables, strict=True):
        words = " ".join(text.format(**filled).split())
        said = textwrap.fill(words, 110, break_on_hyphens=False) + "\n\n" if words else ""
        result.append((title, said + table(found)))
    return result


def plain(found: Evaluation) -> str:
    """For the terminal."""
    return "\n".join(f"{title}\n\n{body}" for title, body in sections(found))


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    cells = [list(heads), *(list(row) for row in rows)]
    widths = [max(len(row[k]) for row in cells) for k in range(len(heads))]

    def line(row: Sequence[str]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"

    rule = "| " + " | ".join("-" * max(3, width) for width in widths) + " |"
    return "\n".join([line(cells[0]), rule, *(line(row) for row in cells[1:])]) + "\n"
