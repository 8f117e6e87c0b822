"""`make bench` runs from start to end and prints every figure; what the figures are is not a test's business."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BASE = Path(__file__).resolve().parent.parent.parent


@pytest.mark.proof
def test_every_figure_is_measured_on_a_tiny_desk(tmp_path: Path) -> None:
    written = tmp_path / "figures.jsonl"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "bench/run.py", "--size", "300", "--brief", "--json", str(written)]
    done = subprocess.run(command, cwd=BASE, env=environ, capture_output=True, text=True, timeout=600, check=False)
    figures = [json.loads(line) for line in written.read_text().splitlines()]
    expected = ["P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9", "P11", "P12", "PEER"]
    assert {one["name"] for one in figures} == set(expected), done.stderr[-2000:]
    assert [one["name"] for one in figures if one["what"] == "could not be measured"] == [], done.stderr[-2000:]
    assert "P12" in done.stdout
