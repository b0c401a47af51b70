# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn a published EDTalk checkpoint into one safetensors file that describes itself and cannot carry code.

    edtalk convert EDTalk.pt edtalk-published.safetensors --audio Audio2Lip.pt

The published files are pickles. They are read by PyTorch's restricted reader, which refuses to run anything
in them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from core.wire.errors import OutputExists

from ..take import spare
from .terminal import whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `edtalk convert`."""
    parser.add_argument("published", metavar="PUBLISHED", help="a published generator, such as EDTalk.pt")
    parser.add_argument("out", metavar="OUT", help="the safetensors file to write")
    parser.add_argument(
        "--audio", default="", metavar="FILE", help="the published audio network, Audio2Lip.pt"
    )
    parser.add_argument("--overwrite", action="store_true", help="an existing file may go")


def run(options: argparse.Namespace) -> int:
    """Convert and say what came of it."""
    from core.checkpoints import checkpoint

    out = Path(whole(options.out))
    if out.exists() and not options.overwrite:
        raise OutputExists(f"{out} is already there", hint="Choose another name, or add --overwrite")
    spare([out], [whole(options.published), whole(options.audio)])
    meta = checkpoint.convert(whole(options.published), out, whole(options.audio) or None)
    print(f"{out}: {meta.id} ({out.stat().st_size / 1e6:.1f} MB)")
    return 0
