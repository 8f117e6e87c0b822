"""Steps that several verbs share: the locked document, its refusals, and its timeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django_fsm import FSMFieldMixin

from audit.actions import ActionRefused, Forbidden, Invalid, assert_fresh
from audit.actor import Actor
from audit.models import Tracked
from postmortems import queries
from postmortems.models import PostMortem, PostMortemState, TimelineEntry
from postmortems.permissions import can_write


class WrongState(ActionRefused):
    """The document or item is not in a state in which this can be done."""

    code = "wrong_state"


def locked(postmortem: PostMortem, expected_version: int | None = None) -> PostMortem:
    fresh = PostMortem.objects.select_for_update(no_key=True, of=("self",)).select_related("incident").get(
        pk=postmortem.pk
    )  # fmt: skip
    assert_fresh(fresh, expected_version)
    return fresh


def may_write(postmortem: PostMortem, by: Actor) -> bool:
    """The lookup of pages is only made for those whom their roles don't let in."""
    return can_write(by, postmortem) or can_write(by, postmortem, is_paged=queries.is_paged(by, postmortem.incident))


def refuse_unless_writable(postmortem: PostMortem, by: Actor) -> None:
    """Sections and timeline stand still once the document is published or given up."""
    if not may_write(postmortem, by):
        raise Forbidden(f"{by.label} may not write this post-mortem", remedy="ask its owner or the incident's team")
    if postmortem.state not in (PostMortemState.DRAFT, PostMortemState.IN_REVIEW):
        raise WrongState(
            f"it is {postmortem.get_state_display()}", remedy="only a draft or one in review can be written"
        )


def person_of(by: Actor, verb: str) -> int:
    if by.user_id is None:
        raise Forbidden(f"only a named person can {verb}", remedy="sign in, or use a key that acts for a person")
    return by.user_id


def checked(row: Tracked) -> None:
    """Refuses bad values; a state is not checked, because only its transitions set it."""
    states = [field.name for field in row._meta.concrete_fields if isinstance(field, FSMFieldMixin)]
    try:
        row.full_clean(exclude=states)
    except ValidationError as error:
        fields = error.message_dict
        name = next(iter(fields))
        raise Invalid(
            "; ".join(f"{key}: {' '.join(value)}" for key, value in fields.items()),
            field="" if name == "__all__" else name,
            fields=fields,
        ) from error


def assigned(row: Tracked, values: Mapping[str, Any], allowed: frozenset[str]) -> list[str]:
    """Sets the values and gives the names of what changed; a field that can't be set is refused."""
    for name, value in values.items():
        if name not in allowed:
            raise Invalid(f"{name} can't be set", field=name, remedy=f"only {', '.join(sorted(allowed))} can")
        setattr(row, name, value)
    return sorted(row.changed_fields())


def extended(postmortem: PostMortem) -> int:
    """Adds what the trail holds and the timeline doesn't; the number of new entries."""
    return len(TimelineEntry.objects.bulk_create(queries.untold_entries(postmortem)))
