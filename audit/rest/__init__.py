"""What all APIs share: problem+json, keyset pages, ETags, idempotency, strict serializers, viewsets and verbs."""

from audit.rest.call import Call, actor_of, expected_version_of, now_of
from audit.rest.filters import StrictFilterSet, WholeFilter
from audit.rest.idempotency import once
from audit.rest.pages import KeysetPagination
from audit.rest.problems import answer, not_found
from audit.rest.serializers import (
    EmptyInput,
    InstantField,
    Problem,
    StrictModelSerializer,
    StrictSerializer,
    VisibleField,
)
from audit.rest.verbs import verb
from audit.rest.views import ApiViewSet, ConfigViewSet, ListRoute, ReadViewSet, TrackedViewSet

__all__ = [
    "ApiViewSet",
    "Call",
    "ConfigViewSet",
    "EmptyInput",
    "InstantField",
    "KeysetPagination",
    "ListRoute",
    "Problem",
    "ReadViewSet",
    "StrictFilterSet",
    "StrictModelSerializer",
    "StrictSerializer",
    "TrackedViewSet",
    "VisibleField",
    "WholeFilter",
    "actor_of",
    "answer",
    "expected_version_of",
    "not_found",
    "now_of",
    "once",
    "verb",
]
