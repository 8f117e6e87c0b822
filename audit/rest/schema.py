"""What the OpenAPI document says of every operation of ours: headers, problems, search and order."""

from __future__ import annotations

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

from audit.rest.problems import MEDIA_TYPE
from audit.rest.serializers import Problem


def _header(name: str, meaning: str) -> OpenApiParameter:
    return OpenApiParameter(name, str, OpenApiParameter.HEADER, description=meaning)


IDEMPOTENCY = _header("Idempotency-Key", "The same key and body give the same answer for 24 hours.")
IF_MATCH = _header("If-Match", "The ETag of the version that the change was made on; refused with 412 when it is old.")
IF_NONE_MATCH = _header("If-None-Match", "The ETag that you have; 304 when it still holds.")


class Schema(AutoSchema):
    """The stock schema with our headers and one problem answer for every refusal."""

    def get_override_parameters(self) -> list[Any]:
        own: list[Any] = list(super().get_override_parameters())
        view: Any = self.view
        if not getattr(view, "speaks_versions", False):
            return own
        detail = getattr(view, "detail", False)
        if self.method == "POST":
            own.append(IDEMPOTENCY)
        if detail and self.method in {"POST", "PATCH", "DELETE"}:
            own.append(IF_MATCH)
        if view.action == "retrieve":
            own.append(IF_NONE_MATCH)
        if view.action == "list":
            own += self._list_parameters(view)
        return own

    def _list_parameters(self, view: Any) -> list[OpenApiParameter]:
        found = []
        if view.can_search:
            found.append(OpenApiParameter("search", str, description="Words to look for."))
        if view.orderings:
            found.append(OpenApiParameter("order", str, enum=sorted(view.orderings), description="The order."))
        return found

    def get_request_serializer(self) -> Any:
        view: Any = self.view
        takes = getattr(view, "takes", None)
        return takes if takes and view.action == "create" else super().get_request_serializer()

    def _get_response_bodies(self, direction: Any = "response") -> Any:
        bodies = super()._get_response_bodies(direction)
        describe: Any = self._get_response_for_code
        if direction == "response":
            bodies["default"] = describe(Problem, "default", [MEDIA_TYPE], direction)
            bodies["default"]["description"] = "A refusal: what, why, and the way out."
        return bodies
