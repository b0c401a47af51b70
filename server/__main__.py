# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m server`: JSON-RPC 2.0 over stdin and stdout, for Blender or any other client.

    python -m server [--log FILE] [--device cpu] [--rest 5] [--checkpoints FOLDER]

Standard output belongs to the protocol alone: its file descriptor is taken away at start, and whatever prints
afterwards, Python, a C library or a child process, prints to standard error. Standard input is taken in the
same way, so that nothing can eat a message.
"""

from __future__ import annotations

import argparse
import faulthandler
import logging
import math
import os
import sys
from collections.abc import Sequence
from typing import BinaryIO, NoReturn

from .commands.terminal import DEVICES
from .session import PATIENCE, Runtime, Session


def claim_stdio() -> tuple[BinaryIO, BinaryIO]:
    """Private copies of stdin and stdout; descriptor 0 then reads nothing, descriptor 1 writes to stderr."""
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    sys.stdout.flush()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return source, sink


def serve(runtime: Runtime, log_file: str = "", patience: float = PATIENCE) -> int:
    """Claim the standard streams and serve them until the client leaves. Returns the exit code."""
    source, sink = claim_stdio()
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    faulthandler.enable()
    try:
        return Session(source, sink, runtime, log_file, patience).run()
    except KeyboardInterrupt:
        return 130


def leave(code: int) -> NoReturn:
    """End the process here and now: no thread and no library may hold it up."""
    sys.stderr.flush()
    os._exit(code)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `python -m server`, which is also `edtalk serve`."""
    parser.add_argument(
        "--log", default="", metavar="FILE", help="messages and tracebacks go here instead of to stderr"
    )
    parser.add_argument("--device", choices=DEVICES, default="auto", help="default: the fastest that is here")
    parser.add_argument(
        "--rest",
        type=float,
        default=PATIENCE / 60,
        metavar="MINUTES",
        help="without work after which models leave the memory; 0 keeps them (default: %(default)g)",
    )
    parser.add_argument(
        "--checkpoints", default="", metavar="FOLDER", help="look here for checkpoints, too, and first"
    )


def run(options: argparse.Namespace) -> NoReturn:
    """Serve, then leave."""
    if options.log:
        descriptor = os.open(options.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(descriptor, 2)
        os.close(descriptor)
    from .runtime import Runtime as RealRuntime

    patience = options.rest * 60 if options.rest > 0 else math.inf
    leave(serve(RealRuntime(options.device, options.checkpoints), options.log, patience))


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """The entry point of `python -m server`."""
    parser = argparse.ArgumentParser(
        prog="python -m server", description="EDTalk's server, for Blender to speak to"
    )
    add_arguments(parser)
    run(parser.parse_args(argv))


if __name__ == "__main__":
    main()
