"""The rooms: what each file may hold, and what no file may do."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.architecture.tree import APPS, files, name_of, parsed, rules

CLOCKS = {
    "timezone.now", "datetime.now", "datetime.datetime.now", "datetime.utcnow", "time.time", "date.today",
    "datetime.date.today", "timezone.localtime", "timezone.localdate", "dt.datetime.now", "now", "database_time",
    "queries.database_time", "time.time_ns", "time.monotonic", "dt.date.today",
}  # fmt: skip
PRIVATE_ROOMS = {"handlers", "tasks", "api", "admin", "views", "forms"}
#: The base classes that all share, and what the project itself mounts and drives.
SHARED_ROOMS = {"audit.admin"}
MOUNTED_ROOMS = {"api", "tasks"}
FORBIDDEN_NAMES = {"utils", "helpers", "common", "misc", "managers", "signals"}


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _calls(path: Path) -> list[tuple[str, int]]:
    return [(ast.unparse(node.func), node.lineno) for node in ast.walk(parsed(path)) if isinstance(node, ast.Call)]


def test_no_room_has_a_name_that_says_nothing() -> None:
    assert [name_of(path) for path in files() if path.stem in FORBIDDEN_NAMES] == []


def test_actions_and_rules_never_read_a_clock() -> None:
    pure = rules()
    watched = [
        path for path in files()
        if path.name in {"actions.py", "permissions.py", "handlers.py"} or "actions" in path.parts or path in pure
    ]  # fmt: skip
    readings = [f"{name_of(path)}:{line} {call}" for path in watched for call, line in _calls(path) if call in CLOCKS]
    assert watched
    assert readings == []


def test_rules_import_no_framework() -> None:
    for path in rules():
        framework = {one for one in _imports(path) if one.split(".")[0] in {"django", "rest_framework", "celery"}}
        assert framework == set(), name_of(path)


def test_no_app_enters_another_apps_private_rooms() -> None:
    guilty = []
    for path in files():
        own = name_of(path).split("/")[0]
        private = PRIVATE_ROOMS - (MOUNTED_ROOMS if own == "servicedesk" else set())
        for one in _imports(path):
            app, _, room = ".".join(one.split(".")[:2]).partition(".")
            if app in APPS and app != own and room in private and f"{app}.{room}" not in SHARED_ROOMS:
                guilty.append(f"{name_of(path)} imports {one}")
    assert guilty == []


def test_settings_come_only_through_django() -> None:
    direct = [
        name_of(path) for path in files(*APPS)
        if any(one.startswith("servicedesk") for one in _imports(path))
        or any(call in {"os.getenv", "os.environ.get"} for call, _ in _calls(path))
    ]  # fmt: skip
    # The failpoints of the fault tests are steered from outside the process on purpose.
    assert [one for one in direct if one != "audit/failpoints.py"] == []


def test_no_signal_receivers() -> None:
    guilty = [name_of(path) for path in files() if any("django.dispatch" in one for one in _imports(path))]
    guilty += [
        f"{name_of(path)}:{line}" for path in files() for call, line in _calls(path) if call.endswith("_save.connect")
    ]
    assert guilty == []


def test_only_the_guarded_client_imports_an_http_client() -> None:
    libraries = {"httpx", "requests", "urllib3", "aiohttp", "urllib.request", "http.client"}
    users = [name_of(path) for path in files(*APPS) if _imports(path) & libraries]
    assert users == ["notify/client.py"]


def test_fsm_rows_are_never_refreshed_or_deferred() -> None:
    calls = [
        f"{name_of(path)}:{line}" for path in files() for call, line in _calls(path)
        if call.rsplit(".", 1)[-1] in {"refresh_from_db", "only", "defer"} and call != "super().refresh_from_db"
    ]  # fmt: skip
    assert calls == []


def test_no_lower_app_asks_the_registry_for_a_model_of_an_upper_one() -> None:
    guilty = []
    for path in files(*APPS):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("get_model"):
                guilty += [f"{name_of(path)}:{node.lineno}" for one in node.args if isinstance(one, ast.Constant)]
    assert guilty == []


@pytest.mark.parametrize("path", [path for path in files(*APPS) if path.name == "handlers.py"], ids=name_of)
def test_a_handler_is_one_to_three_lines(path: Path) -> None:
    for node in parsed(path).body:
        if isinstance(node, ast.FunctionDef):
            statements = [
                one for one in node.body if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))
            ]
            assert sum(1 for one in statements for _ in ast.walk(one) if isinstance(_, ast.stmt)) <= 3, (
                f"{path}: {node.name}"
            )
