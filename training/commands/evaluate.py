# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure a checkpoint: on held-out heads and voices, or on clips of your own.

    edtalk evaluate                                        the checkpoint shipped with EDTalk
    edtalk evaluate mine.safetensors --json numbers.json
    edtalk evaluate --card docs/model-card.md              and write the model card
    edtalk evaluate --clips folder                         real clips, with public metrics where they are
    edtalk evaluate --real folder                          photographs, voices and clips of people

Held-out heads are rendered the first time (a minute or two) and kept in the --heldout folder. Every table has
the row "copy the source" and the row "ground truth".
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from core.files import written_whole
from server.commands.terminal import Bars, whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `edtalk evaluate`."""
    parser.add_argument(
        "checkpoint", nargs="?", default="", metavar="FILE", help="default: the one shipped with EDTalk"
    )
    parser.add_argument("--json", default="", metavar="FILE", help="write the headline numbers")
    parser.add_argument(
        "--card", default="", metavar="FILE", help="write the model card, such as docs/model-card.md"
    )
    parser.add_argument(
        "--notes",
        default="",
        metavar="FILE",
        help="what the card says besides numbers (default: model-notes.json beside the card)",
    )
    parser.add_argument(
        "--run", default="", metavar="FOLDER", help="the training run, for the card's curve over training"
    )
    parser.add_argument(
        "--heldout",
        default="data/heldout",
        metavar="FOLDER",
        help="held-out heads, rendered when they are missing (default: %(default)s)",
    )
    parser.add_argument("--pairs", type=int, default=256, help="pairs to redraw (default: %(default)s)")
    parser.add_argument(
        "--clips", default="", metavar="FOLDER", help="measure on these clips of faces instead"
    )
    parser.add_argument(
        "--metric",
        action="append",
        default=[],
        metavar="MODULE:FUNCTION",
        help="one more metric for --clips, of your own: function(drawn, truth, sound) -> number",
    )
    parser.add_argument(
        "--real",
        default="",
        metavar="FOLDER",
        help="measure on people instead: pictures in portraits/, talking clips in clips/ of this folder",
    )
    parser.add_argument("--page", default="", metavar="FILE", help="write the tables of --real as Markdown")
    parser.add_argument(
        "--against", default="", metavar="FILE", help="the --json of an earlier --real, for a column *before*"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bars")


def run(options: argparse.Namespace) -> int:
    """Measure, print, write."""
    from core.checkpoints import checkpoint

    path = Path(whole(options.checkpoint)) if options.checkpoint else checkpoint.default_checkpoint()
    if options.clips:
        return _clips(path, options)
    if options.real:
        return _real(path, options)
    from training.evaluation import card, tables
    from training.evaluation.report import Amounts, evaluate

    with Bars(options.quiet) as bars:
        found = evaluate(path, Path(whole(options.heldout)), Amounts(pairs=options.pairs), bars.progress)
    print(tables.plain(found))
    print(f"{found.meta.id}: measured in {found.seconds:.0f} s")
    if options.json:
        _write(options.json, found.numbers())
    if options.card:
        out = Path(whole(options.card))
        notes = Path(whole(options.notes)) if options.notes else out.with_name("model-notes.json")
        card.write(found, path, out, notes, Path(whole(options.run)) if options.run else None)
        print(f"{out} is written")
    return 0


def _clips(path: Path, options: argparse.Namespace) -> int:
    from training.evaluation import public

    with Bars(options.quiet) as bars:
        rows = public.measure(path, Path(whole(options.clips)), options.metric, bars.progress)
    print(public.table(rows))
    if options.json:
        _write(options.json, public.numbers(rows))
    return 0


def _real(path: Path, options: argparse.Namespace) -> int:
    from training.evaluation.real import run as real

    before = real.read_numbers(Path(whole(options.against))) if options.against else {}
    with Bars(options.quiet) as bars:
        found = real.measure(path, Path(whole(options.real)), bars.progress)
    print(found.tables(before))
    if options.json:
        _write(options.json, found.numbers())
    if options.page:
        with written_whole(whole(options.page)) as temporary:
            temporary.write_text(found.page(before), encoding="utf-8")
        print(f"{options.page} is written")
    return 0


def _write(file: str, numbers: object) -> None:
    with written_whole(whole(file)) as temporary:
        temporary.write_text(json.dumps(numbers, indent=1), encoding="utf-8")
