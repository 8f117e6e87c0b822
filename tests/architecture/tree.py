"""The project's own Python files, parsed once for the tests of its structure."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
APPS = ("audit", "accounts", "notify", "incidents", "sla", "oncall", "alerts", "postmortems", "integrations", "metrics")
PACKAGES = (*APPS, "servicedesk")
#: The layer of each app; a lower number may not know a higher one, equals do not know each other.
LAYER = {
    "audit": 0, "accounts": 1, "notify": 2, "incidents": 3, "sla": 4,
    "oncall": 5, "alerts": 5, "postmortems": 5, "integrations": 5, "metrics": 6, "servicedesk": 7,
}  # fmt: skip
#: Pure modules, or packages of them: functions of values.
_RULES = (
    "integrations/webhooks",
    "audit/actor.py", "audit/chain.py", "accounts/roles.py", "incidents/priority.py", "incidents/routing.py",
    "incidents/times.py", "incidents/wording.py", "incidents/passes.py", "incidents/filetypes.py",
    "sla/businesstime", "sla/fold.py",
    "sla/terms.py", "oncall/rotation.py", "oncall/steps.py", "oncall/weekhours.py", "alerts/parsed.py",
    "postmortems/gate.py", "notify/threading.py",
    "metrics/fold.py", "metrics/buckets.py", "metrics/charts.py",
)  # fmt: skip


#: More of them: what texts show, which zones there are.
_MORE_RULES = ("audit/texts.py", "audit/zones.py", "accounts/roster.py")
ALL_RULES = (*_RULES, *_MORE_RULES)


@functools.cache
def files(*packages: str) -> tuple[Path, ...]:
    found = [path for package in packages or PACKAGES for path in (ROOT / package).rglob("*.py")]
    return tuple(sorted(path for path in found if "migrations" not in path.parts))


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def called_names(node: ast.AST) -> list[tuple[str, int]]:
    """Dotted names of everything called below `node`, with the line."""
    return [(ast.unparse(one.func), one.lineno) for one in ast.walk(node) if isinstance(one, ast.Call)]


def rules() -> list[Path]:
    """The files of the pure modules; a name that stands for nothing is an error of this list."""
    found = [
        path for name in ALL_RULES for path in files() if name_of(path) == name or name_of(path).startswith(f"{name}/")
    ]
    missing = [name for name in ALL_RULES if not any(name_of(path).startswith(name) for path in found)]
    assert not missing, missing
    return found
