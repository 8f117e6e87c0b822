"""What the desk's pages ask for; fields carry the names that the actions take."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

import incidents.queries
from accounts.models import Team, User
from audit.actor import Actor
from incidents import permissions
from incidents.filetypes import Upload
from incidents.models import Category, Incident, PriorityMatrix, Service

CALLS = ("phone", "chat", "walk_in", "mail", "portal")
NOTHING = ("", "–")
#: So many people of a team are listed; a larger one is a team for the queue, or should be several.
LISTED_PEOPLE = 200


class MinuteField(forms.DateTimeField):
    """A moment in the reader's zone with the browser's own picker; to the minute."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"], **kwargs)


class Area(forms.Textarea):
    def __init__(self, rows: int = 3) -> None:
        super().__init__(attrs={"rows": rows})


def choices(field: str) -> list[tuple[Any, Any]]:
    """The choices that the incident's own field declares."""
    found: Any = Incident._meta.get_field(field)
    return list(found.choices or [])


def sides(names: list[str]) -> list[tuple[int, str]]:
    """The steps of impact or urgency as the matrix names them, the highest first."""
    return list(enumerate(names, start=1))


class CategoryField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """The active categories with the names above them, in one query."""

    def __init__(self, **kwargs: Any) -> None:
        rows = Category.objects.filter(is_active=True).select_related("parent__parent").order_by("name")
        super().__init__(rows, required=False, **kwargs)

    def label_from_instance(self, obj: Any) -> str:
        above = obj.parent
        names = [above.parent.name if above and above.parent else "", above.name if above else "", obj.name]
        return " › ".join(name for name in names if name)


class ManyFiles(forms.ClearableFileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """Any number of files; what they may be is for the action to say, by their content."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(widget=ManyFiles, **kwargs)

    def clean(self, data: Any, initial: Any = None) -> Any:
        largest = settings.SERVICEDESK_ATTACHMENT_MAX_BYTES
        found = [super(FilesField, self).clean(one) for one in data or []]
        if any(one.size > largest for one in found):
            raise ValidationError(_("A file may have at most %(size)s.") % {"size": filesizeformat(largest)})
        return found


class VerbForm(forms.Form):
    """Carries the version that the reader saw, so that a stale save is refused."""

    expected_version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    #: Verbs that are safe whatever happened meanwhile, because they say themselves who was first.
    is_versioned = True

    def __init__(self, *args: Any, incident: Incident, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        self.incident, self.actor = incident, actor
        if self.is_versioned:
            self.fields["expected_version"].initial = incident.version
        else:
            del self.fields["expected_version"]

    def clean(self) -> dict[str, Any]:
        """A form of ours always says which version it shows."""
        cleaned = super().clean() or {}
        if self.is_versioned and cleaned.get("expected_version") is None:
            raise ValidationError(_("The page does not say which version it shows. Load it again."))
        return cleaned

    def values(self) -> dict[str, Any]:
        """What the action is called with."""
        return dict(self.cleaned_data)


class PlainForm(VerbForm):
    """A button that asks nothing."""


class FirstWinsForm(VerbForm):
    """Acknowledge and claim: of two people one wins, and the other is told who."""

    is_versioned = False


class AssignForm(VerbForm):
    team = forms.ModelChoiceField(Team.objects.none(), required=False, label=_("Team"), empty_label="–")
    assignee = forms.ModelChoiceField(
        User.objects.none(), required=False, label=_("Person"), empty_label=_("nobody: the team's queue")
    )
    reason = forms.CharField(required=False, label=_("Reason (optional)"), max_length=500)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        teams: Any = self.fields["team"]
        people: Any = self.fields["assignee"]
        teams.queryset = Team.objects.filter(is_active=True).order_by("name")
        staff = User.objects.active().filter(is_staff=True)
        team = self.incident.team_id
        mates = staff.filter(memberships__team_id=team) if team else staff
        known = [one for one in (self.incident.assignee_id, self.actor.user_id) if one is not None]
        listed = [*known, *mates.order_by("name").values_list("pk", flat=True)[:LISTED_PEOPLE]]
        people.queryset = staff.filter(pk__in=listed).order_by("name")
        if team:
            people.help_text = _now("The people of %(team)s. Choose another team first to see its people.") % {
                "team": self.incident.team
            }
        self.initial.update({"team": team, "assignee": self.incident.assignee_id})

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if not cleaned.get("team") and not cleaned.get("assignee"):
            raise ValidationError(_("Name a team, a person, or both: somebody has to look after it."))
        return cleaned


class HoldForm(VerbForm):
    hold_reason = forms.ChoiceField(choices=lambda: choices("hold_reason"), label=_("Waiting for"))
    until = MinuteField(label=_("Look at it again at (optional while awaiting the requester)"), required=False)
    note = forms.CharField(required=False, label=_("Note (optional; the requester reads it)"), max_length=2000)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        until = None if self.incident.follow_ups else self.incident.hold_until
        if self.incident.requester_id is None and until is None:
            # Nobody is there to be reminded, so the wait needs an end.
            until = timezone.localtime().replace(second=0, microsecond=0) + timedelta(days=2)
        self.initial.update({"until": until, "hold_reason": self.incident.hold_reason or "awaiting_requester"})
        self.fields["until"].help_text = _now(
            "%(zone)s. Empty while awaiting the requester: they are reminded, then it is resolved as “no answer”."
        ) % {"zone": timezone.get_current_timezone_name()}


class ContainForm(VerbForm):
    note = forms.CharField(label=_("What was done to contain it"), widget=Area(), max_length=2000)
    users = forms.IntegerField(required=False, min_value=0, max_value=2_000_000_000, label=_("Users affected"))
    sites = forms.IntegerField(required=False, min_value=0, max_value=2_000_000_000, label=_("Sites affected"))
    services = forms.IntegerField(required=False, min_value=0, max_value=2_000_000_000, label=_("Services affected"))


class EscalateForm(VerbForm):
    """Another tier or team gets it; empty means the next tier."""

    team = forms.ModelChoiceField(
        Team.objects.none(), required=False, label=_("To this team"), empty_label=_("the next tier")
    )
    reason = forms.CharField(label=_("Reason"), max_length=500)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        teams: Any = self.fields["team"]
        others = Team.objects.filter(is_active=True).exclude(pk=self.incident.team_id or 0)
        teams.queryset = others.order_by("name")


class TellManagerForm(VerbForm):
    """Who leads above the actor is told, or the person named."""

    to = forms.ModelChoiceField(
        User.objects.none(), required=False, label=_("Whom"), empty_label=_("who leads above you")
    )
    reason = forms.CharField(label=_("Reason"), max_length=500)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people: Any = self.fields["to"]
        above = ("lead", "manager", "incident_manager")
        named = User.objects.active().filter(role_grants__group__name__in=above).order_by("name").distinct()
        people.queryset = named


class RestrictForm(VerbForm):
    reason = forms.CharField(label=_("Reason"), max_length=500)


class ResolveForm(VerbForm):
    code = forms.ChoiceField(choices=lambda: choices("resolution_code"), label=_("Resolution"))
    notes = forms.CharField(widget=Area(), label=_("What was done (the requester reads it)"), max_length=20000)
    cause = forms.ChoiceField(
        choices=lambda: [NOTHING, *choices("cause_code")], required=False, label=_("Cause (optional)")
    )
    fix_kind = forms.ChoiceField(choices=lambda: choices("fix_kind"), label=_("Kind of fix"))
    closing_category = CategoryField(label=_("Category as it turned out"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.update({"closing_category": self.incident.category_id})


class WorkaroundForm(VerbForm):
    outcome = forms.ChoiceField(choices=lambda: choices("workaround_outcome"), label=_("What became of it"))
    reason = forms.CharField(
        required=False, label=_("Reason, or the problem's reference"), max_length=500,
        help_text=_("Needed unless the workaround was removed."),
    )  # fmt: skip


class ReopenForm(VerbForm):
    reason = forms.CharField(label=_("What is still broken?"), widget=Area(), max_length=2000)


class AgainForm(VerbForm):
    """A closed incident is final: what comes back is a new one that is linked to it."""

    is_versioned = False
    reason = forms.CharField(label=_("What came back?"), max_length=500)


class CloseForm(VerbForm):
    """The desk says how restoration was confirmed; the requester's own word is the confirmation."""

    confirmation = forms.CharField(
        label=_("How was restoration confirmed?"), max_length=300, help_text=_("E.g. “requester by phone”.")
    )
    cause = forms.ChoiceField(choices=lambda: [NOTHING, *choices("cause_code")], label=_("Cause"))
    closing_category = CategoryField(label=_("Closing category"))
    notes = forms.CharField(widget=Area(), label=_("What was done (the requester reads it)"), max_length=20000)
    article = forms.CharField(required=False, label=_("Article that says how it is solved"), max_length=300)
    no_article_reason = forms.CharField(required=False, label=_("or why there is none"), max_length=500)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        asked = set(incidents.queries.missing_for_closing(self.incident, ""))
        if permissions.is_own(self.actor, self.incident):
            asked = set()
        if "article" in asked:
            asked.add("no_article_reason")
        for name in [one for one in self.fields if one not in {*asked, "expected_version"}]:
            del self.fields[name]
        if "closing_category" in self.fields:
            self.fields["closing_category"].required = True


class CancelForm(VerbForm):
    reason = forms.ChoiceField(
        choices=lambda: [one for one in choices("cancel_reason") if one[0] != "merged"], label=_("Because it is")
    )
    detail = forms.CharField(label=_("Detail, e.g. the number of the other one"), max_length=500)


class PriorityForm(VerbForm):
    priority = forms.TypedChoiceField(
        choices=[("", _("as the matrix says")), *((n, f"P{n}") for n in range(1, 6))], coerce=int, empty_value=None,
        required=False, label=_("Priority"),
    )  # fmt: skip
    reason = forms.CharField(label=_("Reason"), max_length=500)
    until = MinuteField(label=_("Until (optional)"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.update({"priority": self.incident.priority_override or self.incident.priority})
        self.fields["until"].help_text = timezone.get_current_timezone_name()


class ReviseForm(VerbForm):
    """What it is and how much it matters; the priority follows from impact and urgency."""

    title = forms.CharField(label=_("Title"), max_length=300)
    description = forms.CharField(required=False, label=_("Details"), widget=Area(), max_length=20000)
    kind = forms.ChoiceField(choices=lambda: choices("kind"), label=_("Kind"))
    service = forms.ModelChoiceField(Service.objects.none(), required=False, label=_("Service"), empty_label="–")
    category = CategoryField(label=_("Category"))
    impact = forms.TypedChoiceField(coerce=int, label=_("Impact"))
    urgency = forms.TypedChoiceField(coerce=int, label=_("Urgency"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: Any = self.fields
        fields["service"].queryset = Service.objects.filter(is_active=True).order_by("name")
        fields["impact"].choices = sides(self.incident.matrix.impacts)
        fields["urgency"].choices = sides(self.incident.matrix.urgencies)
        one = self.incident
        self.initial.update({
            "title": one.title, "description": one.description, "service": one.service_id,
            "kind": one.kind, "category": one.category_id, "impact": one.impact, "urgency": one.urgency,
        })  # fmt: skip

    def values(self) -> dict[str, Any]:
        """Only what was changed, so that a retired service or category may stay."""
        changed = {name: self.cleaned_data[name] for name in self.changed_data if name != "expected_version"}
        return {"expected_version": self.cleaned_data["expected_version"], "values": changed}


class CommentForm(VerbForm):
    """A word on the incident: internal unless the writer says that the requester shall read it."""

    is_versioned = False
    body = forms.CharField(widget=Area(4), label=_("Write"), max_length=20000, required=False)
    attached = FilesField(required=False, label=_("Files"))
    is_public = forms.TypedChoiceField(
        choices=[("", _("Internal note")), ("on", _("Reply"))], coerce=bool, required=False,
        widget=forms.RadioSelect, label=_("Who reads it"), initial="",
    )  # fmt: skip

    def __init__(self, *args: Any, may_note: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.may_note = may_note
        if not may_note:
            del self.fields["is_public"]

    def values(self) -> dict[str, Any]:
        return {
            "body": self.cleaned_data["body"],
            "is_public": bool(self.cleaned_data.get("is_public", True)),
            "files": [Upload(str(one.name or ""), one.read()) for one in self.cleaned_data["attached"]],
        }


class ReportForm(forms.Form):
    """What somebody says who reports for themselves: one line is enough."""

    title = forms.CharField(label=_("What is wrong?"), max_length=200)
    description = forms.CharField(
        required=False, label=_("Anything else? (optional)"), widget=Area(4), max_length=20000
    )
    service = forms.ModelChoiceField(
        Service.objects.none(), required=False, label=_("What does it concern? (optional)"), empty_label="–"
    )
    urgency = forms.TypedChoiceField(coerce=int, label=_("How much does it hold you up?"))

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        self.actor = actor
        fields: Any = self.fields
        fields["service"].queryset = Service.objects.filter(is_active=True).order_by("name")
        matrix = incidents.queries.current_matrix() or PriorityMatrix()
        self._offer_sides(fields, matrix)
        fields["requester" if "requester" in fields else "title"].widget.attrs["autofocus"] = True

    def _offer_sides(self, fields: Any, matrix: PriorityMatrix) -> None:
        fields["urgency"].choices = sides(matrix.urgencies)
        self.initial.setdefault("urgency", min(2, len(matrix.urgencies)))

    def values(self) -> dict[str, Any]:
        """What `open_incident` is called with; what was left empty is left to it."""
        return {name: value for name, value in self.cleaned_data.items() if value not in (None, "")}


class LogCallForm(ReportForm):
    """A call in six tab stops: who, what, more, service, how urgent, save. The rest is behind the button."""

    requester = forms.CharField(required=False, label=_("Caller: mail address or name (optional)"), max_length=254)
    impact = forms.TypedChoiceField(coerce=int, required=False, empty_value=None, label=_("Impact"))
    category = CategoryField(label=_("Category"))
    team = forms.ModelChoiceField(Team.objects.none(), required=False, label=_("Team"))
    channel = forms.ChoiceField(
        choices=lambda: [one for one in choices("channel") if one[0] in CALLS], label=_("Channel"), required=False
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: Any = self.fields
        fields["team"].queryset = Team.objects.filter(is_active=True).order_by("name")
        fields["team"].empty_label = _now("the service's own")
        fields["requester"].widget.attrs["autocomplete"] = "off"
        fields["urgency"].label = _now("How urgent?")
        fields["description"].label = _now("Details (optional)")
        fields["service"].label = _now("Service (optional)")

    def _offer_sides(self, fields: Any, matrix: PriorityMatrix) -> None:
        super()._offer_sides(fields, matrix)
        fields["impact"].choices = [("", _now("as the service suggests")), *sides(matrix.impacts)]

    def clean_channel(self) -> str:
        return self.cleaned_data["channel"] or "phone"

    def clean_requester(self) -> User | None:
        """By address or by name; several of one name are listed, so that the agent can take one's address."""
        typed = self.cleaned_data["requester"].strip()
        if not typed:
            return None
        active = User.objects.active()
        found = list(active.filter(email__iexact=typed)[:1]) or list(active.filter(name__icontains=typed)[:6])
        if len(found) == 1:
            return found[0]
        near = found or list(active.filter(name__trigram_similar=typed)[:6])
        if not near:
            raise ValidationError(
                _("Nobody is known by this name or address. Correct it, leave it empty, or ask an admin to add them.")
            )
        raise ValidationError(
            _("Nobody is known by exactly this. Do you mean %(people)s? Give the mail address."),
            params={"people": ", ".join(f"{one.name} <{one.email}>" for one in near)},
        )
