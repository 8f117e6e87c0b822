"""One verb on up to fifty incidents, each by itself, with a result for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction
from rest_framework import serializers
from rest_framework.response import Response

import incidents.actions
from audit.actions import ActionRefused
from audit.rest import ApiViewSet, Call, EmptyInput, StrictSerializer, verb
from incidents import queries
from incidents.api import inputs
from incidents.models import Incident

#: PostgreSQL slows down past 64 savepoints of one transaction, and a call with an Idempotency-Key is one.
MOST = 50


def _hold(reason: str, **given: Any) -> Incident:
    return incidents.actions.put_on_hold(hold_reason=reason, **given)


#: verb -> (what its data is parsed by, the action)
VERBS: dict[str, tuple[type[StrictSerializer] | None, Callable[..., Any]]] = {
    "claim": (None, incidents.actions.claim),
    "assign": (inputs.AssignInput, incidents.actions.assign),
    "start": (None, incidents.actions.start),
    "hold": (inputs.HoldInput, _hold),
    "resume": (inputs.NoteInput, incidents.actions.resume),
    "resolve": (inputs.ResolveInput, incidents.actions.resolve),
    "close": (inputs.CloseInput, incidents.actions.close),
    "cancel": (inputs.CancelInput, incidents.actions.cancel),
    "comments": (inputs.CommentInput, incidents.actions.comment),
}


class BulkRow(StrictSerializer):
    """An incident, and the version that the caller saw where it matters."""

    incident = serializers.CharField(max_length=30)
    version = serializers.IntegerField(required=False, min_value=1)


class BulkInput(StrictSerializer):
    """`values` is what the verb takes on one incident."""

    verb = serializers.ChoiceField(choices=sorted(VERBS))
    values = serializers.DictField(required=False)
    incidents = serializers.ListField(child=BulkRow(), allow_empty=False, max_length=MOST)


class BulkResult(serializers.Serializer[Any]):
    """What became of one: `status` is what the verb alone would have answered."""

    incident = serializers.CharField()
    done = serializers.BooleanField()
    status = serializers.IntegerField()
    version = serializers.IntegerField(allow_null=True)
    code = serializers.CharField(allow_blank=True)
    field = serializers.CharField(allow_blank=True)
    detail = serializers.CharField(allow_blank=True)
    remedy = serializers.CharField(allow_blank=True)


class BulkAnswer(serializers.Serializer[Any]):
    done = serializers.IntegerField()
    refused = serializers.IntegerField()
    results = BulkResult(many=True)


class BulkRoute(ApiViewSet):
    """`POST bulk/`: the same guards as one by one; a refusal stops no other."""

    @verb(BulkInput, detail=False, shows=BulkAnswer)
    def bulk(self, call: Call) -> Response:
        """Carries a verb out on several incidents and says for each what became of it."""
        takes, act = VERBS[call.data["verb"]]
        data = (takes or EmptyInput).parse(call.data.get("values", {}), self.get_serializer_context())
        results = [self._on_one(row, act, data, call) for row in call.data["incidents"]]
        done = sum(one["done"] for one in results)
        return Response({"done": done, "refused": len(results) - done, "results": results})

    def _on_one(self, row: dict[str, Any], act: Callable[..., Any], data: dict[str, Any], call: Call) -> dict[str, Any]:
        number = queries.number_of(row["incident"])
        found: Incident | None = None if number is None else self.get_queryset().filter(number=number).first()
        if found is None:
            return _result(row["incident"], 404, code="not_found", detail="There is no such incident.")
        try:
            with transaction.atomic():
                done = act(incident=found, by=call.by, at=call.at, expected_version=row.get("version"), **data)
        except ActionRefused as refusal:
            return _result(
                found.reference, refusal.status, code=refusal.code, field=refusal.field, detail=str(refusal.detail),
                remedy=str(refusal.remedy),
            )  # fmt: skip
        version = done.version if isinstance(done, Incident) else Incident.objects.get(pk=found.pk).version
        return _result(found.reference, 200, version=version)


def _result(reference: str, status: int, **more: Any) -> dict[str, Any]:
    empty = {"version": None, "code": "", "field": "", "detail": "", "remedy": ""}
    return {"incident": reference, "done": status < 300, "status": status, **empty, **more}
