# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: `edtalk animate --source face.png --audio voice.wav --out take01`, and its sisters.

Exit codes: 0 done; 1 something that can be said in one sentence (bad input, a blocked folder); 2 wrong
arguments; 130 interrupted. A command is a module with `add_arguments(parser)` and `run(options)`; it is
imported when it is called. What the makers of the model run (`heads`, `train`) are recipes of core with a
`main` of their own.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from core.wire.errors import BadFields, EDTalkError

from . import __version__

COMMANDS: dict[str, tuple[str, str]] = {
    "animate": (
        "server.commands.animate",
        "a portrait and a voice in; frames, motion, preview and contact sheet out",
    ),
    "decode": ("server.commands.redraw", "draw a motion.npz or weights.csv"),
    "preview": ("server.commands.preview", "a film of frames that are on disk, with the sound"),
    "origin": ("server.commands.origin", "what pictures and films say of where they come from"),
    "convert": ("server.commands.convert", "turn a published checkpoint into a safetensors file"),
    "doctor": ("server.commands.doctor", "what is here, what is missing, and how to get it"),
    "calibrate": (
        "training.commands.calibrate",
        "measure what a checkpoint's weights do, and write its handles",
    ),
    "evaluate": ("training.commands.evaluate", "how good a checkpoint is, on heads and voices it never met"),
    "bench": ("training.commands.bench", "how fast this machine analyses and decodes"),
    "serve": ("server.__main__", "the server that Blender speaks to, over stdin and stdout"),
}
"""Name -> module with `add_arguments` and `run`, and what it does."""

RECIPES: dict[str, dict[str, str]] = {
    "heads": {
        "render": "training.heads.dataset",
        "sheet": "training.commands.heads_sheet",
        "demo": "training.commands.heads_demo",
        "talk": "training.commands.heads_talk",
    },
    "train": {
        "reading": "training.recipes.reading",
        "encoder-generator": "training.recipes.encoder_generator",
        "mouth-pose": "training.recipes.mouth_pose",
        "expression": "training.recipes.expression",
        "audio-to-mouth": "training.recipes.audio_to_mouth",
        "sync-expert": "training.recipes.sync_expert",
        "audio-to-pose": "training.recipes.audio_to_pose",
        "speech-to-expression": "training.recipes.speech_to_expression",
        "person": "training.recipes.person",
        "clips": "training.recipes.clips",
        "features": "training.recipes.features",
        "ship": "training.recipes.ship",
        "everything": "training.recipes.everything",
        "landmarks": "training.recipes.landmarks",
    },
}
"""Group -> recipe -> module with a `main`, which takes the arguments, or a `Settings` that is filled from
them.
"""

WORKSHOP = "training"
"""The package that the extension's zip leaves out."""

GROUPS = {"heads": "synthetic heads, to train on and to look at", "train": "the recipes the model is made by"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code; never raises for what a person can cause."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return _dispatch(arguments)
    except BadFields as error:
        return _say(error, 2)
    except EDTalkError as error:
        return _say(error, 1)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith(WORKSHOP):
            what = "this command makes or measures models, which the installed extension does not carry"
            return _say(EDTalkError(what, hint="Run it in a checkout of EDTalk"), 1)
        if (error.name or "core").partition(".")[0] in ("core", "server"):
            raise  # ours is missing: a mistake of ours
        what = f"the package {error.name} is not installed"
        return _say(EDTalkError(what, hint="`edtalk doctor` says what is missing and how to get it"), 1)
    except KeyboardInterrupt:
        print("edtalk: interrupted", file=sys.stderr)
        return 130
    except SystemExit as leaving:  # argparse says what is wrong, or shows help, and raises this
        return leaving.code if isinstance(leaving.code, int) else 0


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_overview())
        return 0 if arguments else 2
    name, rest = arguments[0], arguments[1:]
    if name in ("--version", "version"):
        print(f"EDTalk {__version__}")
        return 0
    if name in RECIPES:
        return _run_recipe(name, rest)
    if name not in COMMANDS:
        print(f"edtalk: there is no command {name!r}; `edtalk --help` lists them", file=sys.stderr)
        return 2
    module = importlib.import_module(COMMANDS[name][0])
    parser = argparse.ArgumentParser(
        prog=f"edtalk {name}",
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    return int(module.run(parser.parse_args(rest)))


def _run_recipe(group: str, arguments: list[str]) -> int:
    recipes = RECIPES[group]
    if not arguments or arguments[0] not in recipes:
        asked = arguments[:1] in (["-h"], ["--help"])
        usage = f"usage: edtalk {group} {{{','.join(recipes)}}} ..."
        print(usage, file=sys.stdout if asked else sys.stderr)
        return 0 if asked else 2
    module = importlib.import_module(recipes[arguments[0]])
    sys.argv[0] = f"edtalk {group} {arguments[0]}"  # what the recipe's own help calls itself
    if hasattr(module, "Settings"):
        loop = importlib.import_module("training.shared.loop")
        module.main(loop.from_command_line(module.Settings, arguments[1:]))
    else:
        module.main(arguments[1:])
    return 0


def _overview() -> str:
    lines = [f"EDTalk {__version__}: {COMMANDS['animate'][1]}", "", "usage: edtalk COMMAND ...", ""]
    lines += [f"  {name:<11}{text}" for name, (_, text) in COMMANDS.items()]
    lines += [f"  {group:<11}{text}: {', '.join(RECIPES[group])}" for group, text in GROUPS.items()]
    return "\n".join([*lines, "", "`edtalk COMMAND --help` says more."])


def _say(error: EDTalkError, code: int) -> int:
    print(f"edtalk: {error.message}", file=sys.stderr)
    if error.hint:
        print(f"        {error.hint}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
