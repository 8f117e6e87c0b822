"""A verb: a POST sub-resource that is one action call."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action as extra_route
from rest_framework.fields import empty
from rest_framework.request import Request
from rest_framework.response import Response

from audit.rest.call import Call, actor_of, expected_version_of, now_of
from audit.rest.serializers import EmptyInput, StrictSerializer
from audit.rest.views import ApiViewSet

Verb = Callable[[Any, Call], Any]


def verb(
    takes: type[StrictSerializer] | None = None,
    *,
    path: str = "",
    shows: type[serializers.BaseSerializer[Any]] | None = None,
    status: int = status.HTTP_200_OK,
    detail: bool = True,
) -> Callable[[Verb], Callable[..., Response]]:
    """Makes `def resolve(self, call: Call) -> row` the route `POST .../resolve/`.

    `takes` parses the body (none: an empty one), `shows` renders what the action returns (default: the viewset's
    serializer); a Response is passed through. If-Match, Idempotency-Key and the schema come with it.
    """

    def decorate(method: Verb) -> Callable[..., Response]:
        @functools.wraps(method)
        def run(self: ApiViewSet, request: Request, *args: Any, **kwargs: Any) -> Response:
            return self.once(lambda: _answer(self, method, takes or EmptyInput, shows, status))

        # The stock tools look at the wrapped signature, which is not the route's.
        del run.__wrapped__
        answers: Any = {status: shows} if shows else empty
        url_path = path or method.__name__.replace("_", "-")
        route = extra_route(detail=detail, methods=["post"], url_path=url_path)(run)
        # Outermost: the route's decorator would forget it.
        described: Callable[..., Response] = extend_schema(request=takes, responses=answers)(route)
        return described

    return decorate


def _answer(
    view: ApiViewSet,
    method: Verb,
    takes: type[StrictSerializer],
    shows: type[serializers.BaseSerializer[Any]] | None,
    status: int,
) -> Response:
    request = view.request
    row = view.get_object() if view.detail else None
    call = Call(
        request=request,
        row=row,
        data=takes.parse(request.data, view.get_serializer_context()),
        by=actor_of(request),
        at=now_of(request),
        expected_version=expected_version_of(request, row),
    )
    done = method(view, call)
    return done if isinstance(done, Response) else view.respond(done, shown_by=shows, status=status)
