# SPDX-License-Identifier: GPL-3.0-or-later
"""Speech-to-expression: either modality is enough, time is kept, larger models can be joined; its recipe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from core.models.small import export, marks_of, restore
from core.models.speech_to_expression import (
    Heard,
    SpeechToExpression,
    SpeechToExpressionConfig,
    feeling_track,
    written_of,
)
from core.sound.lexicon import FELT
from core.sound.prosody import FEATURES
from core.sound.transcript import laid_out, words_of
from core.wire.errors import BadCheckpoint, CheckpointError
from tests.support.recipes import log_of, run_together, weights_of
from training.recipes import speech_to_expression as recipe
from training.shared import feeling_scenes
from training.shared.loop import from_command_line
from training.speech import feelings
from training.speech.feelings import Spoken


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def small(**settings: object) -> SpeechToExpression:
    torch.manual_seed(2)
    return SpeechToExpression(SpeechToExpressionConfig(width=24, letters=8, **settings)).eval()


def sound(seconds: float = 4.0) -> np.ndarray:
    time = np.arange(int(seconds * 16000)) / 16000
    return (0.3 * np.sign(np.sin(2 * np.pi * 140 * time)) * (time % 1 < 0.7)).astype(np.float32)


def test_a_take_has_a_share_of_each_feeling_at_every_step_and_never_more_than_a_whole() -> None:
    net, words = small(), words_of("What a wonderful day! I am so happy.")
    for samples, said in ((sound(), words), (sound(), []), (None, words)):
        track = feeling_track(net, samples, said, 103)
        assert track.shape == (103, len(FELT)) and track.dtype == np.float32
        assert (track >= 0).all() and (track.sum(axis=1) <= 1 + 1e-5).all()
    assert not feeling_track(net, None, [], 20).any()


def test_what_is_masked_does_not_count() -> None:
    net, words = small(), words_of("I am happy.")
    written = written_of(words, laid_out(words, None, 100))
    other = written_of(words_of("She was terribly sad."), laid_out(words_of("a b c d"), None, 100))
    heard, noise = Heard(torch.randn(1, 100, len(FEATURES))), Heard(torch.randn(1, 100, len(FEATURES)))
    deaf, blind = (torch.zeros(1), torch.ones(1)), (torch.ones(1), torch.zeros(1))
    with torch.no_grad():
        torch.testing.assert_close(net(heard, written, deaf)[0], net(noise, written, deaf)[0])
        torch.testing.assert_close(net(heard, written, deaf)[0], net(None, written)[0])
        torch.testing.assert_close(net(heard, written, blind)[0], net(heard, other, blind)[0])
        torch.testing.assert_close(net(heard, written, blind)[0], net(heard, None)[0])
        assert (net(heard, written)[0] - net(heard, other)[0]).abs().max() > 1e-3


def test_a_word_counts_when_it_is_said_and_in_its_sentence() -> None:
    net = small()
    plain, happy = (
        words_of(f"It is Monday. Tomorrow {word}. It is Tuesday. It is May.") for word in ("rain", "joy")
    )
    place = laid_out(plain, None, 400)
    with torch.no_grad():
        apart = (
            (net(None, written_of(plain, place))[0] - net(None, written_of(happy, place))[0]).abs().sum(-1)[0]
        )
    said = apart[(place[2::5] == 4).nonzero()[0]].mean()
    assert said > 4 * apart[-5:].mean()


def test_how_a_take_begins_does_not_depend_on_how_long_it_is() -> None:
    net = small()
    heard = torch.randn(1, 600, len(FEATURES))
    with torch.no_grad():
        long, short = net(Heard(heard), None)[0], net(Heard(heard[:, :400]), None)[0]
    torch.testing.assert_close(long[:, :20], short[:, :20], atol=1e-4, rtol=1e-4)


def test_words_may_come_by_the_thousand() -> None:
    words = words_of("never a full stop in it " * 800)
    track = feeling_track(small(), None, words, 3000)
    assert np.isfinite(track).all()


def test_settings_survive_their_journey_and_nonsense_does_not() -> None:
    config = SpeechToExpressionConfig(width=24)
    assert SpeechToExpressionConfig.from_dict(config.to_dict()) == config
    for wrong in ({"colour": 3}, {"width": 0}, {"reader": 5}, {"letters": "many"}):
        with pytest.raises(BadCheckpoint):
            SpeechToExpressionConfig.from_dict({**config.to_dict(), **wrong})


def test_an_exported_network_loads_and_feels_the_same(tmp_path: Path) -> None:
    net, path, words = small(), tmp_path / "net.safetensors", words_of("I am so happy.")
    export(path, net, net.config.to_dict(), {"read": 0.5})
    other = restore(path, lambda values: SpeechToExpression(SpeechToExpressionConfig.from_dict(values)))
    assert marks_of(path) == {"read": 0.5}
    ours, theirs = (feeling_track(each, sound(), words, 100) for each in (net, other))
    assert np.abs(ours - theirs).max() < 0.01


def test_a_model_that_is_not_on_this_computer_is_never_downloaded_but_asked_for(tmp_path: Path) -> None:
    net = small(reader=str(tmp_path / "nobody"), reader_size=32)
    with pytest.raises(CheckpointError, match=r"transformers|not on this computer") as caught:
        feeling_track(net, None, words_of("Hello."), 50)
    assert caught.value.hint


def test_models_that_a_user_has_are_joined_in(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="needs transformers")
    reader, listener = tmp_path / "reader", tmp_path / "listener"
    reader.mkdir()
    letters = [*"[PAD] [UNK] [CLS] [SEP] [MASK] i am so happy".split(), *"abcdefghijklmnopqrstuvwxyz!.,"]
    (reader / "vocab.txt").write_text("\n".join(letters + [f"##{letter}" for letter in letters]))
    transformers.BertTokenizerFast(vocab_file=str(reader / "vocab.txt")).save_pretrained(reader)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    transformers.BertModel(transformers.BertConfig(vocab_size=80, **sizes)).save_pretrained(reader)
    layers = {
        "conv_dim": (8, 8, 8, 8, 8, 8, 8),
        "num_conv_pos_embeddings": 4,
        "num_conv_pos_embedding_groups": 2,
    }
    transformers.HubertModel(transformers.HubertConfig(**sizes, **layers)).save_pretrained(listener)
    settings = {"reader": str(reader), "reader_size": 16, "listener": str(listener), "listener_size": 16}
    track = feeling_track(small(**settings), sound(), words_of("I am so happy! Absolutely."), 100)
    assert track.shape == (100, len(FELT)) and np.isfinite(track).all()


# --- recipe --------------------------------------------------------------------------------------


def toy(count: int = 16) -> Spoken:
    """Two feelings: joy is a high buzz, sadness a low one, and both say so."""
    rng, sounds, texts, felt = np.random.default_rng(0), [], [], []
    for number in range(count):
        name = ("happy", "sad")[number % 2]
        time = np.arange(int(rng.uniform(1.2, 1.8) * 16000)) / 16000
        wave = (
            0.3 * np.sign(np.sin(2 * np.pi * (240 if name == "happy" else 100) * time)) * (time % 0.4 < 0.3)
        )
        sounds.append((wave * 32767).astype(np.int16))
        texts.append(f"We were so {name}.")
        felt.append(feelings.CLASSES.index(name))
    ends = np.cumsum([len(one) for one in sounds])
    strengths = np.full(count, 0.8, np.float32)
    return Spoken("flite-toy", np.concatenate(sounds), ends, np.array(texts), np.array(felt), strengths)


def test_a_small_network_learns_two_feelings_by_heart_from_either_voice_or_words() -> None:
    scenes = feeling_scenes.pool([toy()], 6, 0)
    net = small(dropout=0.0).train()
    optimiser = torch.optim.Adam(net.parameters(), 5e-3)
    for step in range(70):
        only = ("voice", "text", "")[step % 3]
        batch = feeling_scenes.batch_of(scenes, 0, np.random.default_rng(step), only=only)
        loss, _ = recipe.loss_of_batch(net, batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    marks = recipe.judge(net.eval(), scenes)
    assert marks["by voice"] > 0.85
    assert marks["by text"] > 0.85
    assert marks["by both"] > 0.9


def test_a_scene_repeats_by_seed_and_its_sentences_follow_each_other() -> None:
    one, again, other = (feeling_scenes.scene(toy(), np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.heard, again.heard)
    assert one.texts == again.texts and not np.array_equal(one.heard, other.heard)
    assert (np.diff(one.owner) >= 0).all() and one.owner.max() == len(one.texts) - 1
    assert 0.2 < one.said.mean() < 1


def flags(corpus: Path, out: Path, steps: int) -> list[str]:
    text = f"--steps {steps} --scenes 3 --judged 4 --batch 2 --decay-from 1 --warmup 1 --log-every 1"
    chosen = ["--dropout", "0", "--corpus", str(corpus), "--out", str(out), "--hold-out", ""]
    return [*text.split(), *chosen, "--no-synthesise"]


def losses_of(out: Path) -> list[float]:
    return [line["entropy"] for line in log_of(out) if "entropy" in line]


def test_the_recipe_repeats_resumes_and_is_shared_without_changing_the_result(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    feelings.save(corpus / "flite-toy.npz", toy())
    for name, steps in (("whole", 4), ("cut", 2), ("cut", 4)):
        recipe.main(from_command_line(recipe.Settings, flags(corpus, tmp_path / name, steps)))
    run_together("-m", recipe.__name__, *flags(corpus, tmp_path / "two", 4))
    whole, cut, two = (weights_of(tmp_path / name) for name in ("whole", "cut", "two"))
    for key, value in whole.items():
        assert torch.equal(cut[key], value), key  # the same seed, data and machine: the same bits
        off = (two[key] - value).abs()
        assert off.mean() < 3e-6 and off.max() < 1e-3, key  # Adam magnifies what rounding leaves of a zero
    assert losses_of(tmp_path / "whole") == losses_of(tmp_path / "cut")
    made = [tmp_path / name / "speech_to_expression.safetensors" for name in ("whole", "cut")]
    assert made[0].read_bytes() == made[1].read_bytes() and made[0].stat().st_size < 1_500_000
