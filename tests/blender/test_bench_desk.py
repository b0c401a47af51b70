# SPDX-License-Identifier: GPL-3.0-or-later
"""The measurements of the desk say what they measured and measure what works. How fast, is not asked."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "bench_desk.py"


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("bench_desk", TOOL)
    assert spec is not None and spec.loader is not None
    module = sys.modules["bench_desk"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_of(blender: str, *seconds: float) -> dict:
    row = sys.modules["desk_measures"].Row
    rows = [row("turn", seconds, "95 % under 10 ms"), row("keys", [0.5], "", "one by one", 3.25)]
    return {"blender": blender, "system": "Linux", "cores": 4, "date": "2026-01-01", "rows": rows}


def test_several_runs_become_one_table_in_the_page(bench, tmp_path: Path, capsys) -> None:
    files, page = [], tmp_path / "page.md"
    for version, seconds in (("4.2.0", (0.001, 0.002, 0.003)), ("5.0.0", (0.004, 0.004, 0.004))):
        files.append(tmp_path / f"{version}.json")
        files[-1].write_text(json.dumps(run_of(version, *seconds)), encoding="utf-8")
    page.write_text("before\n<!-- bench: begin -->\nold\n<!-- bench: end -->\nafter\n", encoding="utf-8")
    bench.main(["--collect", *map(str, files), "--doc", str(page)])
    text = page.read_text("utf-8")
    assert text.startswith("before\n") and text.endswith("\nafter\n") and "old" not in text
    assert "|  | target | Blender 4.2.0 | Blender 5.0.0 |" in text
    assert "| turn | 95 % under 10 ms | 2.00 ms (1.50 to 2.50), 95 % within 2.90 | 4.00 ms" in text
    assert "500.00 ms; 3.2 times as fast as one by one" in text
    assert text.splitlines()[2:-2] == capsys.readouterr().out.splitlines()


@pytest.mark.blender
def test_curves_and_changed_frames_are_measured_on_the_extension_itself(bench, part, tmp_path: Path) -> None:
    rows = bench.curves(part, 1) + bench.changed(part, 1, tmp_path)
    assert [row["runs"] for row in rows] == [1, 1, 1, 1]
    assert all(row["median_ms"] > 0 for row in rows) and rows[0]["ratio"] > 0 and rows[0]["plain"]


@pytest.mark.blender
@pytest.mark.slow
def test_the_server_without_a_model_answers_previews(bench, part, tmp_path: Path, server_python: str) -> None:
    import bpy

    bpy.context.preferences.addons[bench.MODULE].preferences.python = server_python
    turns = bench.ticks(part, tmp_path, 0.4)
    assert turns[0]["runs"] > 0 and "10 frames" in turns[0]["what"]
    without, with_model = bench.previews(part, tmp_path, 2)
    assert without["runs"] == with_model["runs"] == 2
    assert not list((tmp_path / "edtalk").glob("*/*.part"))
