"""Incidents by REST: list, detail, logging, revising, and one route for each verb."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action as extra_route
from rest_framework.request import Request
from rest_framework.response import Response

import incidents.actions
from accounts.models import User
from audit.actions import Invalid
from audit.rest import Call, KeysetPagination, StrictFilterSet, TrackedViewSet, expected_version_of, verb
from incidents import permissions, queries
from incidents.api import inputs
from incidents.api.bulk import BulkRoute
from incidents.api.files import FileRoutes
from incidents.api.majors import MajorRoutes
from incidents.api.related import RelatedRoutes
from incidents.api.routing import WhyTeamSerializer
from incidents.api.shown import (
    COLUMNS,
    INTERNAL,
    RELATIONS,
    CommentSerializer,
    IncidentSerializer,
    ParticipantSerializer,
    SimilarSerializer,
    TimelineEntrySerializer,
    is_staff_row,
    listed,
    visible_relations,
)
from incidents.models import OPEN_STATES, Channel, Incident, Kind, State, Task


class IncidentFilter(StrictFilterSet):
    """Filters of the list; times are half-open: since <= t < until."""

    state = django_filters.MultipleChoiceFilter(choices=State.choices)
    kind = django_filters.MultipleChoiceFilter(choices=Kind.choices)
    channel = django_filters.MultipleChoiceFilter(choices=Channel.choices)
    is_open = django_filters.BooleanFilter(method="only_open", label="neither resolved, closed nor cancelled")
    parent = django_filters.CharFilter(method="of_parent", label="reference of its parent")
    merged_into = django_filters.CharFilter(method="of_parent", label="reference of the one that it is part of")
    unassigned = django_filters.BooleanFilter(field_name="assignee", lookup_expr="isnull", label="nobody holds it")
    replied = django_filters.BooleanFilter(
        field_name="replied_at", lookup_expr="isnull", exclude=True, label="the requester wrote and nobody answered"
    )
    reported_since = django_filters.IsoDateTimeFilter(field_name="reported_at", lookup_expr="gte")
    reported_until = django_filters.IsoDateTimeFilter(field_name="reported_at", lookup_expr="lt")
    resolved_since = django_filters.IsoDateTimeFilter(field_name="resolved_at", lookup_expr="gte")
    resolved_until = django_filters.IsoDateTimeFilter(field_name="resolved_at", lookup_expr="lt")

    class Meta:
        model = Incident
        fields: ClassVar[dict[str, list[str]]] = {
            "priority": ["exact", "lte", "gte"],
            "team": ["exact"],
            "assignee": ["exact"],
            "category": ["exact"],
            "service": ["exact"],
            "requester": ["exact"],
            "is_drill": ["exact"],
            "is_restricted": ["exact"],
            "reassignment_count": ["exact", "gte"],
            "escalation_count": ["exact", "gte"],
            "is_imported": ["exact"],
            "is_major": ["exact"],
            "external_ref": ["exact"],
        }

    def of_parent(self, rows: QuerySet[Incident], name: str, value: str) -> QuerySet[Incident]:
        return rows.filter(**{f"{name}__number": queries.number_of(value) or 0})

    def only_open(self, rows: QuerySet[Incident], name: str, value: bool) -> QuerySet[Incident]:
        return rows.filter(state__in=OPEN_STATES) if value else rows.exclude(state__in=OPEN_STATES)


class IncidentViewSet(BulkRoute, MajorRoutes, RelatedRoutes, FileRoutes, TrackedViewSet):
    """Incidents, by reference. What the caller may not see does not exist."""

    queryset = Incident.objects.all()
    serializer_class = IncidentSerializer
    lookup_field = "number"
    lookup_url_kwarg = "reference"
    lookup_value_regex = "[Ii][Nn][Cc]-[0-9]{1,15}"
    http_method_names = ["get", "post", "patch", "head", "options"]
    filterset_class = IncidentFilter
    ordering = ("-number",)
    orderings: ClassVar[dict[str, tuple[str, ...]]] = {
        "newest": ("-number",),
        "oldest": ("number",),
        "priority": ("priority", "number"),
        "reported": ("-reported_at", "-number"),
    }

    #: Whether a search takes what is spelled much like the words.
    forgives = False

    def get_object(self) -> Incident:
        number = queries.number_of(self.kwargs["reference"])
        found: Incident | None = None if number is None else self.get_queryset().filter(number=number).first()
        if found is None:
            raise Http404
        self.row = found
        if permissions.is_logged_reader(self.actor, found) and self.request.method == "GET":
            incidents.actions.note_access(rows=[found], via="api", by=self.actor, at=self.now)
        return found

    def search(self, rows: QuerySet[Any], words: str) -> QuerySet[Any]:
        """Words first; typos are forgiven where nothing matches."""
        incidents: Any = rows
        found: QuerySet[Any] = incidents.resembling(words) if self.forgives else incidents.matching(words, self.actor)
        return found

    def diffed(self) -> set[str]:
        return super().diffed() - (set() if self.is_staff_for(self.row) else set(INTERNAL))

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """A page of what the caller may see, newest first."""
        pages = KeysetPagination()
        page = self._searched(pages) if request.query_params.get("search") else self._page(pages, self._rows())
        undecided = [row.id for row in page if not permissions.is_staff_for(self.actor, row)]
        roles = queries.followed(self.actor, undecided) if undecided else {}
        self._note_access([row.id for row in page if permissions.is_logged_reader(self.actor, row)])
        numbers = [{name: getattr(row, f"{name}__number") for name in RELATIONS} for row in page]
        results = [
            listed(row, is_staff=is_staff_row(self.actor, row, roles.get(row.id, set())), relations=relations)
            for row, relations in zip(page, visible_relations(self.actor, numbers), strict=True)
        ]
        return pages.respond(page, results)

    def _rows(self) -> QuerySet[Any]:
        return self.filter_queryset(self.get_queryset())

    def _page(self, pages: KeysetPagination, rows: QuerySet[Any], ordering: tuple[str, ...] = ()) -> Any:
        more = [name.lstrip("-") for name in ordering]
        columns = rows.values_list(*COLUMNS, *(name for name in more if name not in COLUMNS), named=True)
        return pages.page_of(columns, self.request, ordering or self.ordering_of(self.request))

    def _searched(self, pages: KeysetPagination) -> Any:
        """A page of what matches: of a frequent word among the newest, else by the index; typos where nothing does."""
        rows, is_newest = self._rows(), self.ordering_of(self.request) == ("-number",)
        if not is_newest:
            page = self._page(pages, rows)
        else:
            below = pages.place_of(self.request) or queries.newest_number() + 1
            page = self._page(pages, rows.filter(number__gt=below - queries.NEWEST))
            if not pages.more:
                page = self._page(pages, queries.by_index(rows), ("-place",))
        if not page:
            self.forgives = True
            page = self._page(pages, self._rows())
        return page

    def _note_access(self, ids: Sequence[int]) -> None:
        """An auditor's look at restricted rows of a list; anybody else's costs nothing."""
        if ids:
            rows = Incident.objects.filter(pk__in=ids)
            incidents.actions.note_access(rows=rows, via="api", by=self.actor, at=self.now)

    @extend_schema(request=inputs.NewIncidentInput, responses={201: IncidentSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Logs an incident; with `resolved` it is opened already resolved, in one step."""
        return self.once(self._create)

    def _create(self) -> Response:
        values = inputs.NewIncidentInput.parse(self.request.data, self.get_serializer_context())
        if resolution := values.pop("resolved", None):
            values["resolved"] = incidents.actions.Resolution(**resolution)
        incident = incidents.actions.open_incident(**values, by=self.actor, at=self.now)
        where = self.request.build_absolute_uri(f"{self.request.path}{incident.reference}/")
        return self.respond(incident, status=status.HTTP_201_CREATED, headers={"Location": where})

    @extend_schema(request=inputs.ReviseInput, responses=IncidentSerializer)
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Revises text, kind, sorting, inputs of the priority and early times; everything else is a verb."""
        row = self.get_object()
        values = inputs.ReviseInput.parse(request.data, self.get_serializer_context())
        expected = expected_version_of(request, row)
        changed = incidents.actions.revise(
            incident=row, values=values, by=self.actor, at=self.now, expected_version=expected
        )
        return self.respond(changed)

    @verb(inputs.AssignInput)
    def assign(self, call: Call) -> Incident:
        """Gives it to a team's queue or a person; it does not acknowledge."""
        return incidents.actions.assign(**_of(call), **call.data)

    @verb()
    def claim(self, call: Call) -> Incident:
        """Takes what nobody holds; of two, one wins and the other is told who."""
        return incidents.actions.claim(**_of(call))

    @verb()
    def start(self, call: Call) -> Incident:
        """Work begins without a page."""
        return incidents.actions.start(**_of(call))

    @verb()
    def acknowledge(self, call: Call) -> Incident:
        """A named person says “I am on it”."""
        return incidents.actions.acknowledge(**_of(call))

    @verb(inputs.HoldInput)
    def hold(self, call: Call) -> Incident:
        """Work waits, for a reason and until a wake-up."""
        return incidents.actions.put_on_hold(**_of(call), hold_reason=call.data.pop("reason"), **call.data)

    @verb(inputs.ChangeHoldInput)
    def change_hold(self, call: Call) -> Incident:
        """Another reason or wake-up."""
        return incidents.actions.change_hold(**_of(call), hold_reason=call.data.pop("reason", None), **call.data)

    @verb(inputs.NoteInput)
    def resume(self, call: Call) -> Incident:
        """Work goes on before the wake-up."""
        return incidents.actions.resume(**_of(call), **call.data)

    @verb(inputs.ContainInput)
    def contain(self, call: Call) -> Incident:
        """The damage no longer grows."""
        return incidents.actions.contain(**_of(call), **call.data)

    @verb(inputs.EscalateInput)
    def escalate(self, call: Call) -> Incident:
        """Functional: to another tier or team. Hierarchical: a manager is told, and watches it."""
        return incidents.actions.escalate(**_of(call), **call.data)

    @verb(inputs.RestrictInput)
    def restrict(self, call: Call) -> Any:
        """Only its requester, its team, who takes part, incident managers and auditors see it from now on."""
        return self._still_seen(call, incidents.actions.restrict(**_of(call), **call.data))

    @verb(inputs.RestrictInput)
    def unrestrict(self, call: Call) -> Incident:
        """Lifts the restriction."""
        return incidents.actions.unrestrict(**_of(call), **call.data)

    def _still_seen(self, call: Call, incident: Incident) -> Any:
        """Who may restrict need not see what is restricted: then the answer is empty."""
        if Incident.objects.visible_to(call.by).filter(pk=incident.pk).exists():
            return incident
        return Response(status=status.HTTP_204_NO_CONTENT)

    @verb(inputs.ResolveInput)
    def resolve(self, call: Call) -> Response:
        """The service is back. Where tasks are still open, the header `Warning` says how many."""
        done = incidents.actions.resolve(**_of(call), **call.data)
        left = Task.objects.open().filter(incident=done).count()
        warned = {"Warning": f'199 - "{left} tasks are still open"'} if left else {}
        return self.respond(done, headers=warned)

    @verb(inputs.SettleWorkaroundInput)
    def settle_workaround(self, call: Call) -> Incident:
        """Says what became of a workaround, so that the incident can close."""
        return incidents.actions.settle_workaround(**_of(call), **call.data)

    @verb(inputs.ConfirmInput)
    def confirm(self, call: Call) -> Incident:
        """The requester says that it works, or that it is still broken."""
        return incidents.actions.confirm(**_of(call), **call.data)

    @verb()
    def settle_reply(self, call: Call) -> Incident:
        """What the requester wrote was read, and needs no answer."""
        return incidents.actions.settle_reply(**_of(call))

    @verb(inputs.ReopenInput)
    def reopen(self, call: Call) -> Incident:
        """It is not solved; only while resolved."""
        return incidents.actions.reopen(**_of(call), **call.data)

    @verb(inputs.CloseInput)
    def close(self, call: Call) -> Incident:
        """The end, with how restoration was confirmed."""
        return incidents.actions.close(**_of(call), **call.data)

    @verb(inputs.CancelInput)
    def cancel(self, call: Call) -> Incident:
        """It was none: a duplicate, not an incident, a mistake."""
        return incidents.actions.cancel(**_of(call), **call.data)

    @verb(inputs.OverrideInput)
    def override_priority(self, call: Call) -> Incident:
        """Puts a priority above the derived one, with a reason; null lifts it."""
        return incidents.actions.override_priority(**_of(call), **call.data)

    @verb(inputs.OpenAgainInput, status=status.HTTP_201_CREATED)
    def open_again(self, call: Call) -> Incident:
        """After closing: opens a new incident with the fields copied, linked to this one."""
        return incidents.actions.open_again_linked(incident=call.row, by=call.by, at=call.at, **call.data)

    @verb(inputs.MergeInput)
    def merge(self, call: Call) -> Incident:
        """Makes it part of another one, which is the answer; the old number leads there. Can be taken back."""
        return incidents.actions.merge(**_of(call), **call.data)

    @verb(inputs.ReopenInput)
    def unmerge(self, call: Call) -> Incident:
        """Takes a merge back, until the other one closes: everything as it was."""
        return incidents.actions.unmerge(**_of(call), **call.data)

    @verb(inputs.WatchInput, shows=ParticipantSerializer)
    def watch(self, call: Call) -> Any:
        """Lets a person follow the incident."""
        return incidents.actions.add_participant(
            incident=call.row, by=call.by, at=call.at, user=call.data.get("user") or _self(call)
        )

    @verb(inputs.WatchInput)
    def unwatch(self, call: Call) -> Any:
        """Ends following."""
        incidents.actions.remove_watcher(
            incident=call.row, by=call.by, at=call.at, user=call.data.get("user") or _self(call)
        )
        return Response(status=status.HTTP_204_NO_CONTENT)

    @verb(inputs.CommentInput, path="comments", shows=CommentSerializer, status=status.HTTP_201_CREATED)
    def comment(self, call: Call) -> Any:
        """Writes on the incident; internal unless `is_public`, which reaches the requester by mail."""
        return incidents.actions.comment(**_of(call), **call.data)

    @extend_schema(responses=CommentSerializer(many=True), filters=False)
    @comment.mapping.get  # type: ignore[attr-defined, untyped-decorator]
    def comments(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The conversation, oldest first; internal notes only for who works at it."""
        return self.paged(queries.comments_for(self.actor, self.get_object()), CommentSerializer, ("id",))

    @extend_schema(responses=WhyTeamSerializer, filters=False)
    @extra_route(detail=True, methods=["get"], url_path="routing")
    def routing(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Why this team: the rule, the service's owner, triage, or the person who assigned it."""
        incident = self.get_object()
        if not self.is_staff_for(incident):
            raise Http404
        return Response(WhyTeamSerializer(WhyTeamSerializer.of(queries.why_this_team(incident))).data)

    @extend_schema(responses=SimilarSerializer(many=True), filters=False)
    @extra_route(detail=True, methods=["get"], url_path="similar")
    def similar(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The ten most alike, of those that the caller may see, by the title's words, the service and the category."""
        return Response(SimilarSerializer(queries.similar_to(self.actor, self.get_object()), many=True).data)

    @extend_schema(responses=TimelineEntrySerializer(many=True), filters=False)
    @extra_route(detail=True, methods=["get"], url_path="timeline")
    def timeline(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Everything that happened, newest first; a requester sees the public part."""
        incident = self.get_object()
        is_staff = self.is_staff_for(incident)
        pages = KeysetPagination()
        page = pages.page_of(queries.timeline_for(self.actor, incident, is_staff=is_staff), request, ("-id",))
        context = {"texts": queries.texts_of(page), "is_staff": is_staff, "incident": incident}
        return pages.respond(page, TimelineEntrySerializer(page, many=True, context=context).data)


def _of(call: Call) -> dict[str, Any]:
    return {"incident": call.row, "by": call.by, "at": call.at, "expected_version": call.expected_version}


def _self(call: Call) -> User:
    if call.by.user_id is None:
        raise Invalid("nobody is named", field="user", remedy="name the person who follows")
    return User.objects.get_queryset().get(pk=call.by.user_id)
