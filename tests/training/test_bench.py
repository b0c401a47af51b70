# SPDX-License-Identifier: GPL-3.0-or-later
"""`edtalk bench`: what it counts, and what it leaves in files. No test here asks how long anything takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.models import EDTalk, EDTalkConfig
from core.wire.errors import InputError
from server import cli
from tests.support import small
from training.commands import bench
from training.commands.bench_jobs import lengthened
from training.evaluation import floor

KEYS = {
    "published": {"naive_fps", "exact_fps", "fast_fps", "floor_fps", "fast_p999_levels"},
    "shipped": {"job_512_fps", "preview_ms_p50", "preview_ms_p95"},
    "memory_mb": {"job_10s", "job_30min"},
}


@pytest.mark.slow
def test_the_json_has_the_promised_keys_and_the_page_its_table(
    portrait: Path,
    voice: Path,
    tiny_checkpoint: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = tmp_path / "speed.md"
    page.write_text(f"Before\n{bench.MARKS[0]}\nold\n{bench.MARKS[1]}\nAfter\n")
    asked = ["--source", str(portrait), "--checkpoint", str(tiny_checkpoint), "--crop", "16", "0", "64"]
    wanted = ["--audio", str(voice), "--frames", "2", "--quick", "--quiet", "--device", "cpu"]
    found = ["--json", str(tmp_path / "speed.json"), "--doc", str(page)]
    assert cli.main(["bench", *asked, *wanted, *found]) == 0
    shown = capsys.readouterr().out
    assert all(
        part in shown for part in ("device", "start", "analysis", "decode 1024 with detail", "preview")
    )
    numbers = json.loads((tmp_path / "speed.json").read_text())
    assert set(numbers) == {*KEYS, "server_ready_s", "machine"}
    for group, names in KEYS.items():
        assert set(numbers[group]) == names
        # without bfloat16 in hardware, fast is exact: no level apart
        same = {"fast_p999_levels"}
        assert all(value > 0 or (name in same and value == 0) for name, value in numbers[group].items())
    text = page.read_text()
    assert text.startswith("Before\n") and text.endswith("\nAfter\n") and "old" not in text
    assert "| published, 1 thread: decode |" in text and numbers["machine"]["torch"] in text


def test_a_published_frame_needs_30_billion_operations() -> None:
    operations, moved = floor.work(EDTalkConfig.published(), 2)
    assert operations == pytest.approx(30e9, rel=0.02)
    assert 100e6 < moved < 200e6


def test_every_convolution_of_a_frame_is_counted() -> None:
    """Against torch's own count of the plain decoder."""
    from torch.utils.flop_counter import FlopCounterMode

    for arithmetic in ("published", "clean"):
        net: EDTalk = small.model(arithmetic, 64)
        latent, features = net.encoder(small.picture(64))
        with FlopCounterMode(display=False) as counter:
            net.decoder(latent, features)
        counted = counter.get_total_flops()
        operations, _ = floor.work(net.config, 4)
        # torch counts filters, styles and demodulation as well; those of small networks are not small
        assert 0.7 * counted < operations < 1.02 * counted


def test_a_sound_is_repeated_to_a_length(voice: Path, tmp_path: Path) -> None:
    from core.sound.audio import load_audio

    assert len(load_audio(lengthened(voice, 5, tmp_path / "five.wav"))) == 5 * 16000


def test_a_page_without_marks_stays_as_it_is(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("words")
    with pytest.raises(InputError, match=r"page\.md"):
        bench.into_page(page, "table")
    assert page.read_text() == "words"
    bench.into_page(tmp_path / "new.md", "table")
    assert "table" in (tmp_path / "new.md").read_text()
