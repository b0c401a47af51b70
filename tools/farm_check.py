#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The farm road on a real queue: Debian's Slurm, controller and node on this machine.

    apt-get install slurm-wlm munge     # Debian, as root
    make farm-check

A take is keyed and saved; docs/farm.md's job array renders it in eight parts, one of which is killed in the
middle and queued again, and one is submitted twice; then it is gathered. Every frame is compared, byte for
byte, with what one machine makes of the same file. Needs root, for the controller and the node daemon run
as they do on a farm; they use ports and folders of their own and end with this program.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PARTS, TWICE, KILLED = 8, 5, 3
NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")
PATIENCE = 600.0

CONF = """
ClusterName=edtalk
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={control}
SlurmdPort={node}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
SlurmUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
KillWait=5
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""

BLENDER = """
import os, sys, importlib
import bpy
archive, python, *words = sys.argv[1:]
blend, arguments = (None, words) if words[0] != "-b" else (words[1], words[2:])
assert arguments[:2] == ["--command", "edtalk"], arguments
bpy.ops.extensions.package_install_files(filepath=archive, repo="user_default", enable_on_install=True)
bpy.context.preferences.addons["bl_ext.user_default.edtalk"].preferences.python = python
if blend:
    bpy.ops.wm.open_mainfile(filepath=blend)
command = importlib.import_module("bl_ext.user_default.edtalk.edtalk_blender.batch.command")
status = command.main(arguments[2:])
bpy.ops.preferences.addon_disable(module="bl_ext.user_default.edtalk")
sys.stdout.flush(); sys.stderr.flush()
os._exit(status)
"""
"""Stands for the `blender` of the documentation where Blender is a Python module."""


def said(text: str) -> None:
    """A line of the log, with the time."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def daemon(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs until the block ends."""
    with log.open("ab") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def queue(folder: Path) -> Iterator[None]:
    """Slurm on this machine: munge, a controller and one node, each with files of its own under `folder`."""
    host = socket.gethostname().partition(".")[0]
    for name in ("state", "spool"):
        (folder / name).mkdir()
    conf = folder / "slurm.conf"
    places = {"host": host, "folder": folder, "cores": os.cpu_count() or 1}
    conf.write_text(CONF.format(control=free_port(), node=free_port(), **places))
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    os.environ["SLURM_CONF"] = str(conf)
    munge = ["munged", "-F", "-f", f"--key-file={key}", f"--socket={folder / 'munge.socket'}"]
    munge += [f"--{name}-file={folder / ('munge.' + name)}" for name in ("log", "pid", "seed")]
    with ExitStack() as stack:
        stack.enter_context(daemon(munge, folder / "munge.out"))
        wait(lambda: (folder / "munge.socket").exists(), "munge's socket", 20)
        stack.enter_context(daemon(["slurmctld", "-D", "-f", str(conf)], folder / "slurmctld.out"))
        stack.enter_context(daemon(["slurmd", "-D", "-f", str(conf), "-N", host], folder / "slurmd.out"))
        try:
            wait(lambda: "idle" in output("sinfo", "-h", "-o", "%T"), "an idle node", 60)
        except TimeoutError:
            for name in ("slurmctld", "slurmd"):
                said(f"{name}: {(folder / f'{name}.log').read_text(errors='replace')[-1500:]}")
            raise
        yield


def output(*command: str) -> str:
    """What a command writes."""
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def wait(condition: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    """Raises TimeoutError when this does not come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.1)


def blender(folder: Path, python: str) -> Path:
    """A command that takes what `blender` takes, as far as the documentation uses it. Each run of it has
    preferences of its own, as a machine would."""
    build = [sys.executable, str(ROOT / "tools" / "build_extension.py"), "--out", str(folder / "dist")]
    subprocess.run(build, check=True, capture_output=True)
    (archive,) = (folder / "dist").glob("*.zip")
    (folder / "as_blender.py").write_text(BLENDER)
    words = [sys.executable, str(folder / "as_blender.py"), str(archive), python]
    command = folder / "blender"
    command.write_text(
        "#!/bin/sh\n"
        f"export BLENDER_USER_RESOURCES=$(mktemp -d {shlex.quote(str(folder))}/user.XXXXXX)\n"
        f'exec {shlex.join(words)} "$@"\n'
    )
    command.chmod(0o755)
    return command


def submit(folder: Path, blend: Path, array: str) -> str:
    """docs/farm.md's line. Gives back the job's number."""
    line = f"blender -b {shlex.quote(str(blend))} --command edtalk render --part $SLURM_ARRAY_TASK_ID/{PARTS}"
    command = ["sbatch", "--parsable", f"--array={array}", "-n1", f"--output={folder}/part-%A-%a.log"]
    done = subprocess.run([*command, "--wrap", line], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def states(job: str) -> dict[str, str]:
    """Number in the array -> state, of what the queue still knows."""
    lines = output("squeue", "-h", "-r", "-t", "all", "-j", job, "-o", "%K %T").splitlines()
    return dict(line.split(" ", 1) for line in lines if " " in line)


def ended(job: str) -> bool:
    """Is nothing of it waiting or running?"""
    return all(state not in ("PENDING", "RUNNING", "COMPLETING") for state in states(job).values())


def pictures(folder: Path) -> dict[str, bytes]:
    """The frames of a take, by name."""
    return {path.name: path.read_bytes() for path in folder.glob("take.*.png")}


def main() -> int:
    """The command line. Exit status 0 when every frame is the same."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=240, help="of the take (default: %(default)s)")
    parser.add_argument("--keep", metavar="FOLDER", type=Path, help="copy logs there")
    options = parser.parse_args()
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing or not hasattr(os, "geteuid") or os.geteuid() != 0:
        why = f"{', '.join(missing)} not found" if missing else "this needs root"
        print(f"{why}. On Debian, as root: apt-get install slurm-wlm munge", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="edtalk-farm-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        try:
            return check(folder, options.frames)
        finally:
            if options.keep:
                options.keep.mkdir(parents=True, exist_ok=True)
                for log in [*folder.glob("*.log"), *folder.glob("*.out")]:
                    shutil.copy(log, options.keep)


def check(folder: Path, frames: int) -> int:
    """Everything, in an empty folder."""
    sys.path.insert(0, str(ROOT))
    from tests.conftest import TINY
    from tests.support.makers import sound

    python = os.environ.get("EDTALK_PYTHON") or sys.executable
    assert importlib.util.find_spec("bpy") is not None, "this needs Blender as a Python module"
    os.environ |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"
    command = str(blender(folder, python))
    model, voice, blend = folder / "model.safetensors", folder / "line.wav", folder / "anna.blend"
    subprocess.run([python, "-c", TINY, str(model)], check=True)
    sound(voice, frames / 24)
    shutil.copy(ROOT / "demo" / "portrait.png", folder / "anna.png")
    words = [
        "generate",
        "--portrait",
        str(folder / "anna.png"),
        "--audio",
        str(voice),
        "--checkpoint",
        str(model),
    ]
    words += ["--size", "256", "--start", "101", "--fps", "24", "--no-render", "--save", str(blend)]
    subprocess.run([command, "--command", "edtalk", *words], check=True, capture_output=True)
    take = folder / "edtalk" / "anna_001"
    said(f"a take of {frames} frames is keyed and saved, none is rendered: {len(pictures(take))}")
    with queue(folder):
        version = output("sinfo", "--version")
        said(f"{version}: {output('sinfo', '-h', '-o', '%n, %c processors, %T')}")
        job = submit(folder, blend, f"1-{PARTS}")
        again = submit(folder, blend, str(TWICE))
        said(f"job {job}: parts 1-{PARTS} of {PARTS}; job {again}: part {TWICE} once more")
        per_part = frames // PARTS
        beyond = 101 + (KILLED - 1) * per_part + 3
        wait(lambda: (take / f"take.{beyond:04d}.png").exists() or ended(job), f"frames of part {KILLED}")
        state = states(job).get(str(KILLED))
        subprocess.run(["scancel", "--signal=KILL", "--full", f"{job}_{KILLED}"], check=True)
        mine = range(101 + (KILLED - 1) * per_part, 101 + KILLED * per_part)
        wait(lambda: states(job).get(str(KILLED), "") not in ("RUNNING", "COMPLETING"), "the killed part")
        there = sum((take / f"take.{number:04d}.png").exists() for number in mine)
        said(f"part {KILLED} ({state}) was killed with {there} of its {len(mine)} frames made")
        wait(lambda: ended(job) and ended(again), "the array")
        said(f"ended: {' '.join(f'{k}:{v}' for k, v in sorted(states(job).items()))}")
        held = len(pictures(take))
        mend = submit(folder, blend, str(KILLED))
        wait(lambda: ended(mend), "the part that is made good")
        said(f"job {mend}: part {KILLED} again; {held} pictures before, {len(pictures(take))} after")
    gather = [command, "-b", str(blend), "--command", "edtalk", "render", "--gather"]
    done = subprocess.run(gather, capture_output=True, text=True)
    said(f"gathered, exit status {done.returncode}: {done.stdout.strip().splitlines()[-1:]}")
    together = pictures(take)
    shutil.move(take, folder / "farm")
    take.mkdir()
    for name in ("motion.npz", "edtalk-blend.json"):
        if (folder / "farm" / name).exists():
            shutil.copy(folder / "farm" / name, take)
    alone = subprocess.run([*gather[:-1]], capture_output=True, text=True)
    single = pictures(take)
    said(f"one machine, exit status {alone.returncode}: {len(single)} pictures")
    differ = sorted(key for key in {*together, *single} if together.get(key) != single.get(key))
    whole = len(together) >= frames and not differ and done.returncode == alone.returncode == 0
    said(f"{len(together)} pictures compared byte for byte, {len(differ)} differ {differ[:5]}")
    said("the farm made what one machine makes" if whole and 0 < there < len(mine) else "NOT AS PROMISED")
    return 0 if whole and 0 < there < len(mine) else 1


if __name__ == "__main__":
    sys.exit(main())
