"""Who listens to what: the registry of event kinds and handlers, loaded from each app's `events` and `handlers`."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Model

from audit.actor import Actor
from audit.events import Kind


@dataclasses.dataclass(frozen=True, slots=True)
class Recorded:
    """What a handler is given: the event's facts, with the live objects that the action holds under its locks."""

    kind: str
    subject: Any
    about: Any
    by: Actor
    at: datetime
    data: dict[str, Any]
    event_id: int
    reason: str = ""
    shared: dict[str, Any] = dataclasses.field(default_factory=dict, repr=False, compare=False)

    def once(self, name: str, load: Callable[[], Any]) -> Any:
        """What `load()` gives, asked only once for all events that are recorded together: for rules, not for facts."""
        if name not in self.shared:
            self.shared[name] = load()
        return self.shared[name]


Handler = Callable[[Recorded], None]


@dataclasses.dataclass(frozen=True, slots=True)
class Subscription:
    """One handler of one kind. `required`: its failure fails the action. `deferred`: runs later from a Delivery row."""

    kind: str
    name: str
    handler: Handler
    required: bool = False
    deferred: bool = False


_kinds: dict[str, Kind] = {}
_subscriptions: dict[str, list[Subscription]] = {}


def subscribe(*kinds: str, required: bool = False, deferred: bool = False) -> Callable[[Handler], Handler]:
    """Registers the decorated function for these kinds; refuses `required` together with `deferred`."""
    if required and deferred:
        raise ImproperlyConfigured("a handler is either required (in the transaction) or deferred (after it)")

    def register(handler: Handler) -> Handler:
        name = f"{handler.__module__}.{handler.__qualname__}"
        for kind in kinds:
            known = _subscriptions.setdefault(str(kind), [])
            if all(one.name != name for one in known):
                known.append(Subscription(str(kind), name, handler, required, deferred))
        return handler

    return register


def load() -> None:
    """Imports `events` and `handlers` of every installed app of ours; a handler of an undeclared kind is refused."""
    for config in apps.get_app_configs():
        for room in ("events", "handlers"):
            name = f"{config.name}.{room}"
            if not getattr(config.module, "__file__", None) or importlib.util.find_spec(name) is None:
                continue
            module = importlib.import_module(name)
            if room == "events":
                _kinds.update({str(kind): meaning for kind, meaning in getattr(module, "KINDS", {}).items()})
    unknown = sorted(set(_subscriptions) - set(_kinds))
    if unknown:
        raise ImproperlyConfigured(f"handlers subscribe to undeclared event kinds: {', '.join(unknown)}")


def declared_kinds() -> dict[str, Kind]:
    return dict(_kinds)


def subscriptions_to(kind: str) -> list[Subscription]:
    return _subscriptions.get(kind, [])


def subscription_named(kind: str, name: str) -> Subscription | None:
    return next((one for one in subscriptions_to(kind) if one.name == name), None)


def all_subscriptions() -> list[Subscription]:
    return [one for kind in sorted(_subscriptions) for one in _subscriptions[kind]]


def subject_key(subject: Model) -> tuple[str, int]:
    return subject._meta.label_lower, int(subject.pk)
