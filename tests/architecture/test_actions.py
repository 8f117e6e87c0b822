"""Every change is an action: keyword-only, atomic, attributed; every event kind is declared."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
from collections.abc import Iterator
from enum import StrEnum
from types import ModuleType

import pytest

from audit import subscriptions
from tests.architecture.tree import APPS, files, name_of, parsed


def _modules(room: str) -> list[ModuleType]:
    return [importlib.import_module(f"{app}.{room}") for app in APPS if importlib.util.find_spec(f"{app}.{room}")]


def _public_functions(module: ModuleType) -> list[tuple[str, object]]:
    inside = (module.__name__, module.__name__ + ".")
    return [
        (name, value) for name, value in vars(module).items()
        if inspect.isfunction(value)
        and not name.startswith("_")
        and (value.__module__ == inside[0] or value.__module__.startswith(inside[1]))
    ]  # fmt: skip


@pytest.mark.parametrize(
    "module", [one for one in _modules("actions") if one.__name__ != "audit.actions"], ids=lambda one: one.__name__
)
def test_every_public_function_of_an_actions_room_is_an_action(module: ModuleType) -> None:
    functions = _public_functions(module)
    assert functions
    assert [name for name, value in functions if not getattr(value, "is_action", False)] == []


@pytest.mark.parametrize("module", _modules("actions"), ids=lambda one: one.__name__)
def test_every_action_says_what_it_does(module: ModuleType) -> None:
    assert [name for name, value in _public_functions(module) if not inspect.getdoc(value)] == []


@pytest.mark.parametrize("module", _modules("events"), ids=lambda one: one.__name__)
def test_every_event_kind_is_declared_with_its_meaning(module: ModuleType) -> None:
    kinds = [
        member for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, StrEnum) and value.__module__ == module.__name__
        for member in value
    ]  # fmt: skip
    assert {str(one) for one in kinds} == {str(one) for one in module.KINDS}
    for kind, declared in module.KINDS.items():
        noun, _, verb = str(kind).partition(".")
        assert noun, kind
        assert verb, kind
        assert declared.meaning.endswith("."), kind


def test_every_subscription_is_to_a_declared_kind() -> None:
    assert {one.kind for one in subscriptions.all_subscriptions()} <= set(subscriptions.declared_kinds())


def _vocabulary() -> dict[str, str]:
    """`IncidentEvent.OPENED` -> `incident.opened`, of every app."""
    return {
        f"{name}.{member.name}": str(member)
        for module in _modules("events") for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, StrEnum) and value.__module__ == module.__name__
        for member in value
    }  # fmt: skip


def _recordings() -> Iterator[tuple[str, str, set[str], bool]]:
    """Of each call of `record`: where, its kind, the keys that it names, and whether it names all of them."""
    words = _vocabulary()
    for path in files(*APPS):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {"record", "actions.record"}:
                where = f"{name_of(path)}:{node.lineno}"
                assert node.args, where
                named = {one.arg for one in node.keywords if one.arg} - {"about", "reason"}
                kind = words.get(ast.unparse(node.args[0]), f"undeclared: {ast.unparse(node.args[0])}")
                yield where, kind, named, all(one.arg for one in node.keywords)


def test_every_recorded_kind_is_declared_and_carries_the_keys_that_it_declares() -> None:
    declared, wrong, seen = subscriptions.declared_kinds(), {}, set()
    for where, kind, named, is_complete in _recordings():
        seen.add(kind)
        keys = set(declared[kind].keys) if kind in declared else None
        if keys is None or not named <= keys or (is_complete and named != keys):
            wrong[where] = (kind, sorted(named), sorted(keys or ()))
    assert wrong == {}
    assert len(seen) > 40


def test_no_declared_kind_is_never_recorded() -> None:
    used = {
        word for path in files(*APPS) if path.name != "events.py"
        for word in (ast.unparse(node) for node in ast.walk(parsed(path)) if isinstance(node, ast.Attribute))
    }  # fmt: skip
    assert sorted(kind for word, kind in _vocabulary().items() if word not in used) == []
