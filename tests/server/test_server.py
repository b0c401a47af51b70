# SPDX-License-Identifier: GPL-3.0-or-later
"""server/: a real process, spoken to rightly and wrongly, killed, and left alone."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.wire import framing, messages
from tests.support import toy

SOMEWHERE = {"portrait": "/portrait.png", "motion": "/motion.npz", "out": "/out"}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[toy.Client]:
    """A greeted server with the toy runtime."""
    with toy.Client(toy.TOY, tmp_path / "log.txt") as client:
        client.initialize()
        yield client


def job(client: toy.Client, name: str = "steps", size: int = 32, **params: Any) -> int:
    return client.send("decode", **SOMEWHERE, name=name, size=size, **params)


def preview(client: toy.Client) -> int:
    return client.send("preview", portrait="/portrait.png", weights=[0.0] * 36, out="/preview.npy")


def begun(client: toy.Client, number: int) -> None:
    """Wait until this job is seen to run."""
    client.until(lambda message: message.get("params", {}).get("request") == number)


# --- every request gets one answer ---


@pytest.mark.parametrize("what", ["long", "nan", "object", "set"])
def test_an_answer_that_cannot_be_sent_becomes_an_error_that_can(client: toy.Client, what: str) -> None:
    number = client.send("describe", checkpoint=f"/{what}")
    error = client.error(number)
    assert error["kind"] == "internal" and len(error["message"]) < 5000
    assert client.answer(job(client))["result"]["written"] == 32  # and the server lives
    client.ask("shutdown")
    assert client.answers(number) == 1


@pytest.mark.parametrize("name", ["long", "exit"])
def test_an_error_of_any_kind_or_length_is_an_answer(client: toy.Client, name: str) -> None:
    number = job(client, name=name)
    error = client.error(number)
    assert error["kind"] == {"long": "no_face", "exit": "internal"}[name] and len(error["message"]) < 5000
    assert client.answer(job(client))["result"]["written"] == 32
    client.ask("shutdown")
    assert client.answers(number) == 1


# --- what is served when ---


def test_a_job_tells_its_frames_and_progress_then_answers_once(client: toy.Client) -> None:
    number = job(client)
    assert client.answer(number)["result"]["written"] == 32
    assert [frame["number"] for frame in client.notices("frame", number)] == list(range(32))
    progress = client.notices("progress", number)
    assert progress[-1]["done"] == progress[-1]["total"] == 32
    client.ask("shutdown")
    assert client.answers(number) == 1


def test_jobs_run_one_after_another_in_order(client: toy.Client) -> None:
    first, second = job(client), job(client)
    client.answer(second)
    running = [message["params"]["request"] for message in client.heard if message.get("method") == "frame"]
    assert running == [first] * 32 + [second] * 32


def test_a_preview_overtakes_a_running_job_and_a_waiting_one(client: toy.Client) -> None:
    running, waiting = job(client, size=300), job(client)
    begun(client, running)
    number = preview(client)
    assert client.answer(number)["result"]["width"] == 1
    assert not any(
        "method" not in message and message["id"] in (running, waiting) for message in client.heard
    )
    assert client.answer(running)["result"]["written"] == 300


def test_an_older_preview_becomes_stale_and_is_told_so(client: toy.Client) -> None:
    begun(client, job(client, size=300))
    numbers = [preview(client) for _ in range(6)]
    answers = [client.answer(number) for number in numbers]
    stale = [answer for answer in answers if "error" in answer]
    assert "result" in answers[-1] and len(stale) >= 3
    assert all(answer["error"]["data"]["kind"] == "stale" for answer in stale)


def test_initialize_is_answered_in_the_midst_of_a_job(client: toy.Client) -> None:
    running = job(client, size=300)
    begun(client, running)
    client.initialize()
    assert not any("method" not in message and message["id"] == running for message in client.heard)


# --- cancel ---


def test_a_running_job_is_cancelled_between_two_steps(client: toy.Client) -> None:
    number = job(client, size=4000)
    begun(client, number)
    assert client.ask("cancel", request=number) == {"cancelled": True}
    assert client.error(number)["kind"] == "cancelled"
    client.ask("shutdown")
    assert client.answers(number) == 1


def test_a_waiting_job_is_cancelled_without_running(client: toy.Client) -> None:
    running, waiting = job(client), job(client)
    assert client.ask("cancel", request=waiting) == {"cancelled": True}
    assert client.error(waiting)["kind"] == "cancelled"
    client.answer(running)
    client.ask("shutdown")
    assert client.answers(waiting) == 1 and not client.notices("frame", waiting)


def test_there_is_nothing_to_cancel_when_a_job_is_done_or_unknown(client: toy.Client) -> None:
    number = job(client)
    client.answer(number)
    assert client.ask("cancel", request=number) == {"cancelled": False}
    assert client.ask("cancel", request=12345) == {"cancelled": False}


# --- leaving ---


def test_shutdown_answers_everything_that_is_open_and_leaves(client: toy.Client) -> None:
    running, waiting = job(client, size=4000), job(client)
    begun(client, running)
    assert client.ask("shutdown") == {}
    assert client.leaves() == 0
    for number in (running, waiting):
        assert client.error(number)["kind"] == "cancelled" and client.answers(number) == 1


def test_shutdown_answers_even_for_a_job_that_hangs(client: toy.Client) -> None:
    number = job(client, "hang")
    assert client.ask("shutdown") == {}
    assert client.leaves() == 0
    assert client.error(number)["kind"] == "cancelled"


@pytest.mark.parametrize("name", ["steps", "hang"])
def test_the_server_leaves_when_stdin_closes_whatever_it_does(client: toy.Client, name: str) -> None:
    number = job(client, name, size=4000)
    if name == "steps":
        begun(client, number)
    client.stdin.close()
    assert client.leaves() == 0


def test_an_idle_server_leaves_when_stdin_closes(client: toy.Client) -> None:
    client.stdin.close()
    assert client.leaves() == 0


@pytest.mark.parametrize("name", ["steps", "hang"])
def test_a_client_that_is_killed_leaves_no_orphan(tmp_path: Path, name: str) -> None:
    """The server holds the client's stderr, so that pipe ends only when both have gone."""
    hello = messages.Initialize(protocol=messages.PROTOCOL, client="to be killed")
    work = messages.Decode(**SOMEWHERE, name=name, size=4000)
    code = (
        "import subprocess, sys; from tests.support import toy; from core.wire import messages as m\n"
        "server = subprocess.Popen(toy.TOY, stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        f"server.stdin.write(toy.request(1, m.{hello!r}) + toy.request(2, m.{work!r}))\n"
        "server.stdin.flush()\n"
        "print(server.stdout.readline(), flush=True); input()\n"
    )
    killed = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=toy.ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert killed.stdin and killed.stdout and killed.stderr
    assert b"Content-Length" in killed.stdout.readline()
    killed.kill()
    killed.wait()
    end = threading.Thread(target=killed.stderr.read, daemon=True)
    end.start()
    end.join(toy.PATIENCE)
    assert not end.is_alive(), "the server outlived its client"


# --- stray prints, mistakes of ours ---


def test_nothing_that_prints_can_break_the_wire(client: toy.Client) -> None:
    number = job(client, "chatter")
    assert client.answer(number)["result"]["written"] == 32
    log = client.log.read_text()
    assert "from descriptor 1" in log and "from a child" in log
    if sys.platform != "win32":
        assert "from a C library" in log


def test_a_mistake_of_ours_is_one_sentence_and_the_traceback_is_in_the_log(client: toy.Client) -> None:
    error = client.error(job(client, "crash"))
    assert error["kind"] == "internal" and "\n" not in error["message"] and "log" in error["hint"]
    log = client.log.read_text()
    assert "Traceback" in log and "the secret detail" in log
    assert client.answer(job(client))["result"]["written"] == 32


def test_an_error_keeps_its_kind_sentence_and_hint(client: toy.Client) -> None:
    assert client.error(job(client, "no_face")) == {
        "kind": "no_face",
        "message": "No face was found in the portrait",
        "hint": "Use a front view",
    }


# --- bad messages ---


def test_a_broken_header_is_answered_and_ends_the_connection(client: toy.Client) -> None:
    client.raw(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert client.error(None)["kind"] == "bad_frame"
    assert client.leaves() == 1


def test_an_oversized_message_is_answered_and_ends_the_connection(client: toy.Client) -> None:
    client.raw(b"Content-Length: %d\r\n\r\n{" % (framing.MAX_BODY + 1))
    error = client.error(None)
    assert error["kind"] == "bad_frame" and "larger" in error["message"]
    assert client.leaves() == 1


def test_a_body_that_is_no_json_is_answered_and_the_next_message_is_served(client: toy.Client) -> None:
    client.raw(b"Content-Length: 5\r\n\r\nhello")
    assert client.error(None)["kind"] == "bad_message"
    assert client.answer(job(client))["result"]["written"] == 32


def test_a_body_cut_off_by_the_end_of_the_stream_ends_the_server(client: toy.Client) -> None:
    client.raw(b"Content-Length: 500\r\n\r\n{")
    client.stdin.close()
    assert client.leaves() == 1


@pytest.mark.parametrize(
    ("method", "params", "kind"),
    [
        ("explode", {}, "unknown_method"),
        ("__init__", {}, "unknown_method"),
        ("shutdown", {"now": True}, "bad_fields"),
        ("cancel", {}, "bad_fields"),
        ("cancel", {"request": "1"}, "bad_fields"),
        ("decode", {**SOMEWHERE, "color": "red"}, "bad_fields"),
        ("decode", {**SOMEWHERE, "portrait": "portrait.png"}, "bad_fields"),
        ("initialize", {"protocol": messages.PROTOCOL + 1}, "wrong_protocol"),
        ("initialize", {"protocol": messages.PROTOCOL - 1, "once": "known"}, "wrong_protocol"),
        ("initialize", {"protocol": messages.PROTOCOL, "once": "known"}, "bad_fields"),
        ("initialize", {"protocol": "new"}, "bad_fields"),
    ],
)
def test_a_bad_request_is_answered_under_its_number_and_harms_nothing(
    client: toy.Client, method: str, params: dict[str, Any], kind: str
) -> None:
    assert client.error(client.send(method, **params))["kind"] == kind
    assert client.answer(job(client))["result"]["written"] == 32


def test_work_before_initialize_is_refused(tmp_path: Path) -> None:
    with toy.Client(toy.TOY, tmp_path / "log.txt") as client:
        assert client.error(job(client))["kind"] == "bad_message"
        assert client.error(client.send("initialize", protocol=99))["kind"] == "wrong_protocol"
        assert client.error(job(client))["kind"] == "bad_message"
        client.initialize()
        assert client.answer(job(client))["result"]["written"] == 32


def test_a_number_that_is_still_open_is_refused_and_the_first_one_keeps_its_answer(
    client: toy.Client,
) -> None:
    number = job(client, size=300)
    client.raw(toy.request(number, messages.Cancel(request=999)))
    assert client.error(None)["kind"] == "bad_message"
    assert client.answer(number)["result"]["written"] == 300
    client.ask("shutdown")
    assert client.answers(number) == 1
