"""REST: post-mortems with their sections, timelines and action items, and the templates and rules behind them."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action as extra_route
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

import postmortems.actions
from accounts.models import User
from audit.actions import Invalid
from audit.rest import (
    Call,
    ConfigViewSet,
    InstantField,
    StrictModelSerializer,
    StrictSerializer,
    TrackedViewSet,
    VisibleField,
    expected_version_of,
    verb,
)
from incidents.models import Incident
from incidents.queries import number_of
from postmortems import queries
from postmortems.models import (
    ActionItem,
    ObligationRule,
    PostMortem,
    SectionText,
    Template,
    TemplateSection,
    TimelineEntry,
)


class ReferenceField(serializers.CharField):
    """An incident by its reference; one that the caller may not see does not exist."""

    def to_internal_value(self, data: Any) -> Any:
        number = number_of(super().to_internal_value(data))
        actor = self.context["request"].auth
        found = Incident.objects.visible_to(actor).filter(number=number).first() if number is not None else None
        if found is None:
            raise ValidationError([ErrorDetail("There is no such incident.", code="does_not_exist")])
        return found

    def to_representation(self, value: Any) -> str:
        return str(value.reference)


class WhyInput(StrictSerializer):
    """The reason that the verb takes."""

    reason = serializers.CharField(max_length=2000)


class DraftInput(StrictSerializer):
    """Which incident, and by which template (default: that of the first rule)."""

    incident = ReferenceField()
    template = VisibleField(queryset=Template.objects.all(), required=False)


class MissingSerializer(serializers.Serializer[Any]):
    field = serializers.CharField()
    problem = serializers.CharField()
    remedy = serializers.CharField()


class PostMortemSerializer(StrictModelSerializer):
    """The document without its parts, which are sub-resources."""

    incident = ReferenceField(read_only=True)

    class Meta:
        model = PostMortem
        fields = (
            "id", "incident", "template", "rule", "title", "state", "owner", "due_at", "needs_second_person",
            "no_actions_reason", "is_drill", "created_at", "submitted_at", "submitted_by", "published_at",
            "published_by", "version",
        )  # fmt: skip
        read_only_fields = tuple(
            name for name in fields if name not in {"title", "owner", "due_at", "no_actions_reason"}
        )


class WholePostMortemSerializer(PostMortemSerializer):
    """The document with what still keeps it from being published."""

    missing = serializers.SerializerMethodField()

    class Meta(PostMortemSerializer.Meta):
        fields = (*PostMortemSerializer.Meta.fields, "missing")  # type: ignore[assignment]

    @extend_schema(responses=MissingSerializer(many=True))
    def get_missing(self, postmortem: PostMortem) -> list[dict[str, str]]:
        if not postmortem.is_open:
            return []
        found = queries.missing(postmortem)
        return [{"field": one.field, "problem": one.problem, "remedy": one.remedy} for one in found]


class SectionSerializer(StrictModelSerializer):
    class Meta:
        model = SectionText
        fields = ("id", "postmortem", "position", "title", "guidance", "kind", "is_required", "body", "version")
        read_only_fields = tuple(name for name in fields if name != "body")


class SectionInput(StrictSerializer):
    position = serializers.IntegerField(min_value=1, max_value=1000)
    body = serializers.CharField(allow_blank=True, max_length=100_000, trim_whitespace=False)


class EntrySerializer(StrictModelSerializer):
    """A moment; `source_event` is its provenance in the trail, null where a person added it."""

    class Meta:
        model = TimelineEntry
        fields = (
            "id", "postmortem", "at", "text", "kind", "source_event", "who", "added_by", "hidden_at", "hidden_by",
            "hidden_reason", "version",
        )  # fmt: skip
        read_only_fields = tuple(name for name in fields if name not in {"at", "text"})


class EntryInput(StrictSerializer):
    at = InstantField()
    text = serializers.CharField(max_length=2000)


class ItemSerializer(StrictModelSerializer):
    class Meta:
        model = ActionItem
        fields = (
            "id", "postmortem", "title", "description", "state", "owner", "due_on", "verification", "done_at",
            "done_by", "verified_at", "verified_by", "cancel_reason", "version",
        )  # fmt: skip
        read_only_fields = tuple(
            name for name in fields if name not in {"title", "description", "owner", "due_on", "verification"}
        )


class ItemInput(StrictSerializer):
    title = serializers.CharField(max_length=300)
    description = serializers.CharField(max_length=20_000, required=False, allow_blank=True)
    owner = VisibleField(queryset=User.objects.get_queryset(), required=False, allow_null=True)
    due_on = serializers.DateField(required=False, allow_null=True)
    verification = serializers.CharField(max_length=2000, required=False, allow_blank=True)


class PostMortemViewSet(TrackedViewSet):
    """Post-mortems of the incidents that one may see, newest first."""

    queryset = PostMortem.objects.select_related("incident", "template")
    serializer_class = PostMortemSerializer
    search_fields = ("title",)
    filterset_fields: ClassVar[dict[str, list[str]]] = {
        "state": ["exact"],
        "owner": ["exact"],
        "template": ["exact"],
        "is_drill": ["exact"],
        "incident__number": ["exact"],
        "due_at": ["lt", "gte"],
    }

    def get_serializer_class(self) -> Any:
        return PostMortemSerializer if self.action == "list" else WholePostMortemSerializer

    @extend_schema(request=DraftInput, responses={201: WholePostMortemSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Drafts a post-mortem of an incident, its timeline written from the trail."""
        return self.once(self._create)

    def _create(self) -> Response:
        given = DraftInput(data=self.request.data, context=self.get_serializer_context())
        given.is_valid(raise_exception=True)
        row = postmortems.actions.draft(**given.validated_data, by=self.actor, at=self.now)
        address = self.request.build_absolute_uri(f"{self.request.path}{row.pk}/")
        return self.respond(row, status=status.HTTP_201_CREATED, headers={"Location": address})

    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Changes title, owner, due time, or why there are no action items."""
        row = self.get_object()
        given = PostMortemSerializer(row, data=request.data, partial=True, context=self.get_serializer_context())
        given.is_valid(raise_exception=True)
        changed = postmortems.actions.change(
            postmortem=row, values=given.validated_data, by=self.actor, at=self.now,
            expected_version=expected_version_of(request, row),
        )  # fmt: skip
        return self.respond(changed)

    @verb()
    def submit(self, call: Call) -> PostMortem:
        """Hands the draft in for review."""
        return postmortems.actions.submit(
            postmortem=call.row, by=call.by, at=call.at, expected_version=call.expected_version
        )

    @verb(WhyInput, path="return")
    def give_back(self, call: Call) -> PostMortem:
        """Gives it back to its writers, saying what it lacks."""
        return postmortems.actions.return_to_draft(
            postmortem=call.row, by=call.by, at=call.at, expected_version=call.expected_version, **call.data
        )

    @verb()
    def publish(self, call: Call) -> PostMortem:
        """Publishes it; 409 lists everything that is missing."""
        return postmortems.actions.publish(
            postmortem=call.row, by=call.by, at=call.at, expected_version=call.expected_version
        )

    @verb(WhyInput)
    def cancel(self, call: Call) -> PostMortem:
        """Gives it up, with a reason."""
        return postmortems.actions.cancel(
            postmortem=call.row, by=call.by, at=call.at, expected_version=call.expected_version, **call.data
        )

    @verb()
    def extend_timeline(self, call: Call) -> PostMortem:
        """Adds what has happened since to the timeline."""
        return postmortems.actions.extend_timeline(postmortem=call.row, by=call.by, at=call.at)

    @extend_schema(responses=SectionSerializer(many=True), filters=False)
    @extra_route(detail=True, methods=["get"], url_path="sections")
    def sections(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The sections in their order."""
        return self.paged(self.get_object().sections.all(), SectionSerializer, ("position",))

    @extend_schema(request=SectionInput, responses=SectionSerializer, filters=False)
    @sections.mapping.post
    def write_section(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Writes the text of the section at a position."""
        return self._part(SectionInput, self._write_section, SectionSerializer, 200)

    def _write_section(self, row: PostMortem, position: int, body: str) -> SectionText:
        section = row.sections.filter(position=position).first()
        if section is None:
            raise Invalid(f"there is no section {position}", field="position", remedy="look at the sections")
        return postmortems.actions.write_section(section=section, body=body, by=self.actor, at=self.now)

    @extend_schema(responses=EntrySerializer(many=True), filters=False)
    @extra_route(detail=True, methods=["get"], url_path="timeline")
    def timeline(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """What happened, in order; hidden entries are marked."""
        return self.paged(self.get_object().timeline.all(), EntrySerializer, ("at", "id"))

    @extend_schema(request=EntryInput, responses={201: EntrySerializer}, filters=False)
    @timeline.mapping.post
    def add_entry(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Adds what no event tells."""
        return self._part(EntryInput, self._add_entry, EntrySerializer, 201)

    def _add_entry(self, row: PostMortem, at: Any, text: str) -> TimelineEntry:
        return postmortems.actions.add_entry(postmortem=row, happened_at=at, text=text, by=self.actor, at=self.now)

    @extend_schema(responses=ItemSerializer(many=True), filters=False)
    @extra_route(detail=True, methods=["get"], url_path="action-items")
    def action_items(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """What will be done about it."""
        return self.paged(self.get_object().action_items.all(), ItemSerializer, ("id",))

    @extend_schema(request=ItemInput, responses={201: ItemSerializer}, filters=False)
    @action_items.mapping.post
    def add_action_item(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Adds an action item."""
        return self._part(ItemInput, self._add_action_item, ItemSerializer, 201)

    def _add_action_item(self, row: PostMortem, **values: Any) -> ActionItem:
        return postmortems.actions.add_action_item(postmortem=row, by=self.actor, at=self.now, **values)

    def _part(self, takes: Any, run: Any, shows: Any, code: int) -> Response:
        def answer() -> Response:
            row = self.get_object()
            given = takes(data=self.request.data, context=self.get_serializer_context())
            given.is_valid(raise_exception=True)
            return self.respond(run(row, **given.validated_data), shown_by=shows, status=code)

        return self.once(answer)


class SectionViewSet(TrackedViewSet):
    """Sections one by one: with ETag and history, for writing together."""

    scope = "postmortems"
    queryset = SectionText.objects.select_related("postmortem__incident")
    serializer_class = SectionSerializer
    filterset_fields = ("postmortem", "kind")

    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Writes the section; stale words are refused with what changed."""
        row = self.get_object()
        given = self.get_serializer(row, data=request.data, partial=True)
        given.is_valid(raise_exception=True)
        written = postmortems.actions.write_section(
            section=row, body=given.validated_data.get("body", row.body), by=self.actor, at=self.now,
            expected_version=expected_version_of(request, row),
        )  # fmt: skip
        return self.respond(written)


class EntryViewSet(TrackedViewSet):
    """Timeline entries one by one: people's own can be changed, those of the trail only hidden."""

    scope = "postmortems"
    queryset = TimelineEntry.objects.select_related("postmortem__incident")
    serializer_class = EntrySerializer
    filterset_fields = ("postmortem", "kind", "source_event")

    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Changes an entry that a person added."""
        row = self.get_object()
        given = self.get_serializer(row, data=request.data, partial=True)
        given.is_valid(raise_exception=True)
        changed = postmortems.actions.change_entry(
            entry=row, happened_at=given.validated_data.get("at", row.at),
            text=given.validated_data.get("text", row.text), by=self.actor, at=self.now,
            expected_version=expected_version_of(request, row),
        )  # fmt: skip
        return self.respond(changed)

    @verb(WhyInput)
    def hide(self, call: Call) -> TimelineEntry:
        """Hides the entry, with a reason."""
        return postmortems.actions.hide_entry(entry=call.row, by=call.by, at=call.at, **call.data)

    @verb()
    def show(self, call: Call) -> TimelineEntry:
        """Shows a hidden entry again."""
        return postmortems.actions.show_entry(entry=call.row, by=call.by, at=call.at)


class ActionItemViewSet(TrackedViewSet):
    """Action items over all post-mortems."""

    scope = "postmortems"
    queryset = ActionItem.objects.select_related("postmortem__incident")
    serializer_class = ItemSerializer
    search_fields = ("title",)
    filterset_fields: ClassVar[dict[str, list[str]]] = {
        "postmortem": ["exact"],
        "state": ["exact"],
        "owner": ["exact"],
        "due_on": ["lt", "gte"],
    }

    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Changes title, description, owner, due date or verification."""
        row = self.get_object()
        given = self.get_serializer(row, data=request.data, partial=True)
        given.is_valid(raise_exception=True)
        changed = postmortems.actions.change_action_item(
            item=row, values=given.validated_data, by=self.actor, at=self.now,
            expected_version=expected_version_of(request, row),
        )  # fmt: skip
        return self.respond(changed)

    def _moved(self, call: Call, run: Any) -> Any:
        return run(item=call.row, by=call.by, at=call.at, expected_version=call.expected_version, **call.data)

    @verb()
    def start(self, call: Call) -> ActionItem:
        """Says that work began."""
        return self._moved(call, postmortems.actions.start_action_item)  # type: ignore[no-any-return]

    @verb()
    def finish(self, call: Call) -> ActionItem:
        """Says that it is done."""
        return self._moved(call, postmortems.actions.finish_action_item)  # type: ignore[no-any-return]

    @verb()
    def verify(self, call: Call) -> ActionItem:
        """Says that it works; not for the one who did it."""
        return self._moved(call, postmortems.actions.verify_action_item)  # type: ignore[no-any-return]

    @verb(WhyInput)
    def reopen(self, call: Call) -> ActionItem:
        """Opens it again, because it does not work."""
        return self._moved(call, postmortems.actions.reopen_action_item)  # type: ignore[no-any-return]

    @verb(WhyInput)
    def cancel(self, call: Call) -> ActionItem:
        """Gives it up, with a reason."""
        return self._moved(call, postmortems.actions.cancel_action_item)  # type: ignore[no-any-return]


class TemplateSectionSerializer(StrictModelSerializer):
    class Meta:
        model = TemplateSection
        fields = ("position", "title", "guidance", "kind", "is_required")
        read_only_fields = ("position",)


class TemplateSerializer(StrictModelSerializer):
    """A template with its sections in their order."""

    sections = TemplateSectionSerializer(many=True)

    class Meta:
        model = Template
        fields = ("id", "name", "description", "needs_second_person", "is_active", "sections", "version")
        read_only_fields = ("id", "version")


class TemplateViewSet(ConfigViewSet):
    """What post-mortems consist of; sections are given as a whole, in their order."""

    queryset = Template.objects.prefetch_related("sections")
    serializer_class = TemplateSerializer
    search_fields = ("name",)
    filterset_fields = ("is_active",)

    def create_row(self, values: dict[str, Any]) -> Template:
        return self._saved(values)

    def change_row(self, row: Template, values: dict[str, Any], expected_version: int | None) -> Template:
        return self._saved(values, template=row, expected_version=expected_version)

    def _saved(self, values: dict[str, Any], **more: Any) -> Template:
        sections = values.pop("sections", None)
        saved = postmortems.actions.save_template(values=values, sections=sections, by=self.actor, at=self.now, **more)
        found: Template = self.get_queryset().get(pk=saved.pk)
        return found


class ObligationRuleSerializer(StrictModelSerializer):
    class Meta:
        model = ObligationRule
        fields = (
            "id", "name", "position", "is_active", "priority_at_most", "service", "team", "only_breached", "template",
            "due_days", "calendar", "version",
        )  # fmt: skip
        read_only_fields = ("id", "version")


class ObligationRuleViewSet(ConfigViewSet):
    """Which incidents owe a post-mortem, and by when."""

    scope = "postmortem-templates"
    queryset = ObligationRule.objects.all()
    serializer_class = ObligationRuleSerializer
    ordering = ("position",)
    filterset_fields = ("is_active", "template")


ROUTES = [
    ("postmortems", PostMortemViewSet),
    ("postmortem-sections", SectionViewSet),
    ("postmortem-entries", EntryViewSet),
    ("action-items", ActionItemViewSet),
    ("postmortem-templates", TemplateViewSet),
    ("obligation-rules", ObligationRuleViewSet),
]
