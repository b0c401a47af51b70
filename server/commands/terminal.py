# SPDX-License-Identifier: GPL-3.0-or-later
"""What the commands have in common: progress bars, and arguments that become messages."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Any

from core.wire import rules
from core.wire.messages import COMPOSITES, PASSES, Decode

from .. import origins

DEVICES = ("auto", "cuda", "mps", "cpu")


class Bars:
    """A report to a person: one progress bar a stage, on stderr, none where stderr is no terminal.

    Usage:
        with Bars() as report:
            runtime.answer(message, report)
    """

    def __init__(self, quiet: bool = False) -> None:
        self._disable: bool | None = True if quiet else None  # None: decided by what stderr is
        self._bar: Any = None
        self.files: dict[int, Path] = {}
        """Frame number -> file, of every frame that was written."""

    def __enter__(self) -> Bars:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.close()

    def progress(self, stage: str, done: int, total: int) -> None:
        """Move the bar of this stage; a new stage begins a new bar."""
        if self._bar is None or self._bar.desc != f"{stage}: ":
            from tqdm import tqdm

            if self._bar is not None:
                self._bar.close()
            self._bar = tqdm(total=total or None, desc=stage, disable=self._disable, dynamic_ncols=True)
            self._bar.desc = f"{stage}: "  # a disabled bar keeps none
        self._bar.update(done - self._bar.n)

    def frame(self, number: int, path: Path) -> None:
        """Remember where it is."""
        self.files[number] = path

    def breathe(self) -> None:
        """Ctrl-C arrives by itself."""


def whole(path: str) -> str:
    """A path as the messages want it: whole, with ~ filled in; "" stays ""."""
    return os.path.abspath(os.path.expanduser(path)) if path else ""


def checked(kind: Callable[[str], Any], rule: rules.Rule) -> Callable[[str], Any]:
    """An argument's type that allows what `rule` allows, so that a wrong value is refused before any work."""

    def parse(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
        try:
            return rule(value)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse


def passes(text: str) -> tuple[str, ...]:
    """Names of passes, separated by commas; "all" is all of them."""
    names = tuple(dict.fromkeys(PASSES if text == "all" else text.split(",")))
    unknown = [name for name in names if name not in PASSES]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no pass {unknown[0]!r}; there are {', '.join(PASSES)}")
    return names


def add_source(parser: argparse.ArgumentParser, default: str = "") -> None:
    """The portrait, and what of it the model sees; it must be given when there is no default."""
    parser.add_argument(
        "--source", required=not default, default=default, metavar="PICTURE", help="the portrait to animate"
    )
    parser.add_argument(
        "--checkpoint", default="", metavar="FILE", help="default: the one shipped with EDTalk"
    )
    parser.add_argument(
        "--crop",
        nargs=3,
        type=float,
        metavar=("X", "Y", "SIDE"),
        help="the square the model sees, in pixels; default: found by itself",
    )
    parser.add_argument("--face", type=int, metavar="N", help="which of several faces, from the left, from 0")
    parser.add_argument("--device", choices=DEVICES, default="auto", help="default: the fastest that is here")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")


def add_output(parser: argparse.ArgumentParser, formats: tuple[str, ...]) -> None:
    """Where frames go and what they look like."""
    rule: dict[str, rules.Rule] = {field.name: field.metadata["rule"] for field in fields(Decode)}
    parser.add_argument("--out", required=True, metavar="FOLDER", help="made when it is not there")
    parser.add_argument(
        "--name",
        type=checked(str, rule["name"]),
        default="take.",
        help="file names begin with this (default: %(default)s)",
    )
    parser.add_argument(
        "--size",
        type=checked(int, rule["size"]),
        default=512,
        help="side of the crop in pixels (default: %(default)s)",
    )
    parser.add_argument(
        "--fps",
        type=checked(float, rules.number(1, 1000)),
        help="frames a second (default: the motion's own, 25 for a voice)",
    )
    parser.add_argument(
        "--start",
        type=checked(int, rule["hold"]),
        help="number of the first frame (default: 1, or as in the motion)",
    )
    parser.add_argument(
        "--paste",
        dest="composite",
        action="store_const",
        const=COMPOSITES[1],
        default=COMPOSITES[0],
        help="the whole portrait, with the crop pasted back into it",
    )
    parser.add_argument(
        "--detail",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="carry the portrait's own sharpness over (default: yes)",
    )
    parser.add_argument(
        "--passes",
        type=passes,
        default=(),
        metavar="NAMES",
        help=f"also write these, for compositing: {', '.join(PASSES)} (with commas), or all",
    )
    origins.add_arguments(parser)
    parser.add_argument("--format", choices=formats, default=formats[0], help="default: %(default)s")
    parser.add_argument("--overwrite", action="store_true", help="files of another take may go")
