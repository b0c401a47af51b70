# SPDX-License-Identifier: GPL-3.0-or-later
"""A corpus of synthetic speech on disk: one file a voice, made once, the same for the same seed.

    corpus/flite-rms.npz        samples int16 [N], sample_ends [U], visemes f32 [K, 3], viseme_ends [U]

U utterances lie end to end. A voice that this machine lacks is left out, and the caller is told.
"""

from __future__ import annotations

import multiprocessing
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.files import written_whole
from training.speech.sentences import sentence
from training.speech.synth import SpeechUnavailable, UnknownSound, Utterance, Voice, speak

_ENGLISH = """
    en-us en en-gb-scotland en-us-nyc en-029 en-gb-x-rp en-gb-x-gbclan en-gb-x-gbcwmd
""".split()
_VARIANTS = """
    m1 m2 m3 m4 m5 m6 m7 m8 f1 f2 f3 f4 f5 Annie Alicia belinda linda steph aunty grandma grandpa anika
    Andy Gene Lee Mike adam benjamin boris david ed edward max michel quincy rob robert travis victor
    zac klatt klatt2 klatt3 klatt4 whisper whisperf croak
""".split()
_FOREIGN = "de fr es it nl sv pl fi tr pt-br cs hu ro id el sw hr ca da nb".split()

VOICES: tuple[tuple[Voice, int], ...] = (
    *(
        (Voice("flite", name), count)
        for name, count in (("slt", 600), ("rms", 600), ("awb", 600), ("kal16", 250))
    ),
    *(
        (Voice("espeak", f"{_ENGLISH[i % len(_ENGLISH)]}+{variant}"), 45)
        for i, variant in enumerate(_VARIANTS)
    ),
    *((Voice("espeak", f"{language}+{_VARIANTS[i % 13]}"), 45) for i, language in enumerate(_FOREIGN)),
)
"""Each voice with its number of sentences: about 2 h of flite, whose voices were made from recorded people,
and 2.5 h of espeak-ng, which has many voices but sounds like a machine."""


@dataclass(frozen=True)
class Recordings:
    """All utterances of one voice; `recordings[i]` is an `Utterance`."""

    key: str
    samples: NDArray[Any]  # int16 [N]
    sample_ends: NDArray[Any]  # int64 [U]
    visemes: NDArray[Any]  # float32 [K, 3]
    viseme_ends: NDArray[Any]  # int64 [U]

    def __len__(self) -> int:
        return len(self.sample_ends)

    def __getitem__(self, i: int) -> Utterance:
        if not 0 <= i < len(self):
            raise IndexError(i)
        a, b = (int(self.sample_ends[i - 1]), int(self.viseme_ends[i - 1])) if i else (0, 0)
        samples = self.samples[a : self.sample_ends[i]].astype(np.float32) / 32768
        return Utterance(samples, self.visemes[b : self.viseme_ends[i]])


def record(voice: Voice, count: int, seed: int = 0) -> list[Utterance]:
    """`count` sentences by one voice, each at its own pace and pitch."""
    rng = np.random.default_rng((seed, zlib.crc32(voice.key.encode())))
    utterances: list[Utterance] = []
    while len(utterances) < count:
        wide = 0.18 if voice.engine == "espeak" else 0.12
        saying = replace(
            voice,
            speed=float(np.exp(rng.normal(0, wide))),
            pitch=float(rng.uniform(0.15, 0.85)),
            swing=float(rng.uniform(0.2, 0.9)),
        )
        text = sentence(rng)
        try:
            utterances.append(speak(text, saying))
        except UnknownSound:
            continue
    return utterances


def save(path: Path, utterances: list[Utterance]) -> None:
    """Write one voice's file."""
    with written_whole(path) as temporary:
        np.savez(
            temporary,
            samples=np.concatenate(
                [np.clip(u.samples * 32767, -32768, 32767).astype(np.int16) for u in utterances]
            ),
            sample_ends=np.cumsum([len(u.samples) for u in utterances]),
            visemes=np.concatenate([u.visemes for u in utterances]),
            viseme_ends=np.cumsum([len(u.visemes) for u in utterances]),
        )


def load(path: Path) -> Recordings:
    """Read one voice's file."""
    with np.load(path, allow_pickle=False) as arrays:
        return Recordings(path.stem, **{name: arrays[name] for name in arrays.files})


def _path(folder: Path, voice: Voice) -> Path:
    return folder / f"{voice.key}.npz"


def _make_one(job: tuple[Path, Voice, int, int]) -> str:
    folder, voice, count, seed = job
    try:
        save(_path(folder, voice), record(voice, count, seed))
    except SpeechUnavailable as reason:
        return str(reason)
    return ""


def make(
    folder: Path, voices: Iterable[tuple[Voice, int]] = VOICES, seed: int = 0, workers: int = 2
) -> list[str]:
    """Make what is missing of a corpus, each voice in a process of its own so that it repeats exactly.

    Returns:
        One sentence for each voice that could not be had.
    """
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(folder, voice, count, seed) for voice, count in voices if not _path(folder, voice).exists()]
    if not jobs:
        return []
    with multiprocessing.get_context("spawn").Pool(min(workers, len(jobs)), maxtasksperchild=1) as pool:
        return [reason for reason in pool.imap(_make_one, jobs, chunksize=1) if reason]
