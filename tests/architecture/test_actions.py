"""Every change is an action: keyword-only, atomic, attributed; every event kind is declared."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from enum import StrEnum
from types import ModuleType

import pytest

from audit import subscriptions
from tests.architecture.tree import APPS


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
