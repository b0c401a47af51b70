# SPDX-License-Identifier: GPL-3.0-or-later
"""core/wire/formats: other programs' files come in as they were meant, go out again; wrong ones are named.
All files are made here, by what is published of their layouts.
"""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest

from core.wire.controls import FULL, SIGNED
from core.wire.errors import BadMotion
from core.wire.formats import a2f, arkit, cues, kinds, livelink, timecode, visemes, weights
from core.wire.formats.curves import Cue, Curves

ROOT = Path(__file__).resolve().parents[2]
RANDOM = np.random.default_rng(0)


def curves(
    rate: float = 60.0, count: int = 90, names: tuple[str, ...] = (*arkit.NAMES, *arkit.HEAD)
) -> Curves:
    rows = RANDOM.uniform(0, 1, (count, len(names))).round(6)
    return Curves(names, tuple(map(tuple, rows.tolist())), rate)


def as_array(found: Curves, names: tuple[str, ...]) -> np.ndarray:
    return np.array(found.rows)[:, [found.names.index(name) for name in names]]


# --- ARKit's names --------------------------------------------------------------------------------


def test_all_52_names_are_known_and_in_every_spelling() -> None:
    assert len(arkit.NAMES) == 52 == len(livelink.ORDER) == len(set(livelink.ORDER))
    assert {arkit.name_of(name) for name in livelink.ORDER} == set(arkit.NAMES)
    assert (
        arkit.name_of("eyeBlink_L") == "eyeBlinkLeft"
        and arkit.name_of("MOUTHSMILERIGHT") == "mouthSmileRight"
    )
    assert arkit.name_of("smile") == "" and arkit.name_of("") == ""


ALIKE = {
    "wide": {"happy"},
    "funnel": {"pucker"},
    "lip_teeth": {"press"},
    "surprised": {"fear"},
    "angry": {"disgusted"},
}
"""Controls that a file of ARKit's names cannot tell apart well: they share the same marks."""


@pytest.mark.parametrize(
    "control", [name for name in arkit.CONTROLS if name not in ("disgusted", "sad", "tongue_up")]
)
def test_a_control_that_goes_out_alone_comes_back_the_strongest(control: str) -> None:
    """Except disgust and sadness, whose marks are no controls of their own: a wrinkled nose counts as anger,
    raised inner brows as fear. And nothing of ARKit is a tongue at the palate.
    """
    back = arkit.to_controls(arkit.from_controls({control: 1.0}))
    assert max(back, key=back.get) in {control} | ALIKE.get(control, set())
    assert back[control] > 0.05


@pytest.mark.parametrize("control", ["jaw_side", "gaze_x", "gaze_y"])
def test_controls_with_two_directions_keep_them(control: str) -> None:
    for value in (-0.8, 0.8):
        assert np.sign(arkit.to_controls(arkit.from_controls({control: value}))[control]) == np.sign(value)


def test_what_comes_in_stays_within_bounds_and_one_eye_is_half_a_blink() -> None:
    every = arkit.to_controls(dict.fromkeys(arkit.NAMES, 1.0))
    assert all(-1 <= value <= 1 for value in every.values())
    assert arkit.to_controls({"eyeBlinkLeft": 1.0})["blink"] == pytest.approx(0.5)
    assert arkit.to_controls({"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0})["blink"] == pytest.approx(1.0)


def test_every_name_that_was_measured_has_its_error_and_the_page_says_the_same() -> None:
    defined = {
        "tongueOut",
        "jawForward",
        *(name for name in arkit.NAMES if "Look" in name or "Press" in name),
    }
    assert set(arkit.ERRORS) == set(arkit.NAMES) - defined
    assert all(0 <= error <= 1 for error in arkit.ERRORS.values())
    assert arkit.ERRORS["eyeBlinkLeft"] < 0.3 and arkit.ERRORS["jawOpen"] < 0.3  # the two that matter most
    assert arkit.ERRORS["cheekPuff"] == 1.0  # nothing of ours moves them
    page = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    for name, error in arkit.ERRORS.items():
        both = re.sub("(Left|Right)$", "", name)
        assert any(f"| {said} | {error:.2f} |" in page for said in (name, both)), name


def test_the_map_speaks_of_controls_that_there_are() -> None:
    read = {control for shares in arkit.READS.values() for control in shares}
    assert read | {name.removeprefix("-") for name in arkit.WRITES} <= set(FULL)
    assert {name.removeprefix("-") for name in arkit.WRITES if name[0] == "-"} - {"jaw_open"} == set(SIGNED)
    assert {name for shares in arkit.WRITES.values() for name in shares} <= set(arkit.NAMES)


# --- Live Link Face -------------------------------------------------------------------------------


RATES = [
    12.5,
    15.0,
    23.976,
    24000 / 1001,
    24.0,
    25.0,
    30000 / 1001,
    30.0,
    48.0,
    50.0,
    60000 / 1001,
    60.0,
    120.0,
]


@pytest.mark.parametrize("rate", RATES)
def test_live_link_reads_back_what_was_written(rate: float) -> None:
    before = curves(rate, 250)
    found = livelink.read(livelink.write(before, start=36_000).encode(), "a.csv", rate)
    assert found.rate == pytest.approx(rate, rel=1e-5) and len(found.rows) == len(before.rows)
    np.testing.assert_allclose(as_array(found, before.names), np.array(before.rows), atol=2e-3)


@pytest.mark.parametrize("rate", [24.0, 25.0, 30.0, 60.0, 30000 / 1001])
def test_a_whole_rate_and_drop_frame_are_read_without_being_told(rate: float) -> None:
    """Drop frame shows where a minute begins."""
    before = curves(rate, 100, arkit.NAMES[:12])
    found = livelink.read(livelink.write(before, start=58.5).encode(), "a.csv")
    assert found.rate == pytest.approx(rate) and len(found.rows) == 100


def clock(code: str, base: int, drop: int) -> float:
    """Frames since midnight of a time code, by the rule of SMPTE ST 12-1 and nothing of ours."""
    hours, minutes, seconds, frames = (float(part) for part in code.split(":"))
    whole = hours * 60 + minutes
    return (whole * 60 + seconds) * base + frames - drop * (whole - whole // 10)


@pytest.mark.parametrize(
    ("rate", "base", "drop", "codes"),
    [
        (
            30000 / 1001,
            30,
            2,
            {0: "00:00:00:00", 1799: "00:00:59:29", 1800: "00:01:00:02", 17982: "00:10:00:00"},
        ),
        (60000 / 1001, 60, 4, {3599: "00:00:59:59", 3600: "00:01:00:04", 35964: "00:10:00:00"}),
        (24000 / 1001, 24, 0, {1439: "00:00:59:23", 1440: "00:01:00:00", 86400: "01:00:00:00"}),
        (24.0, 24, 0, {86400: "01:00:00:00"}),
    ],
)
def test_time_codes_count_as_editors_do(rate: float, base: int, drop: int, codes: dict[int, str]) -> None:
    for row, code in codes.items():
        assert timecode.written(0.0, row, rate) == f"{code}.000"
    for row in (1, 1801, 3597, 17981, 17983, 107_892, 500_000):
        assert clock(timecode.written(0.0, row, rate), base, drop) == row
    if drop:  # an hour of the code is an hour of the clock, within a tenth of a second
        assert timecode.written(0.0, round(3600 * rate), rate)[:8] in ("00:59:59", "01:00:00")


def test_more_rows_than_counted_frames_are_all_kept() -> None:
    codes = [f"01:00:{k // 60:02d}:{k % 60 // 2:02d}.{500 * (k % 2):03d}" for k in range(150)]
    found = livelink.read(phone_file(codes).encode(), "a.csv")
    assert found.rate == 60.0 and len(found.rows) == 150


def test_drop_frame_is_also_known_by_its_semicolon() -> None:
    codes = [f"00:00:{k // 30:02d};{k % 30:02d}" for k in range(75)]
    assert livelink.read(phone_file(codes).encode(), "a.csv").rate == pytest.approx(30000 / 1001)


@pytest.mark.parametrize("rate", [0.5, 240.0, float("nan")])
def test_a_rate_that_no_time_code_counts_is_refused(rate: float) -> None:
    with pytest.raises(BadMotion, match="frames a second"):
        livelink.write(curves(rate, 3))


SHEETS = {
    "byte-order mark and CRLF": lambda text: text.replace("\n", "\r\n").encode("utf-8-sig"),
    "German": lambda text: re.sub(r"(\d)\.(\d)", r"\1,\2", text.replace(",", ";")).encode("utf-8-sig"),
    "tabs in UTF-16": lambda text: text.replace(",", "\t").encode("utf-16"),
    "UTF-16 without its mark": lambda text: text.encode("utf-16-le"),
    "empty rows and columns": lambda text: (text.replace("\n", ",,\n") + ",,,\n\n").encode(),
    "old line ends": lambda text: text.replace("\n", "\r").encode(),
}


@pytest.mark.parametrize("kind", SHEETS)
def test_what_a_spreadsheet_made_of_it_is_read(kind: str) -> None:
    codes = CODES["frames with a fraction"][0]
    plain = livelink.read(phone_file(codes).encode(), "a.csv")
    assert livelink.read(SHEETS[kind](phone_file(codes)), "a.csv") == plain
    table = a2f_table([k / 30 for k in range(31)])
    assert a2f.read_csv(SHEETS[kind](table), "a.csv") == a2f.read_csv(table.encode(), "a.csv")
    assert kinds.kind_of(SHEETS[kind](table), "a.CSV") == kinds.A2F_CSV


def test_an_independent_reader_finds_61_columns_and_their_values() -> None:
    before = curves(30.0, 5)
    rows = list(csv.DictReader(io.StringIO(livelink.write(before), newline="")))
    assert len(rows) == 5 and len(rows[0]) == 63  # with time code and count
    assert rows[0]["Timecode"] == "00:00:00:00.000" and rows[4]["Timecode"] == "00:00:00:04.000"
    assert rows[0]["BlendShapeCount"] == "61" and list(rows[0])[2] == "EyeBlinkLeft"
    place = before.names.index("jawOpen")
    assert float(rows[3]["JawOpen"]) == pytest.approx(before.rows[3][place], abs=1e-7)


def phone_file(codes: list[str], names: list[str] | None = None, values: float | None = None) -> str:
    names = livelink.ORDER if names is None else names
    lines = [",".join(["Timecode", "BlendShapeCount", *names])]
    for step, code in enumerate(codes):
        value = step / 100 if values is None else values
        lines.append(",".join([code, str(len(names)), *[f"{value:.4f}"] * len(names)]))
    return "\n".join(lines) + "\n"


CODES = {
    "frames with a fraction": ([f"10:32:{5 + k // 60:02d}:{k % 60:02d}.231" for k in range(130)], 60.0),
    "frames without": ([f"10:32:{5 + k // 30:02d}:{k % 30:02d}" for k in range(70)], 30.0),
    "frames of three digits": ([f"10:32:{5 + k // 60:02d}:{k % 60:03d}" for k in range(130)], 60.0),
    "thousandths of a second": (
        [f"10:32:{5 + k // 30:02d}:{round(k % 30 / 30 * 1000):03d}" for k in range(70)],
        30.0,
    ),
    "over midnight": ([f"{'23:59:59' if k < 30 else '00:00:00'}:{k % 30:02d}.000" for k in range(60)], 30.0),
}


@pytest.mark.parametrize("what", CODES)
def test_every_kind_of_time_code_gives_the_rate(what: str) -> None:
    codes, rate = CODES[what]
    found = livelink.read(phone_file(codes).encode(), "a.csv")
    assert found.rate == rate and len(found.rows) == len(codes)
    assert found.rows[10][0] == pytest.approx(0.1, abs=2e-3)


@pytest.mark.parametrize("count", [51, 52])
def test_old_files_without_angles_are_read(count: int) -> None:
    found = livelink.read(phone_file(CODES["frames without"][0], livelink.ORDER[:count]).encode(), "a.csv")
    assert len(found.names) == count and "headYaw" not in found.names


def test_columns_in_another_order_and_foreign_ones_do_no_harm() -> None:
    names = ["Battery", *reversed(livelink.ORDER)]
    found = livelink.read(phone_file(CODES["frames without"][0], names).encode(), "a.csv")
    assert set(found.names) == set(arkit.NAMES)


def test_dropped_frames_are_filled_in() -> None:
    codes = CODES["frames with a fraction"][0]
    whole = phone_file(codes).splitlines()
    cut = whole[:20] + whole[25:]
    found = livelink.read("\n".join(cut).encode(), "a.csv")
    assert len(found.rows) == 130 and found.rows[21][0] == pytest.approx(0.21, abs=1e-3)


WRONG_CSV = {
    "nothing": "",
    "another table": "a,b\n1,2\n",
    "no rows": phone_file([]),
    "hardly a name": phone_file(CODES["frames without"][0], ["JawOpen", "Smile"]),
    "a short row": phone_file(["00:00:00:00.0"]) + "00:00:00:01.0,52,0.1\n",
    "no time code": phone_file(["yesterday"]),
    "a word for a weight": phone_file(["00:00:00:00.0"]).replace("0.0000", "much", 1),
    "no finite weight": phone_file(["00:00:00:00.0"]).replace("0.0000", "nan", 1),
    "a name twice": phone_file(["00:00:00:00.0"], [*livelink.ORDER, "jawOpen"]),
    "a time of 61 minutes": phone_file(["00:61:00:00.0"]),
    "a weight beyond bounds": phone_file(["00:00:00:00.0"]).replace("0.0000", "1e30", 1),
}


@pytest.mark.parametrize("what", WRONG_CSV)
def test_a_wrong_live_link_file_is_one_sentence(what: str) -> None:
    with pytest.raises(BadMotion, match=r"a\.csv") as caught:
        livelink.read(WRONG_CSV[what].encode(), "a.csv")
    assert "\n" not in str(caught.value)


# --- Audio2Face -----------------------------------------------------------------------------------


def a2f_json(names: list[str], **more) -> str:
    matrix = RANDOM.uniform(0, 1, (7, len(names))).round(5).tolist()
    return json.dumps(
        {
            "exportFps": 30.0,
            "trackPath": "/World/voice.wav",
            "numPoses": len(names),
            "numFrames": 7,
            "facsNames": names,
            "weightMat": matrix,
            **more,
        }
    )


@pytest.mark.parametrize("count", [46, 52])
def test_audio2face_json_old_and_new(count: int) -> None:
    text = a2f_json(list(arkit.NAMES[:count]))
    found = a2f.read_json(text.encode(), "a.json")
    assert found.rate == 30.0 and found.names == arkit.NAMES[:count]
    np.testing.assert_allclose(np.array(found.rows), json.loads(text)["weightMat"])


def a2f_table(times: list[float]) -> str:
    header = ",".join(["timeCode", *(f"blendShapes.{name}" for name in livelink.ORDER)])
    return "\n".join([header, *(",".join([f"{time:.6f}"] * 53) for time in times)]) + "\n"


@pytest.mark.parametrize("even", [True, False])
def test_audio2face_csv(even: bool) -> None:
    times = [k / 60 for k in range(61)] if even else [0.0, 0.1, 0.15, 0.5, 1.0]
    found = a2f.read_csv(a2f_table(times).encode(), "a.csv")
    assert found.rate == pytest.approx(60.0, abs=0.01) and len(found.rows) == 61
    np.testing.assert_allclose(np.array(found.rows)[:, 0], np.arange(61) / 60, atol=1e-4)


WRONG_A2F = {
    "no JSON": "{",
    "a list": "[]",
    "nested without end": "[" * 100_000,
    "no rows": a2f_json(list(arkit.NAMES), weightMat=[]),
    "ragged rows": a2f_json(list(arkit.NAMES), weightMat=[[0.0] * 52, [0.0]]),
    "words": a2f_json(list(arkit.NAMES), weightMat=[["x"] * 52]),
    "no rate": a2f_json(list(arkit.NAMES), exportFps=0),
    "names of something else": a2f_json([f"pose{k}" for k in range(46)]),
    "names that are none": a2f_json(list(arkit.NAMES), facsNames=[1, 2]),
}


@pytest.mark.parametrize("what", WRONG_A2F)
def test_a_wrong_audio2face_file_is_one_sentence(what: str) -> None:
    with pytest.raises(BadMotion, match=r"a\.json") as caught:
        a2f.read_json(WRONG_A2F[what].encode(), "a.json")
    assert "\n" not in str(caught.value)


# --- timed mouth shapes ---------------------------------------------------------------------------

RHUBARB = [("X", 0.0, 0.2), ("A", 0.2, 0.36), ("D", 0.36, 0.72), ("F", 0.72, 1.0), ("X", 1.0, 1.2)]


def rhubarb_json() -> str:
    listed = [{"start": start, "end": end, "value": value} for value, start, end in RHUBARB]
    return json.dumps({"metadata": {"soundFile": "a.wav", "duration": 1.2}, "mouthCues": listed})


def textgrid(long: bool, tiers: tuple[str, ...] = ("words", "phones")) -> str:
    phones = [(0.0, 0.2, ""), (0.2, 0.36, "M"), (0.36, 0.72, "AA1"), (0.72, 1.0, 'UW"1"'), (1.0, 1.2, "sil")]
    words = [(0.0, 0.2, ""), (0.2, 1.0, "mao 5"), (1.0, 1.2, "")]
    out = ['File type = "ooTextFile"', 'Object class = "TextGrid"', ""]
    out += (
        ["xmin = 0", "xmax = 1.2", "tiers? <exists>", f"size = {len(tiers)}", "item []:"]
        if long
        else [
            "0",
            "1.2",
            "<exists>",
            str(len(tiers)),
        ]
    )
    for number, name in enumerate(tiers, 1):
        rows = phones if "phone" in name else words
        if long:
            out += [f"    item [{number}]:", '        class = "IntervalTier"', f'        name = "{name}"']
            out += ["        xmin = 0", "        xmax = 1.2", f"        intervals: size = {len(rows)}"]
        else:
            out += ['"IntervalTier"', f'"{name}"', "0", "1.2", str(len(rows))]
        for k, (start, end, text) in enumerate(rows, 1):
            quoted = '"' + text.replace('"', '""') + '"'
            if long:
                out += [
                    f"        intervals [{k}]:",
                    f"            xmin = {start}",
                    f"            xmax = {end}",
                ]
                out += [f"            text = {quoted}"]
            else:
                out += [str(start), str(end), quoted]
    return "\n".join(out) + "\n"


PGO = """lipsync version 1
a.wav
25
30
1
\tvoice 1
\tmao
\t1
\t\tmao
\t\t5
\t\t24
\t\t1
\t\t\tmao 5 24 3
\t\t\t\t5 MBP
\t\t\t\t9 AI
\t\t\t\t18 WQ
"""
PG2 = json.dumps(
    {
        "version": 2,
        "fps": 25,
        "sound_path": "a.wav",
        "voices": [
            {
                "name": "voice 1",
                "phrases": [
                    {
                        "words": [
                            {
                                "phonemes": [
                                    {"text": "MBP", "frame": 5},
                                    {"text": "AI", "frame": 9},
                                    {"text": "WQ", "frame": 18},
                                ]
                            }
                        ]
                    }
                ],
            }
        ],
    }
)
FILES = {
    "a.json": rhubarb_json(),
    "a.tsv": "".join(f"{start:.2f}\t{shape}\n" for shape, start, _ in RHUBARB),
    "long.TextGrid": textgrid(long=True),
    "short.TextGrid": textgrid(long=False),
    "speaker.TextGrid": textgrid(True, ("Anna - words", "Anna - phones")),
    "a.dat": "MohoSwitch1\n1 rest\n6 MBP\n10 AI\n19 WQ\n26 rest\n",
    "a.pgo": PGO,
    "a.pg2": PG2,
}


@pytest.mark.parametrize("name", FILES)
def test_every_kind_of_file_says_mao_at_its_time(name: str) -> None:
    found = cues.read(FILES[name].encode(), name, rate=25)
    looks, unknown = visemes.looks_of(found)
    assert not unknown
    spoken = [one for one in looks if one[0] != "rest"]
    assert [look for look, _, _ in spoken] == ["shut", "open", "kiss"]
    np.testing.assert_allclose([start for _, start, _ in spoken], [0.2, 0.36, 0.72], atol=0.021)
    mouth = visemes.track(looks, [(k + 0.5) / 25 for k in range(30)])
    assert mouth[7 if name not in ("a.dat", "a.pgo", "a.pg2") else 6]["press"] > 0.9
    assert mouth[13]["jaw_open"] > 0.5 and mouth[20]["pucker"] > 0.6 and mouth[1]["jaw_open"] < 0.02


def test_a_textgrid_in_utf16_is_read_as_praat_writes_it() -> None:
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"):
        assert len(cues.read(textgrid(long=True).encode(encoding), "a.TextGrid")) == 5


CAUSES = {
    ("a.csv", b"PK\x03\x04" + bytes(90)): "Excel workbook",
    ("a.csv", "größe".encode("cp1252")): "not text in UTF-8",
    ("a.csv", phone_file(["00:00:00:00"], ["Smile", "Blink", "Nod"]).encode()): "'Smile', 'Blink', 'Nod'",
    ("a.csv", phone_file(["31.12.2026 10:00"]).encode()): "no time code",
    ("a.json", a2f_json(list(arkit.NAMES))[:-9].encode()): "breaks off",
    ("a.json", b"\xff\xfe["): "UTF-16",
    ("a.json", a2f_json([f"pose{k}" for k in range(46)]).encode()): "'pose2'",
    ("a.TextGrid", b"ooBinaryFile\x08TextGrid" + bytes(90)): "binary file of Praat",
    ("a.TextGrid", textgrid(True)[:300].encode()): "breaks off",
    ("a.TextGrid", textgrid(True, ()).encode()): "its tiers are none",
    ("a.pgo", b"lipsync version 1\na.wav\n"): "breaks off",
    ("a.dat", b"MohoSwitch1\n5\n"): "no frame number",
    ("a.tsv", b"0.5 A\n"): "a tab between",
    ("a.wav", b"RIFF"): "must end in",
}


@pytest.mark.parametrize(("name", "data"), CAUSES, ids=lambda part: str(part[:12]))
def test_the_true_cause_is_named(name: str, data: bytes) -> None:
    with pytest.raises(BadMotion) as caught:
        kind = kinds.kind_of(data, name)
        readers = {
            kinds.CUES: cues.read,
            kinds.LIVELINK: livelink.read,
            kinds.A2F_JSON: a2f.read_json,
            kinds.A2F_CSV: a2f.read_csv,
            kinds.WEIGHTS: lambda data, name: weights.read(data, name, name[name.rindex(".") :]),
        }
        readers[kind](data, name)
    assert CAUSES[name, data] in str(caught.value) and name in str(caught.value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 250


def test_too_many_rows_are_refused_before_they_are_laid_out() -> None:
    far = phone_file(["00:00:00:00", "09:00:00:00", "18:00:00:00", "23:59:59:29"])
    with pytest.raises(BadMotion, match="too long"):
        livelink.read(far.encode(), "a.csv")


def test_only_the_first_voice_of_papagayo_counts_and_between_words_is_rest() -> None:
    two = PGO.replace("30\n1\n", "60\n2\n") + PGO.split("30\n1\n")[1].replace("18 WQ", "40 FV")
    later = "\t\t\tno 40 44 1\n\t\t\t\t40 O\n"
    found = cues.read((PGO + later).encode(), "a.pgo")
    assert [(one.shape, round(one.start * 25)) for one in found][-3:] == [
        ("rest", 25),
        ("O", 40),
        ("rest", 45),
    ]
    assert "FV" not in [one.shape for one in cues.read(two.encode(), "a.pgo")]


def test_a_textgrid_of_words_alone_says_which_tiers_it_has() -> None:
    with pytest.raises(BadMotion, match="no tier of phones; its tiers are 'words', 'notes'"):
        cues.read(textgrid(True, ("words", "notes")).encode(), "a.TextGrid")


WRONG_CUES = {
    "a.json": [
        "{",
        "[]",
        '{"mouthCues": []}',
        '{"mouthCues": [1]}',
        '{"mouthCues": [{"start": 1, "end": 0, "value": "A"}]}',
    ],
    "a.tsv": ["", "a\tb\n", "0.5 A\n", "-1\tA\n", "nan\tA\n"],
    "a.TextGrid": ["", "hello", textgrid(True)[:300], textgrid(False)[:90]],
    "a.dat": ["", "hello", "MohoSwitch1\n", "MohoSwitch1\nx AI\n", "MohoSwitch1\n5\n"],
    "a.pgo": ["", "lipsync version 1\n", PGO.replace("25\n30", "x\n30"), PGO.split("\t\t\t\t")[0]],
    "a.pg2": [
        "{",
        "{}",
        '{"fps": 0, "voices": []}',
        '{"voices": [{}]}',
        '{"voices": [{"phrases": [{"words": [{"phonemes": [{"text": "AI", "frame": "x"}]}]}]}]}',
    ],
    "a.mp3": ["hello"],
}


@pytest.mark.parametrize(
    ("name", "text"), [(name, text) for name, texts in WRONG_CUES.items() for text in texts]
)
def test_a_wrong_file_of_shapes_is_one_sentence(name: str, text: str) -> None:
    with pytest.raises(BadMotion) as caught:
        cues.read(text.encode(), name)
    assert "\n" not in str(caught.value) and name in str(caught.value)


@pytest.mark.parametrize(
    ("shapes", "looks"),
    [
        ("A B C D E F G H X", "shut teeth half open round kiss bite tongue rest"),
        ("AI E O U etc L WQ MBP FV rest", "open smile round kiss teeth tongue kiss shut bite rest"),
        ("AE1 IY0 UW2 M F TH L", "half smile kiss shut bite lisp tongue"),
        ("ɑː tʰ ʃ m̩ oʊ θ", "open tongue hush shut round lisp"),
    ],
)
def test_the_same_letter_means_what_it_means_in_its_file(shapes: str, looks: str) -> None:
    found, unknown = visemes.looks_of([Cue(shape, k, k + 1) for k, shape in enumerate(shapes.split())])
    assert [look for look, _, _ in found] == looks.split() and not unknown


def test_unknown_shapes_are_named_and_open_the_mouth_a_little() -> None:
    found, unknown = visemes.looks_of([Cue("M", 0, 1), Cue("%&", 1, 2)])
    assert found[1][0] == "back" and unknown == ["%&"]


def test_lips_meet_however_short_the_shape_and_whatever_stands_beside_it() -> None:
    for rate in (12.0, 24.0, 25.0, 60.0):
        looks = [("open", 0.0, 0.48), ("shut", 0.48, 0.52), ("open", 0.52, 1.0)]
        mouth = visemes.track(looks, [(k + 0.5) / rate for k in range(int(rate))])
        assert max(step["press"] for step in mouth) == 1.0
        assert all(0 <= value <= 1 for step in mouth for value in step.values())
