"""The viewsets of the API: reading with keyset pages, and configuration by its actions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, serializers, status
from rest_framework.decorators import action as extra_route
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from audit.actions import Forbidden, Stale, change_config, create_config, remove_config
from audit.actor import Actor
from audit.models import Tracked
from audit.rest.call import actor_of, expected_version_of, now_of
from audit.rest.filters import FieldFilters, refuse_unknown
from audit.rest.idempotency import once
from audit.rest.pages import KeysetPagination
from audit.rest.serializers import HistoryEntry
from audit.rest.versions import changes, diff_since, etag_of, is_fresh

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_SEARCH = 200


class ApiViewSet(GenericViewSet[Any]):
    """What every viewset of ours does: scopes, `visible_to`, ETags, the diff of a stale save, idempotent POSTs.

    `queryset` carries select_related and the like; where it has `visible_to(actor)`, only that is seen (else 404).
    """

    #: The resource in a key's scopes; the route's name unless set.
    scope: ClassVar[str] = ""
    #: Fields of an answer that are shown once and never stored with an idempotency key.
    shown_once: ClassVar[tuple[str, ...]] = ()
    speaks_versions: ClassVar[bool] = True
    ordering: ClassVar[tuple[str, ...]] = ("-id",)
    #: Names that `?order=` takes -> columns; the last one unique, none nullable.
    orderings: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    search_fields: ClassVar[tuple[str, ...]] = ()
    #: Query parameters of a list beyond filters, search, order and pages.
    extra_parameters: ClassVar[tuple[str, ...]] = ()
    filter_backends = (FieldFilters,)
    pagination_class = KeysetPagination
    row: Any = None

    @property
    def actor(self) -> Actor:
        return actor_of(self.request)

    @property
    def now(self) -> datetime:
        return now_of(self.request)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        scope = f"{self.scope or self.basename}:{'read' if request.method in SAFE else 'write'}"
        if not actor_of(request).has_scope(scope):
            raise Forbidden(f"this key lacks the scope {scope}", remedy="use a key with that scope")

    def get_queryset(self) -> QuerySet[Any]:
        rows = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return rows
        visible_to: Callable[[Actor], QuerySet[Any]] | None = getattr(rows, "visible_to", None)
        return visible_to(self.actor) if visible_to else rows

    def get_object(self) -> Any:
        if "\x00" in str(self.kwargs.get(self.lookup_url_kwarg or self.lookup_field)):
            raise Http404
        lookup = {self.lookup_field: self.kwargs[self.lookup_url_kwarg or self.lookup_field]}
        try:
            self.row = self.get_queryset().get(**lookup)
        except (ValueError, TypeError, OverflowError, self.get_queryset().model.DoesNotExist) as error:
            raise Http404 from error
        self.check_object_permissions(self.request, self.row)
        return self.row

    def handle_exception(self, exc: Exception) -> Response:
        """A stale save is told what changed meanwhile, as far as this resource shows it to the caller."""
        if isinstance(exc, Stale) and isinstance(self.row, Tracked):
            seen = expected_version_of(self.request, self.row)
            exc.extra["diff"] = diff_since(self.row, seen, self.diffed()) if seen is not None else {}
        return super().handle_exception(exc)

    def diffed(self) -> set[str]:
        """The fields that the diff of a stale save may show."""
        shown: Any = self.get_serializer()
        return {field.source for field in shown.fields.values()}

    def ordering_of(self, request: Request) -> tuple[str, ...]:
        name = request.query_params.get("order")
        if name is None:
            return self.ordering
        if name not in self.orderings:
            cause = f"Choose one of: {', '.join(sorted(self.orderings)) or 'none'}."
            raise exceptions.ValidationError({"order": [exceptions.ErrorDetail(cause, "invalid_choice")]})
        return self.orderings[name]

    @property
    def can_search(self) -> bool:
        return bool(self.search_fields) or type(self).search is not ApiViewSet.search

    def search(self, rows: QuerySet[Any], words: str) -> QuerySet[Any]:
        """Rows in which every word occurs in one of `search_fields`; large tables override it with their index."""
        for word in words.split()[:10]:
            condition = Q()
            for name in self.search_fields:
                condition |= Q(**{f"{name}__icontains": word})
            rows = rows.filter(condition)
        return rows

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.action != "list":
            return queryset
        given = self.request.query_params
        filterset = FieldFilters().get_filterset_class(self, queryset)
        known = {"limit", "cursor", "order", *self.extra_parameters, *(filterset.base_filters if filterset else ())}
        refuse_unknown(given, known | {"search"} if self.can_search else known)
        rows = super().filter_queryset(queryset)
        if words := given.get("search", ""):
            if len(words) > MAX_SEARCH or "\x00" in words:
                raise exceptions.ValidationError({"search": [f"Give at most {MAX_SEARCH} characters of text."]})
            rows = self.search(rows, words)
        return rows

    def paged(
        self, rows: QuerySet[Any], shown_by: type[serializers.BaseSerializer[Any]], ordering: Sequence[str] = ("-id",)
    ) -> Response:
        """One keyset page of a sub-resource."""
        pages = KeysetPagination()
        page = pages.page_of(rows, self.request, ordering)
        return pages.respond(page, shown_by(page, many=True, context=self.get_serializer_context()).data)

    def respond(
        self,
        row: Any,
        *,
        status: int = status.HTTP_200_OK,
        shown_by: type[serializers.BaseSerializer[Any]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """The object as this resource shows it, with its ETag; 304 where the caller of a GET has it already."""
        serializer = shown_by(row, context=self.get_serializer_context()) if shown_by else self.get_serializer(row)
        shown = serializer.data
        etag = etag_of(row, shown)
        if self.request.method in SAFE and is_fresh(self.request, etag):
            return Response(status=304, headers={"ETag": etag})
        return Response(shown, status=status, headers={"ETag": etag, **(headers or {})})

    def once(self, run: Callable[[], Response]) -> Response:
        return once(self.request, run, hidden=self.shown_once)


class HistoryRoute(ApiViewSet):
    """`history/`: each version of the object, who made it and what it changed. Nothing secret is ever in a history."""

    #: Requesters see the timeline, never inner fields.
    history_readers: ClassVar[frozenset[str]] = frozenset(
        {"agent", "lead", "responder", "incident_manager", "manager", "admin", "auditor", "integration"}
    )

    @extend_schema(responses=HistoryEntry(many=True), filters=False)
    @extra_route(detail=True, methods=["get"], url_path="history")
    def history(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The versions of the object, newest first: who, when, where, why, and each field old and new."""
        row = self.get_object()
        if not self.actor.has_role(*self.history_readers) or not hasattr(type(row), "history"):
            raise Http404
        past = type(row).history.filter(**{row._meta.pk.attname: row.pk})
        pages = KeysetPagination()
        page = pages.page_of(past, request, ("-version",))
        before = past.filter(version=page[-1].version - 1).first() if page else None
        shown = [_entry(newer, older) for newer, older in zip(page, [*page[1:], before], strict=True)]
        return pages.respond(page, HistoryEntry(shown, many=True).data)


def _entry(newer: Any, older: Any | None) -> dict[str, Any]:
    kinds = {"+": "created", "~": "changed", "-": "removed"}
    return {
        "version": newer.version,
        "at": newer.history_date,
        "change": kinds[newer.history_type],
        "actor": {
            "kind": newer.actor_kind,
            "id": newer.actor_id,
            "label": newer.actor_label,
            "on_behalf_of": newer.on_behalf_of,
        },
        "channel": newer.actor_channel,
        "request_id": newer.request_id,
        "reason": newer.history_change_reason or "",
        "changes": {} if newer.history_type == "-" else changes(newer, older),
    }


class ListRoute(ApiViewSet):
    """A list without details."""

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        pages: Any = self.paginator
        rows = pages.paginate_queryset(self.filter_queryset(self.get_queryset()), request, view=self)
        return pages.respond(rows, self.get_serializer(rows, many=True).data)  # type: ignore[no-any-return]


class ReadViewSet(ListRoute):
    """List and detail of what the caller may see."""

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.respond(self.get_object())


class TrackedViewSet(HistoryRoute, ReadViewSet):
    """List, detail and history of what people change by verbs."""


class ConfigViewSet(TrackedViewSet):
    """Configuration: created, changed and removed by its actions, with If-Match and history.

    Override `create_row`, `change_row` or `remove_row` where the model has actions of its own.
    """

    #: Parses the body of a POST where it differs from what is shown.
    takes: ClassVar[type[serializers.BaseSerializer[Any]] | None] = None

    def create_row(self, values: dict[str, Any]) -> Any:
        return create_config(model=self.get_queryset().model, values=values, by=self.actor, at=self.now)

    def change_row(self, row: Any, values: dict[str, Any], expected_version: int | None) -> Any:
        return change_config(row=row, values=values, by=self.actor, at=self.now, expected_version=expected_version)

    def remove_row(self, row: Any, expected_version: int | None) -> None:
        remove_config(row=row, by=self.actor, at=self.now, expected_version=expected_version)

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.once(self._create)

    def _create(self) -> Response:
        parser = self.takes or self.get_serializer_class()
        serializer = parser(data=self.request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        row = self.create_row(serializer.validated_data)
        key = getattr(row, self.lookup_field)
        return self.respond(
            row,
            status=status.HTTP_201_CREATED,
            headers={"Location": self.request.build_absolute_uri(f"{self.request.path}{key}/")},
        )

    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        row = self.get_object()
        expected = expected_version_of(request, row)
        serializer = self.get_serializer(row, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        return self.respond(self.change_row(row, serializer.validated_data, expected))

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        row = self.get_object()
        self.remove_row(row, expected_version_of(request, row))
        return Response(status=status.HTTP_204_NO_CONTENT)
