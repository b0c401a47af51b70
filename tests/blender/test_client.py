# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's client against a real server process, without Blender: it starts it, hears it, survives
its death, and leaves none behind.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0

TOY = f"""
import sys
del sys.modules["server"]  # this package stands where the real one would
sys.path.insert(0, {str(ROOT)!r})
from tests.support.toy import main
main()
"""


@pytest.fixture
def client(checkout):
    return checkout("edtalk_blender.server_process.client")


@pytest.fixture
def messages(checkout):
    return checkout("core.wire.messages")


@pytest.fixture
def errors(checkout):
    return checkout("core.wire.errors")


def rooted(folder: Path, program: str) -> Path:
    """A folder whose `python -m server` is this program."""
    (folder / "server").mkdir(parents=True)
    (folder / "server" / "__init__.py").touch()
    (folder / "server" / "__main__.py").write_text(program)
    return folder


@pytest.fixture
def server(client, tmp_path: Path):
    """A toy server that was started; it counts instead of decoding."""
    made = client.Server(
        Path(sys.executable), rooted(tmp_path / "root", TOY), tmp_path / "log" / "server.log"
    )
    made.start()
    yield made
    made.kill()


def decode(messages, tmp_path: Path, name: str = "steps", steps: int = 40):
    path = str(tmp_path / "x")
    return messages.Decode(portrait=path, motion=path, out=path, name=name, size=steps)


def wait(server, pending) -> None:
    end = time.monotonic() + PATIENCE
    while not pending.done:
        assert time.monotonic() < end
        server.listen(0.05)


def greet(server) -> None:
    end = time.monotonic() + PATIENCE
    while not server.greeted():
        assert time.monotonic() < end
        server.listen(0.05)


def test_the_server_says_hello(server) -> None:
    greet(server)
    assert server.ready and server.hello.pid == server.pid


def test_notices_come_to_the_request_they_speak_of(server, messages, tmp_path: Path) -> None:
    greet(server)
    pending = server.ask(decode(messages, tmp_path))
    wait(server, pending)
    frames = [notice.number for notice in pending.notices if isinstance(notice, messages.Frame)]
    assert frames == list(range(40)) and pending.result().written == 40


def test_who_does_not_listen_holds_up_no_work_and_misses_nothing(server, messages, tmp_path: Path) -> None:
    greet(server)
    long = str(tmp_path / ("x" * 5000))  # more in all than a pipe holds
    pending = server.ask(messages.Decode(portrait=long, motion=long, out=long, name="steps", size=40))
    end = time.monotonic() + PATIENCE
    while "counted to 40" not in server.log.read_text():
        assert time.monotonic() < end
        time.sleep(0.01)
    assert not pending.notices
    wait(server, pending)
    frames = [notice.number for notice in pending.notices if isinstance(notice, messages.Frame)]
    assert frames == list(range(40)) and pending.result().written == 40


def test_the_extension_uses_no_thread(server, messages, tmp_path: Path) -> None:
    before = threading.active_count()
    greet(server)
    wait(server, server.ask(decode(messages, tmp_path)))
    assert threading.active_count() == before
    rooms = [*(ROOT / "edtalk_blender").rglob("*.py")]
    assert len(rooms) > 50
    words = re.compile(
        r"^\s*(?:import|from) (?:threading|_thread|concurrent|multiprocessing|asyncio)\b", re.M
    )
    assert [path.name for path in rooms if words.search(path.read_text(encoding="utf-8"))] == []


def test_a_cancel_is_heard_and_ends_the_request(server, messages, errors, tmp_path: Path) -> None:
    greet(server)
    pending = server.ask(decode(messages, tmp_path, steps=4000))
    while not pending.notices:
        server.listen(0.05)
    cancel = server.ask(messages.Cancel(request=pending.number))
    wait(server, pending)
    wait(server, cancel)
    assert cancel.result().cancelled
    with pytest.raises(errors.Cancelled):
        pending.result()


def test_an_error_arrives_with_its_kind_and_hint(server, messages, errors, tmp_path: Path) -> None:
    greet(server)
    pending = server.ask(decode(messages, tmp_path, "no_face"))
    wait(server, pending)
    with pytest.raises(errors.NoFace) as caught:
        pending.result()
    assert caught.value.hint == "Use a front view"


def test_prints_of_the_server_disturb_nothing(server, messages, tmp_path: Path) -> None:
    greet(server)
    pending = server.ask(decode(messages, tmp_path, "chatter"))
    wait(server, pending)
    assert pending.result().written == 40
    assert "from a child" in server.log.read_text()


def test_a_killed_server_ends_every_open_request(server, messages, errors, tmp_path: Path) -> None:
    greet(server)
    first = server.ask(decode(messages, tmp_path, steps=4000))
    second = server.ask(decode(messages, tmp_path))
    server._process.kill()
    wait(server, first)
    for pending in (first, second, server.ask(messages.Describe())):
        assert pending.done
        with pytest.raises(errors.Died, match="went away"):
            pending.result()
    assert not server.alive


def test_stop_lets_the_server_leave_in_order(server, messages, tmp_path: Path) -> None:
    greet(server)
    server.ask(decode(messages, tmp_path, steps=4000))
    process = server._process
    server.stop(seconds=10)
    assert process.returncode == 0


def test_a_hanging_server_is_killed_in_the_end(server, messages, tmp_path: Path) -> None:
    greet(server)
    server.ask(decode(messages, tmp_path, "hang"))
    process = server._process
    server.stop(seconds=0.2)
    assert process.poll() is not None


def test_no_orphan_is_left_when_the_client_is_killed(tmp_path: Path) -> None:
    """The client runs in a Python of its own, which is killed without a chance to say goodbye."""
    root = rooted(tmp_path / "root", TOY)
    program = f"""
import importlib.util, sys, time
from pathlib import Path
spec = importlib.util.spec_from_file_location(
    "edtalk", {str(ROOT / "__init__.py")!r}, submodule_search_locations=[{str(ROOT)!r}])
sys.modules["edtalk"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules["edtalk"])
from edtalk.edtalk_blender.server_process.client import Server
server = Server(Path(sys.executable), Path({str(root)!r}), Path({str(tmp_path / "log" / "server.log")!r}))
server.start()
while not server.greeted():
    server.listen(0.05)
print(server.pid, flush=True)
time.sleep(600)
"""
    host = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    pid = int(host.stdout.readline())
    host.kill()
    host.wait()
    host.stdout.close()
    end = time.monotonic() + 10
    while time.monotonic() < end and running(pid):
        time.sleep(0.05)
    assert not running(pid)


def running(pid: int) -> bool:
    """Is there a process of this number that is not already a corpse?"""
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("raise SystemExit('No module named torch')", "No module named torch"),
        ("import os; os._exit(3)", "exit status 3"),
        ("print('Content-Length: x')", "server"),
    ],
)
def test_a_server_that_does_not_start_says_why(client, errors, tmp_path: Path, program, words) -> None:
    server = client.Server(
        Path(sys.executable), rooted(tmp_path / "root", program), tmp_path / "log" / "s.log"
    )
    server.start()
    with pytest.raises(errors.NotStarted, match=words):
        greet(server)


def test_a_python_that_is_none_is_refused(client, errors, tmp_path: Path) -> None:
    server = client.Server(tmp_path / "python", tmp_path, tmp_path / "log" / "s.log")
    with pytest.raises(errors.NotStarted, match="could not be started"):
        server.start()


def test_a_server_of_another_version_is_refused(
    client, errors, messages, tmp_path: Path, monkeypatch
) -> None:
    server = client.Server(Path(sys.executable), rooted(tmp_path / "root", TOY), tmp_path / "log" / "s.log")
    monkeypatch.setattr(messages, "PROTOCOL", messages.PROTOCOL + 1)
    server.start()
    with pytest.raises(errors.WrongProtocol):
        greet(server)
    server.kill()


def of_version(folder: Path, protocol: int) -> Path:
    """EDTalk as it was or will be in another version: its messages have a number and a field of their own."""
    wire = folder / "core" / "wire"
    shutil.copytree(ROOT / "core" / "wire", wire)
    for path in [*ROOT.glob("core/*"), ROOT / "server", ROOT / "edtalk_blender", ROOT / "__init__.py"]:
        if path.name not in {"wire", "__pycache__"}:
            (folder / path.relative_to(ROOT)).symlink_to(path)
    text = (wire / "messages.py").read_text()
    before = f"PROTOCOL = {importlib.import_module('core.wire.messages').PROTOCOL}\n"
    assert text.count(before) == 1 and text.count('client: str = ruled(rules.text, "")\n') == 1
    text = text.replace(before, f"PROTOCOL = {protocol}\n")
    if protocol == 1:  # the first version looked at the fields of a greeting before its number
        text = text.replace("    other = _other_protocol(data)\n", "    other = None\n")
    field = f'field_of_{protocol}: str = ruled(rules.text, "x")'
    for after in ('client: str = ruled(rules.text, "")\n', "# version of EDTalk\n"):
        text = text.replace(after, f"{after}    {field}\n")
    (wire / "messages.py").write_text(text)
    return folder


@pytest.mark.parametrize(("protocol", "words"), [(1, "older|protocol 2, this server 1"), (3, "newer")])
def test_a_real_server_of_another_version_is_told_in_a_sentence(
    client, errors, messages, server_python, tmp_path: Path, protocol: int, words: str
) -> None:
    root = of_version(tmp_path / "other", protocol)
    server = client.Server(Path(server_python), root, tmp_path / "log" / "s.log")
    server.start()
    with pytest.raises(errors.WrongProtocol, match=words) as caught:
        greet(server)
    assert "Install EDTalk again" in caught.value.hint
    server.kill()


@pytest.mark.parametrize(("protocol", "words"), [(1, "newer than this ext"), (3, "older than this ext")])
def test_an_add_on_of_another_version_hears_the_same_from_our_server(
    server_python, tmp_path: Path, protocol: int, words: str
) -> None:
    root, name = of_version(tmp_path / "other", protocol), f"edtalk_version_{protocol}"
    spec = importlib.util.spec_from_file_location(
        name, root / "__init__.py", submodule_search_locations=[str(root)]
    )
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])
    client = importlib.import_module(f"{name}.edtalk_blender.server_process.client")
    errors = importlib.import_module(f"{name}.core.wire.errors")
    server = client.Server(Path(server_python), ROOT, tmp_path / "log" / "s.log")
    server.start()
    with pytest.raises(errors.WrongProtocol, match=words) as caught:
        greet(server)
    assert "Install EDTalk again" in caught.value.hint
    server.kill()


def test_the_servers_environment_knows_no_python_of_the_host(client) -> None:
    found = client.clean_environment(
        {"PYTHONHOME": "/blender", "PYTHONPATH": "/addons", "PATH": "/bin", "HOME": "/me"}, Path("/ext")
    )
    assert found["PYTHONPATH"] == str(Path("/ext")) and "PYTHONHOME" not in found
    assert found["PATH"] == "/bin" and found["HOME"] == "/me"
