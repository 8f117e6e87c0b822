"""Specimens: one row that links, one with every kind of column and a state machine."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django_fsm import FSMField, FSMModelMixin, transition

from audit.models import Tracked, personal, records


class Shelf(Tracked):
    name = models.CharField(max_length=50, unique=True)
    objects: ClassVar[Any] = models.Manager()
    history = records()

    def __str__(self) -> str:
        return self.name


class Thing(FSMModelMixin, Tracked):
    name = models.CharField(max_length=50)
    email = personal(models.EmailField(null=True))
    born_on = personal(models.DateField(null=True))
    shelf = models.ForeignKey(Shelf, models.SET_NULL, null=True, related_name="+")
    state = FSMField(default="open", protected=True, choices=[(one, one) for one in ("open", "working", "done")])
    is_imported = models.BooleanField(default=False)
    counter = models.IntegerField(default=0)
    due_at = models.DateTimeField(null=True)
    price = models.DecimalField(max_digits=8, decimal_places=2, null=True)
    data = models.JSONField(default=dict)
    tags = ArrayField(models.TextField(), default=list)
    numbers = ArrayField(models.IntegerField(), default=list)
    blob = models.BinaryField(null=True)
    uid = models.UUIDField(default=uuid.uuid4)
    ratio = models.FloatField(default=0.5)
    seen_at = models.DateTimeField(null=True)
    objects: ClassVar[Any] = models.Manager()
    history = records(exclude=["seen_at"])

    fsm_initial: ClassVar[set[str]] = {"open", "done"}
    fsm_import_exits: ClassVar[set[tuple[str, str]]] = {("done", "working")}

    def __str__(self) -> str:
        return self.name

    @transition(state, source="open", target="working")
    def start(self) -> None: ...

    @transition(state, source="working", target="done")
    def finish(self) -> None: ...


class Errand(FSMModelMixin, models.Model):
    """Nobody edits it, so it has no history; its states are guarded all the same."""

    state = FSMField(default="queued", protected=True, choices=[(one, one) for one in ("queued", "sent", "failed")])
    lease_until = models.DateTimeField(null=True)
    objects: ClassVar[Any] = models.Manager()
    fsm_initial: ClassVar[set[str]] = {"queued"}

    def __str__(self) -> str:
        return f"errand {self.pk}"

    @transition(state, source="queued", target="sent")
    def mark_sent(self) -> None: ...

    @transition(state, source=["queued", "sent"], target="failed")
    def fail(self) -> None: ...
