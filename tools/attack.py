#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attacks the server and everything that reads a file, for some minutes, and writes the figures into
docs/trust.md.

    make attack
    .venv/bin/python tools/attack.py --seed 7 --frames 200000

An attack is lost when something else comes out than a result or one sentence of ours (`EDTalkError`), when it
takes too long or too much memory, when it starts a process or opens a connection, when a request has no
answer or two, or when a file is left torn. Each is generated from the seed, so a loss can be had again. Exit
status 1 when any was lost.
"""

from __future__ import annotations

import argparse
import builtins
import copy
import errno
import importlib
import importlib.util
import json
import os
import random
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from core.checkpoints import checkpoint  # noqa: E402
from core.motion import motion  # noqa: E402
from core.pictures import image, video  # noqa: E402
from core.pictures.picture import Picture  # noqa: E402
from core.sound import audio, transcript  # noqa: E402
from core.wire import envelope, framing, messages  # noqa: E402
from core.wire.channels import DEFAULT_CHANNELS  # noqa: E402
from core.wire.errors import BadFrame, EDTalkError  # noqa: E402
from server import take  # noqa: E402
from tests.support import small, toy  # noqa: E402

_spec = importlib.util.spec_from_file_location(
    "edtalk_checkout", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
)
assert _spec is not None and _spec.loader is not None
sys.modules["edtalk_checkout"] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(sys.modules["edtalk_checkout"])
manifest = importlib.import_module("edtalk_checkout.edtalk_blender.batch.manifest")
is_whole = importlib.import_module("edtalk_checkout.edtalk_blender.settings.whole").is_whole
OURS = (EDTalkError, importlib.import_module("edtalk_checkout.core.wire.errors").EDTalkError)
"""Our errors, as the server and as the extension know them."""

PAGE = ROOT / "docs" / "trust.md"
BEGIN, END = "<!-- attack: begin -->", "<!-- attack: end -->"
MOST_MEMORY = 3000
"""MB that all readings together may need."""
SLOW = 30.0
"""Seconds of processor time that no single reading may take."""


STARTED: list[str] = []
"""What the system was asked for that no reading needs: processes and connections."""
OUTSIDE = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.connect"}


def watched(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook."""
    if event in OUTSIDE:
        STARTED.append(event)


@dataclass
class Front:
    """One kind of attack: how many were tried, and what was lost."""

    name: str
    tried: int = 0
    lost: list[str] = field(default_factory=list)
    peak: int = 0  # MB, of this process until then

    def attempt(self, work: Callable[[], object], said: str) -> None:
        self.tried += 1
        began = time.process_time()
        STARTED.clear()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                work()
        except OURS as error:
            if len(error.message) > 5000 or (self.name != "manifests" and "\n" in error.message):
                self.lost.append(f"{said}: the sentence is none")
        except Exception as error:
            self.lost.append(f"{said}: {type(error).__name__}: {str(error)[:200]}")
        if STARTED:
            self.lost.append(f"{said}: it did {STARTED[0]}")
        if time.process_time() - began > SLOW:
            self.lost.append(f"{said}: it took {time.process_time() - began:.0f} s")

    def check(self, holds: bool, said: str) -> None:
        self.tried += 1
        if not holds:
            self.lost.append(said)


def damaged(data: bytes, rng: random.Random) -> bytes:
    """A copy with some bytes changed, cut off, doubled or exchanged, mostly near the beginning."""
    broken = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        reach = len(broken) if rng.random() < 0.3 else min(len(broken), 400)
        if not reach:
            break
        at = rng.randrange(reach)
        way = rng.randrange(5)
        if way == 0:
            broken[at] = rng.randrange(256)
        elif way == 1:
            broken[at : at + 4] = rng.choice((b"\0" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff", b"\0\0\0\x80"))
        elif way == 2 and rng.random() < 0.3:
            del broken[at:]
        elif way == 3:
            broken[at:at] = broken[at : at + rng.randrange(1, 40)]
        else:
            broken[at] ^= 1 << rng.randrange(8)
    return bytes(broken)


ODD: list[Any] = [
    None,
    True,
    -1,
    0,
    2**70,
    1e308,
    10**7,
    "",
    "x" * 5000,
    "/dev/zero",
    "../../x",
    [],
    {},
    [[[]]] * 9,
    "\ud800",
    {"a": {"b": []}},
    [10**6] * 300,
]
"""Values that nobody asked for."""


def odd(rng: random.Random) -> Any:
    """One of them, to be changed at will."""
    return copy.deepcopy(rng.choice(ODD))


def rewritten(data: bytes, rng: random.Random) -> bytes:
    """JSON, right as JSON, with values in places that are not for them."""
    whole: Any = json.loads(data)
    for _ in range(rng.choice((1, 1, 2, 5))):
        place: Any = whole
        for _ in range(rng.randrange(6)):
            keys = list(place) if isinstance(place, dict) else range(len(place))
            inner = [place[key] for key in keys if isinstance(place[key], (dict, list)) and place[key]]
            if not inner:
                break
            place = rng.choice(inner)
        if isinstance(place, dict):
            place[rng.choice([*place, "more"])] = odd(rng)
        elif place:
            place[rng.randrange(len(place))] = odd(rng)
    text = json.dumps(whole)
    if rng.random() < 0.02:
        text = "[" * 100_000
    return text.encode()


def hostile(kind: str, data: bytes, rng: random.Random) -> bytes:
    """A file of this kind that is damaged, or right in form and wrong in what it says."""
    if kind in ("notes of takes", "manifests") and rng.random() < 0.7:
        return rewritten(data, rng)
    if kind == "checkpoints" and rng.random() < 0.7:
        length = int.from_bytes(data[:8], "little")
        head = json.loads(data[8 : 8 + length])
        about = head["__metadata__"]
        key = rng.choice([key for key in about if about[key].startswith("{")] or list(about))
        if rng.random() < 0.7 and about[key].startswith("{"):
            about[key] = rewritten(about[key].encode(), rng).decode()
        else:
            text = rewritten(json.dumps(head).encode(), rng)
            return len(text).to_bytes(8, "little") + text + data[8 + length :]
        text = json.dumps(head).encode()
        return len(text).to_bytes(8, "little") + text + data[8 + length :]
    return damaged(data, rng)


# --- the wire -------------------------------------------------------------------------------------


def requests(rng: random.Random) -> Iterator[bytes]:
    """Bodies of requests, a few of them right."""
    fields = {"portrait": "/p.png", "motion": "/m.npz", "out": "/o", "size": 32, "name": "take."}
    methods = [*messages.METHODS, "", "exec", "x" * 300]
    while True:
        params: Any = dict(fields)
        for _ in range(rng.randrange(4)):
            params[rng.choice([*fields, "crop", "face", "weights", "\0", "take"])] = odd(rng)
        message: Any = {
            "jsonrpc": "2.0",
            "id": rng.randrange(99),
            "method": rng.choice(methods),
            "params": params,
        }
        if rng.random() < 0.3:
            message[rng.choice(["jsonrpc", "id", "method", "params", "more"])] = odd(rng)
        body = json.dumps(message).encode()
        yield damaged(body, rng) if rng.random() < 0.4 else body


def wire(front: Front, rng: random.Random, count: int) -> None:
    """Frames, whole and broken, through decoder, envelope and rules."""
    decoder, bodies = framing.Decoder(), requests(rng)
    for _ in range(count):
        body = next(bodies)
        frame = b"Content-Length: %d\r\n\r\n" % len(body) + body
        if rng.random() < 0.1:
            frame = damaged(frame, rng)
        front.tried += 1
        try:
            decoder.feed(frame)
            while (message := decoder.next()) is not None:
                envelope.open_request(message).message()
        except BadFrame:
            decoder = framing.Decoder()
        except EDTalkError:
            pass
        except Exception as error:
            front.lost.append(f"{body[:80]!r}: {type(error).__name__}: {error}")
            decoder = framing.Decoder()
        if len(decoder._held) > 1 << 16:
            decoder = framing.Decoder()


def answers(front: Front, rng: random.Random, scratch: Path, count: int) -> None:
    """A real server process is asked nonsense; every number has exactly one answer."""
    with toy.Client(toy.TOY, scratch / "answers.log") as client:
        client.initialize()
        bodies, numbers = requests(rng), set[int]()
        for number in range(1000, 1000 + count):
            with suppress(ValueError):
                message = json.loads(next(bodies))
                if isinstance(message, dict) and message.get("method") not in (
                    "shutdown",
                    "cancel",
                    "decode",
                ):
                    client.raw(framing.encode({**message, "id": number}))
                    numbers.add(number)
        client.ask("shutdown")
        client.leaves()
        client.answers(-1)
    for number in numbers:
        heard = sum("method" not in message and message.get("id") == number for message in client.heard)
        front.check(heard == 1, f"request {number} was answered {heard} times")


# --- files ----------------------------------------------------------------------------------------


def seeds(scratch: Path) -> dict[str, tuple[Callable[[Path], object], list[bytes]]]:
    """Name -> what reads such a file, and files that are right."""
    import io

    import soundfile
    from PIL import Image

    noise = np.random.default_rng(1).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    pictures, sounds, clips = [], [], []
    for form in ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF"):
        stream = io.BytesIO()
        Image.fromarray(noise).save(stream, form)
        pictures.append(stream.getvalue())
    for name in ("png16", "exr"):
        image.write(scratch / f"seed.{name}", Picture(noise).to_depth(16), name)  # type: ignore[arg-type]
        pictures.append((scratch / f"seed.{name}").read_bytes())
    import OpenImageIO as oiio

    for suffix, kind in (
        (".dpx", "uint16"),
        (".hdr", "float"),
        (".jxl", "uint8"),
        (".tga", "uint8"),
        (".tif", "uint16"),
    ):
        about = oiio.ImageSpec(64, 48, 3, kind)
        out = oiio.ImageOutput.create(f"seed{suffix}")
        out.open(str(scratch / f"seed{suffix}"), about)
        out.write_image(np.ascontiguousarray(noise / np.float32(255), np.float32))
        out.close()
        pictures.append((scratch / f"seed{suffix}").read_bytes())
    layered = struct.pack(">4sH6xHIIHH", b"8BPS", 1, 3, 48, 64, 16, 3) + bytes(12) + bytes(2)
    pictures.append(layered + noise.transpose(2, 0, 1).astype(">u2").tobytes())
    tone = (0.3 * np.sin(np.arange(8000) * 0.1)).astype(np.float32)
    for form, kind in (
        ("WAV", "PCM_16"),
        ("AIFF", "PCM_16"),
        ("FLAC", "PCM_16"),
        ("OGG", "VORBIS"),
        ("CAF", "PCM_16"),
    ):
        soundfile.write(scratch / "seed", tone, 16000, kind, format=form)
        sounds.append((scratch / "seed").read_bytes())
    video.write_preview(scratch / "seed.mp4", [noise] * 6, 25)
    clips.append((scratch / "seed.mp4").read_bytes())
    made = motion.Motion(np.zeros((4, 36), np.float32))
    made.save(scratch / "seed.npz")
    made.save_csv(scratch / "seed.csv")
    words = b"1\n00:00:01,000 --> 00:00:02,000\n<i>Hello</i> there.\n" * 3
    model = (scratch / "model.safetensors").read_bytes()
    note = json.dumps(
        {"schema": 1, "takes": {"take.####.png": {"identity": {}, "frames": [[1, 5]]}}}
    ).encode()
    shots = json.dumps(
        {
            "schema": 1,
            "defaults": {"fps": 23.976},
            "shots": [{"name": "a", "save": "a.blend", "frames": "1-100"}, {"name": "b", "save": "b.blend"}],
        }
    ).encode()
    return {
        "pictures": (image.load, pictures),
        "sounds": (audio.load_audio, sounds),
        "clips": (lambda path: list(video.read(path)), clips),
        "motion.npz": (motion.Motion.load, [(scratch / "seed.npz").read_bytes()]),
        "tables": (motion.Motion.load_csv, [(scratch / "seed.csv").read_bytes()]),
        "transcripts": (lambda path: transcript.words_of(transcript.read(str(path))), [words]),
        "checkpoints": (checkpoint.load, [model]),
        "notes of takes": (lambda path: _claimed(path), [note]),
        "manifests": (lambda path: manifest.load(path, "generate", {}), [shots]),
    }


def _claimed(path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / take.SIDECAR).write_bytes(path.read_bytes())
        take.claim(take.Naming(Path(folder), "take.", 4, ".png"), IDENTITY, [1, 2])


IDENTITY = take.Identity("a", "b", "c", (0.0, 0.0, 64.0), 64, "crop", True, "png")
SUFFIX = {"transcripts": ".srt", "clips": ".mp4", "checkpoints": ".safetensors"}


def files(rng: random.Random, scratch: Path, budget: float) -> Iterator[Front]:
    """Damaged files of every kind, and devices, pipes, folders and impossible names in their place."""
    kinds = seeds(scratch)
    for name, (read, right) in kinds.items():
        front, began = Front(name), time.monotonic()
        path = scratch / f"attack{SUFFIX.get(name, '.bin')}"
        while time.monotonic() - began < budget and front.tried < 3000:
            path.write_bytes(hostile(name, rng.choice(right), rng))
            front.attempt(partial(read, path), f"{name} {front.tried}")
        yield front
    front = Front("devices, pipes, folders, names")
    places = [scratch, Path("/dev/zero"), Path("/dev/full"), Path("/proc/self/mem"), scratch / ("x" * 300)]
    places += [scratch / "nul\0", scratch / os.fsdecode(b"\xff"), Path("/dev/stdin")]
    if hasattr(os, "mkfifo"):
        os.mkfifo(scratch / "pipe.txt")
        (scratch / "link.txt").symlink_to(scratch / "pipe.txt")
        places += [scratch / "pipe.txt", scratch / "link.txt"]
    for name, (read, _) in kinds.items():
        for place in places:
            if name not in ("notes of takes", "manifests"):
                front.attempt(partial(read, place), f"{name} from {str(place)!r}")
    yield front


# --- the system refuses ---------------------------------------------------------------------------


@contextmanager
def refusing(nth: int) -> Iterator[list[int]]:
    """The nth call of the system that makes, opens, renames or removes a file fails; gives back a count."""
    count = [0]
    names = ("open", "replace", "unlink", "mkdir", "scandir", "write")
    real: dict[str, Any] = {name: getattr(os, name) for name in names}
    plain = builtins.open

    def failing(call: Callable[..., Any]) -> Callable[..., Any]:
        def tried(*arguments: Any, **more: Any) -> Any:
            count[0] += 1
            if count[0] == nth:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return call(*arguments, **more)

        return tried

    for name in names:
        setattr(os, name, failing(real[name]))
    try:
        yield count
    finally:
        for name in names:
            setattr(os, name, real[name])
        builtins.open = plain


def refusals(front: Front, scratch: Path) -> None:
    """Every nth file operation of claiming and writing fails; the frame stays, or the new one is whole."""
    old, new = (Picture(np.full((32, 32, 3), level, np.uint8)) for level in (10, 200))
    made = motion.Motion(np.zeros((3, 36), np.float32))
    for form in ("png", "exr"):
        for nth in range(1, 60):
            folder = scratch / f"refused {form} {nth}"
            naming = take.Naming(folder, "take.", 4, f".{form}")
            take.claim(naming, IDENTITY, [1])
            image.write(naming.path(1), old, form)  # type: ignore[arg-type]
            before = naming.path(1).read_bytes()
            reached = 0
            try:
                with refusing(nth) as count:
                    take.claim(naming, IDENTITY, [1, 2])
                    image.write(naming.path(1), new, form)  # type: ignore[arg-type]
                    made.save(folder / "motion.npz")
            except EDTalkError:
                pass
            except Exception as error:
                front.lost.append(f"{form}, operation {nth}: {type(error).__name__}: {error}")
            reached = count[0]
            now = naming.path(1).read_bytes()
            front.check(
                now == before or is_whole(naming.path(1)), f"{form}, operation {nth}: the frame is torn"
            )
            take.claim(naming, IDENTITY, [1, 2, 3])
            if reached < nth:
                break


# --- kill -9 --------------------------------------------------------------------------------------

RENDER = """
import json, sys
from pathlib import Path
from tests.support import toy
work = json.loads(sys.argv[1])
with toy.Client(toy.REAL, Path(sys.argv[2])) as client:
    client.initialize()
    print(client.process.pid, flush=True)
    client.answer(client.send("decode", **work))
"""


def kills(front: Front, rng: random.Random, scratch: Path, rounds: int) -> None:
    """Either side is killed in the middle of a render; what is there is whole, and the rest can be made."""
    noise = np.random.default_rng(3).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    image.write(scratch / "portrait.png", Picture(noise))
    weights = np.random.default_rng(2).normal(0, 1, (400, 36)).astype(np.float32)
    motion.Motion(weights).save(scratch / "motion.npz")
    work = {"portrait": str(scratch / "portrait.png"), "motion": str(scratch / "motion.npz"), "size": 64}
    work |= {"checkpoint": str(scratch / "model.safetensors"), "crop": [0, 0, 96], "take": "x"}
    whole: dict[str, bytes] = {}
    for turn in range(rounds + 1):
        side = ("nobody", "server", "client")[min(turn, 1) + (turn % 2 if turn else 0)]
        out = scratch / f"kill {turn}"
        job = json.dumps({**work, "out": str(out)})
        command = [sys.executable, "-c", RENDER, job, str(scratch / "kill.log")]
        client = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL
        )
        assert client.stdout is not None
        server = int(client.stdout.readline())
        wanted = rng.randrange(5, 380)
        deadline = time.monotonic() + 120
        while side != "nobody" and client.poll() is None and time.monotonic() < deadline:
            if out.is_dir() and len(list(out.glob("take.*.png"))) >= wanted:
                break
            time.sleep(0.002)
        if side == "server":
            with suppress(ProcessLookupError):
                os.kill(server, signal.SIGKILL)
        if side in ("server", "client"):
            client.kill()
        client.wait(150)
        frames = sorted(out.glob("take.*.png"))
        if side == "nobody":
            whole = {path.name: path.read_bytes() for path in frames}
            front.check(len(whole) == 400, f"without a kill there are {len(whole)} frames")
            continue
        deadline = time.monotonic() + 30
        while Path(f"/proc/{server}").exists() and _lives(server) and time.monotonic() < deadline:
            time.sleep(0.1)
        front.check(not _lives(server), f"the server outlived its {side}")
        frames = sorted(out.glob("take.*.png"))
        torn = [path.name for path in frames if path.read_bytes() != whole[path.name]]
        front.check(not torn, f"{side} killed after {len(frames)}: {torn[:3]} are torn")
        subprocess.run(
            [*command[:3], job, str(scratch / "kill.log")], cwd=ROOT, capture_output=True, timeout=200
        )
        found = {path.name: path.read_bytes() for path in out.glob("take.*.png")}
        front.check(
            found == whole, f"after a resume {len(found)} of {len(whole)} frames are as they should be"
        )


def _lives(process: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


# --- all of it ------------------------------------------------------------------------------------


def table(fronts: list[Front], seed: int) -> str:
    """The figures, as the page has them."""
    rows = [f"| {front.name} | {front.tried} | {len(front.lost)} | {front.peak} |" for front in fronts]
    total, lost = sum(front.tried for front in fronts), sum(len(front.lost) for front in fronts)
    head = ["| attack | tried | lost | peak memory, MB |", "|---|---:|---:|---:|"]
    return "\n".join([*head, *rows, f"| together, seed {seed} | {total} | {lost} | |"])


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--frames", type=int, default=200_000, help="of the wire (default: %(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=15.0, help="for each kind of file (default: %(default)s)"
    )
    parser.add_argument(
        "--kills", type=int, default=6, help="of one side or the other (default: %(default)s)"
    )
    parser.add_argument("--no-page", action="store_true", help="leave docs/trust.md as it is")
    options = parser.parse_args()
    rng, fronts = random.Random(options.seed), list[Front]()
    sys.addaudithook(watched)

    def fought(front: Front) -> None:
        fronts.append(front)
        front.peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        if front.peak > MOST_MEMORY:
            front.lost.append(f"{front.peak} MB were needed")
        print(f"{front.name}: {front.tried} tried, {len(front.lost)} lost, {front.peak} MB", flush=True)
        for said in front.lost[:5]:
            print(f"    {said}", flush=True)

    with tempfile.TemporaryDirectory(prefix="edtalk-attack-") as folder:
        scratch = Path(folder)
        meta = checkpoint.Meta("attack", "CC0-1.0", DEFAULT_CHANNELS)
        checkpoint.save(scratch / "model.safetensors", small.model("clean", 64), meta)
        for name, work in (
            ("frames on the wire", lambda front: wire(front, rng, options.frames)),
            ("requests to a server", lambda front: answers(front, rng, scratch, 3000)),
            ("every nth file operation refused", lambda front: refusals(front, scratch)),
            ("kill -9 of either side", lambda front: kills(front, rng, scratch, options.kills)),
        ):
            front = Front(name)
            work(front)
            fought(front)
        for front in files(rng, scratch, options.seconds):
            fought(front)
    if not options.no_page:
        page = PAGE.read_text(encoding="utf-8")
        before, _, rest = page.partition(BEGIN)
        page = f"{before}{BEGIN}\n{table(fronts, options.seed)}\n{END}{rest.partition(END)[2]}"
        PAGE.write_text(page, encoding="utf-8")
    return int(any(front.lost for front in fronts))


if __name__ == "__main__":
    sys.exit(main())
