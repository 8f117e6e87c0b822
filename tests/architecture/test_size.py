"""The size budget: small functions, small modules, and the largest of each."""

from __future__ import annotations

import ast
import statistics

from tests.architecture.tree import ROOT, files, name_of, parsed


def _p95(numbers: list[int]) -> int:
    ordered = sorted(numbers)
    return ordered[int(0.95 * (len(ordered) - 1))]


def test_modules_stay_small() -> None:
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in files()}
    assert {name: lines for name, lines in lengths.items() if lines > 500} == {}
    assert _p95(list(lengths.values())) <= 350


def test_functions_stay_small() -> None:
    lengths = {
        f"{name_of(path)}:{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in files()
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: lines for name, lines in lengths.items() if lines > 80} == {}
    assert _p95(list(lengths.values())) <= 40


def test_tests_stay_small() -> None:
    lengths = [
        (node.end_lineno or 0) - node.lineno + 1
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    assert len(lengths) > 1000
    assert statistics.median(lengths) <= 15
