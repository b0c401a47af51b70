# SPDX-License-Identifier: GPL-3.0-or-later
"""training/evaluation: measures give known answers, and one command measures the shipped checkpoint."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from core.checkpoints import checkpoint
from core.motion.motion import Motion
from core.wire.errors import InputError
from server import cli
from tests.support import small
from training.evaluation import card, public, tables
from training.evaluation.disentanglement import _energy, _moves
from training.evaluation.likeness import correlation, landmark_distance, lip_gap, tremble
from training.evaluation.read_back import read_back
from training.evaluation.report import Amounts, Evaluation, evaluate
from training.evaluation.voices import NEVER_HEARD
from training.factors import Factors, to_weights
from training.heads.errors import NoGraphics
from training.heads.motion import random_factors
from training.heads.render import HeadRenderer
from training.speech.corpus import VOICES

KEYS = set(
    """l1_ratio mouth_l1_ratio ssim r2 cross_talk_max outside_mouth_energy jaw_corr press_corr lag_ms
    seconds""".split()
)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    with small.one_thread():
        yield


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    try:
        HeadRenderer(32)
    except NoGraphics as reason:
        pytest.skip(str(reason))
    amounts = Amounts(identities=3, pairs=12, people=2, handled=2, clips=1, sentences=2, spoken=20)
    return evaluate(checkpoint.default_checkpoint(), tmp_path_factory.mktemp("heldout"), amounts)


# --- measures ------------------------------------------------------------------------------------------


def test_a_face_that_is_only_elsewhere_has_no_landmark_distance() -> None:
    landmarks = torch.rand(4, 68, 2)
    assert landmark_distance(landmarks + 0.2, landmarks) == pytest.approx((0, 0), abs=1e-5)


def test_landmark_distance_is_in_percent_of_the_width() -> None:
    landmarks = torch.zeros(1, 68, 2)
    moved = landmarks.clone()
    moved[:, 48:58, 0], moved[:, 58:68, 0] = 0.02, -0.02
    assert landmark_distance(moved, landmarks).mouth == pytest.approx(1.0)


def test_even_motion_does_not_tremble() -> None:
    even = torch.linspace(0, 1, 10)[:, None, None].expand(10, 68, 2)
    assert tremble(even) == pytest.approx(0, abs=1e-4)
    shaken = even + 0.01 * torch.tensor([1.0, -1.0]).repeat(5)[:, None, None]
    assert tremble(shaken) > 1


def test_an_open_mouth_has_a_lip_gap() -> None:
    figure = pytest.importorskip("training.heads.figure").build_figure(1_000_003)
    gaps = []
    for motion in (Factors.neutral(), Factors.of(jaw_open=1.0)):
        landmarks = figure.pose(motion).screen[None, figure.landmark_vertices, :2]
        gaps.append(float(lip_gap(torch.from_numpy(landmarks))))
    assert gaps[0] < 0.1 < 0.3 < gaps[1]


def test_a_track_that_never_moves_correlates_with_nothing() -> None:
    assert correlation(torch.ones(9), torch.rand(9)) == 0
    assert correlation(torch.arange(9.0), -torch.arange(9.0)) == pytest.approx(-1)


def test_energy_is_told_apart_by_boxes() -> None:
    before, after = torch.zeros(3, 8, 8), torch.zeros(3, 8, 8)
    after[:, 6, 6], after[:, 1, 1] = 1.0, 0.5  # inside the lower right quarter, and far outside
    outside, everywhere = _energy(before, after, [(0.0, 0.0, 1.0, 1.0)])
    assert everywhere == pytest.approx(3.75) and outside == pytest.approx(0.75)


def test_one_bank_moves_by_one_standard_deviation_and_the_others_stay() -> None:
    from training.evaluation.calibration import spread

    start, moves = _moves(np.random.default_rng(0))
    assert start.shape == (36,)
    for move, part in zip(moves, (slice(0, 20), slice(20, 26), slice(26, 36)), strict=True):
        used = spread()[part] > 0
        assert np.sqrt(np.mean((move[part][used] / spread()[part][used]) ** 2)) == pytest.approx(1, rel=1e-4)
        assert not np.delete(move, np.r_[part]).any()


def many_weights(count: int = 40) -> torch.Tensor:
    rng = np.random.default_rng(1)
    motion = [random_factors(rng) for _ in range(count)]
    return torch.from_numpy(
        to_weights(*(np.stack([getattr(m, b) for m in motion]) for b in ("pose", "mouth", "expression")))
    )


def test_the_truth_reads_perfectly_in_every_definition() -> None:
    true = many_weights()
    for name, one in read_back(true, true).items():
        assert one.pooled == one.channels == pytest.approx(1)
        assert (one.seen is None) == (name == "gaze") and (one.seen is None or one.seen == pytest.approx(1))


def test_what_no_picture_shows_does_not_count_as_seen() -> None:
    true = many_weights()
    read = true.clone()
    read[:, 8:10] = 0  # the tongue moves no landmark
    found = read_back(read, true)["mouth"]
    assert found.pooled < 0.98 and found.channels < 0.9 and found.seen == pytest.approx(1, abs=0.02)


def test_voices_never_heard_are_in_no_corpus() -> None:
    heard = {voice.name for voice, _ in VOICES}
    assert not heard & {name for names in NEVER_HEARD.values() for name in names}


# --- the whole -----------------------------------------------------------------------------------------


def test_the_numbers_have_their_fixed_names(found: Evaluation) -> None:
    numbers = found.numbers()
    assert set(numbers) == KEYS
    assert set(numbers["r2"]) == {"pose", "mouth", "expression", "blink"}
    assert set(numbers["jaw_corr"]) == set(numbers["press_corr"]) == {"male", "female"}
    assert json.loads(json.dumps(numbers)) == numbers


def test_copying_is_no_better_than_copying_and_the_truth_is_the_truth(found: Evaluation) -> None:
    copy, read, truth = (found.ways[name] for name in ("copy", "read", "truth"))
    assert copy.l1 == copy.mouth_l1 == 1 and truth.l1 == 0 and truth.ssim == 1
    assert read.l1 < 1 and copy.ssim < read.ssim < 1
    assert truth.distance.mouth == 0 < read.distance.mouth < copy.distance.mouth
    assert found.steady["copy"].tremble == 0 and found.steady["truth"].face == 0


def test_every_table_has_both_yardsticks(found: Evaluation) -> None:
    parts = dict(tables.sections(found))
    for title, body in parts.items():
        if title != "What was to be reached" and "ot measured" not in body:
            assert "copy the source" in body and "ground truth" in body, title


def test_targets_stand_beside_what_was_measured(found: Evaluation) -> None:
    assert set(tables.TARGETS) <= set(tables.flat(found.numbers()))
    assert tables.met("lag_ms", -39.0) and not tables.met("ssim", 0.8) and tables.met("ssim", None) is None


def test_the_card_is_written_with_its_notes_and_curve(found: Evaluation, tmp_path: Path) -> None:
    notes = tmp_path / "notes.json"
    notes.write_text(json.dumps({"data": "* heads", "real": "People.", "sections": {"Use": "For anything."}}))
    run = tmp_path / "run"
    run.mkdir()
    lines = [{"step": 20 * k, "l1_ratio": 1 - 0.01 * k, "r2_pose": 0.5} for k in range(1, 31)]
    (run / "log.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    out = tmp_path / "docs" / "card.md"
    out.parent.mkdir()
    numbers = {"rest.difference": 0.5, "talk.r_aperture": 0.6}
    (out.parent / "real-faces.json").write_text(json.dumps(numbers))
    card.write(found, checkpoint.default_checkpoint(), out, notes, run)
    text = out.read_text(encoding="utf-8")
    assert found.meta.id in text and "## Use\n\nFor anything." in text and "| 600 | 0.70 |" in text
    assert "core/checkpoints/edtalk-heads.safetensors" in text
    assert text.index("People.") < text.index("0.60") < text.index("## What it learnt from")
    assert (out.parent / "images" / "model-card-sheet.png").is_file()


def test_a_checkpoint_of_another_kind_is_measured_on_clips_only(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "other.safetensors", small.model(), checkpoint.Meta("other"))
    with pytest.raises(InputError, match="no known truth") as error:
        evaluate(tmp_path / "other.safetensors", tmp_path)
    assert "--clips" in error.value.hint


# --- real clips ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    demo = pytest.importorskip("training.commands.heads_demo")
    folder = tmp_path_factory.mktemp("clips")
    weights = np.zeros((8, 36), np.float32)
    weights[:, 20] = np.linspace(0, 0.8, 8)
    try:
        demo.driving_clip(folder / "turn.mp4", Motion(weights))
    except NoGraphics as reason:
        pytest.skip(str(reason))
    return folder


def largest_gap(drawn: torch.Tensor, truth: torch.Tensor, sound: object) -> float:
    return float((drawn - truth).abs().max())


def test_clips_are_measured_with_public_metrics_and_ones_own(
    clips: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = {
        row.name: row
        for row in public.measure(checkpoint.default_checkpoint(), clips, [f"{__name__}:largest_gap"])
    }
    copy, drawn, truth = (rows[name] for name in ("copy the source", "redrawn", "ground truth"))
    assert truth.mean("L1") == 0 < drawn.mean("L1") < copy.mean("L1")
    assert truth.mean("SSIM") == pytest.approx(1) and truth.mean(f"{__name__}:largest_gap") == 0
    assert public.numbers(list(rows.values()))["ground truth"]["PSNR, dB"] is None
    assert "redrawn" in public.table(list(rows.values()))


def test_a_metric_that_cannot_be_had_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDTALK_SYNCNET", raising=False)
    assert "EDTALK_SYNCNET" in public.METRICS["SyncNet"].lacks()
    with pytest.raises(InputError, match="no metric"):
        public.own_metric("nowhere:nothing")


def test_a_syncnet_of_ones_own_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Scorer(torch.nn.Module):
        def forward(self, frames: torch.Tensor, samples: torch.Tensor) -> torch.Tensor:
            return frames.mean() + samples.mean()

    torch.jit.script(Scorer()).save(str(tmp_path / "sync.pt"))
    monkeypatch.setenv("EDTALK_SYNCNET", str(tmp_path / "sync.pt"))
    metric = public.METRICS["SyncNet"]
    assert metric.lacks() == ""
    frames = torch.zeros(2, 3, 8, 8)
    assert metric.measure(frames, frames, np.full(100, 0.25, np.float32)) == pytest.approx(0.75)
    assert np.isnan(metric.measure(frames, frames, None))


def test_a_folder_without_clips_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evaluate", "--clips", str(tmp_path)]) == 1
    assert "no clips" in capsys.readouterr().err
