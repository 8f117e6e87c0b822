"""Builds the demonstration by the desk's own actions: a past that is over, a present that waits, a rota for now."""

from __future__ import annotations

import random
from datetime import datetime, time, timedelta
from typing import Any

import accounts.actions
import accounts.queries
import alerts.actions
import alerts.queries
import incidents.actions
import notify.actions
import oncall.actions
import postmortems.actions
import sla.actions
import sla.tasks
from accounts.models import Team, User
from accounts.roles import Role
from alerts.models import AlertSource
from audit.actions import create_config
from audit.actor import Actor, ActorKind
from incidents.actions import Resolution
from incidents.models import Category, Incident, Service
from postmortems.models import PostMortem
from servicedesk.demo import stories

BUILDER = Actor(
    kind=ActorKind.JOB,
    id="demo",
    label="demonstration",
    roles=frozenset({Role.ADMIN.value, Role.INCIDENT_MANAGER.value}),
)
PAST, PRESENT = 160, 40


class Demo:
    """One run; `now` is read once by the command."""

    def __init__(self, now: datetime) -> None:
        self.now = now.replace(microsecond=0)
        self.chance = random.Random(20260101)  # noqa: S311  # nosec B311: a story, no secret
        self.founded = self.now - timedelta(days=90)
        self.people: dict[str, User] = {}
        self.teams: dict[str, Team] = {}
        self.services: dict[str, Service] = {}
        self.categories: dict[tuple[str, ...], Category] = {}

    def build(self) -> None:
        """Everything, once; a desk that has the demonstration's admin is left alone by the command."""
        self._people()
        self._catalogue()
        self._routing()
        self._rota()
        for _number in range(PAST):
            self._past()
        for number in range(PRESENT):
            self._present(number)
        self._postmortem()
        self._alert()
        # What came due in the story's past is due now; a worker would find it in its first second.
        sla.tasks.sweep(at=self.now)

    def actor(self, login: str) -> Actor:
        return accounts.queries.actor_for(self.people[login])

    def _people(self) -> None:
        for name, tier in stories.TEAMS.items():
            values = {
                "name": name,
                "slug": name.lower().replace(" ", "-"),
                "tier": tier,
                "is_triage": name == "Service desk",
            }
            self.teams[name] = accounts.actions.create_team(values=values, by=BUILDER, at=self.founded)
        for one in stories.PEOPLE:
            user = accounts.actions.create_user(
                email=f"{one.login}@{stories.DOMAIN}", name=one.name, password=stories.PASSWORD, roles=one.roles,
                time_zone=one.zone, is_vip=one.vip, by=BUILDER, at=self.founded,
            )  # fmt: skip
            self.people[one.login] = user
            for team in (*one.teams, *(lead for lead in one.leads if lead not in one.teams)):
                accounts.actions.set_membership(
                    user=user, team=self.teams[team], is_lead=team in one.leads, by=BUILDER, at=self.founded
                )

    def _config(self, model: Any, **values: Any) -> Any:
        return create_config(model=model, values=values, by=BUILDER, at=self.founded)

    def _catalogue(self) -> None:
        for name, below in stories.CATEGORIES.items():
            parent = Category.objects.filter(name=name, parent=None).first() or self._config(Category, name=name)
            self.categories[(name,)] = parent
            for child in below:
                self.categories[(name, child)] = self._config(Category, name=child, parent=parent)
        for name, (team, criticality) in stories.SERVICES.items():
            self.services[name] = self._config(
                Service,
                name=name,
                slug=name.lower().replace(" ", "-"),
                owner_team=self.teams[team],
                criticality=criticality,
            )

    def _routing(self) -> None:
        for place, (name, team, conditions) in enumerate(stories.RULES, 1):
            given = {key: [self.categories[one].pk for one in paths] for key, paths in conditions.items()}
            values = {"name": name, "position": place * 10, "team": self.teams[team], **given}
            incidents.actions.create_routing_rule(values=values, by=BUILDER, at=self.founded)

    def _rota(self) -> None:
        for login in ("tomas", "wen", "olu", "ada"):
            contact = notify.actions.add_contact(
                user=self.people[login],
                channel="mail",
                address=f"{login}@{stories.DOMAIN}",
                by=BUILDER,
                at=self.founded,
            )
            notify.actions.vouch_for_contact(contact=contact, reason="demonstration", by=BUILDER, at=self.founded)
        layer = {
            "name": "Weekly", "unit": "weekly", "shift_length": 1, "start_on": self.founded.date(),
            "handover_time": time(9, 0), "members": [self.people[one] for one in ("olu", "wen", "ada")],
        }  # fmt: skip
        schedule = oncall.actions.save_schedule(
            values={
                "name": "Platform primary", "zone": "Europe/Madrid", "team": self.teams["Platform"], "layers": [layer],
            },
            by=BUILDER, at=self.founded,
        )  # fmt: skip
        policy = oncall.actions.save_policy(
            values={
                "name": "Platform 24x7",
                "priority_threshold": 2,
                "repeats": 3,
                "fallback_user": self.people["ada"],
                "levels": [
                    {"delay_s": 300, "targets": [{"schedule": schedule}]},
                    {"delay_s": 600, "targets": [{"user": self.people["wen"]}, {"user": self.people["ada"]}]},
                ],
            },
            by=BUILDER,
            at=self.founded,
        )
        for service in ("Payment gateway", "Web shop"):
            oncall.actions.assign_policy(policy=policy, service=self.services[service], by=BUILDER, at=self.founded)

    def _told(self, story: stories.Story, requester: str) -> dict[str, Any]:
        return {
            "title": story.title,
            "description": story.details,
            "service": self.services[story.service],
            "category": self.categories[story.category],
            "impact": story.impact,
            "urgency": story.urgency,
            "requester": self.people[requester],
            "channel": self.chance.choice(["phone", "phone", "chat", "portal", "mail"]),
        }

    def _helper(self, story: stories.Story, team: str = "") -> str:
        team = team or stories.SERVICES[story.service][0]
        return self.chance.choice([one.login for one in stories.PEOPLE if team in one.teams and "agent" in one.roles])

    def _requester(self) -> str:
        return self.chance.choice([one.login for one in stories.PEOPLE if one.roles == ("requester",)])

    def _past(self) -> None:
        """An incident that is over: imported history, which sends nothing and pages nobody."""
        story = self.chance.choice(stories.STORIES)
        day = self.now - timedelta(days=self.chance.randint(3, 60))
        opened = day.replace(hour=self.chance.randint(7, 16), minute=self.chance.randint(0, 59))
        minutes = story.minutes * self.chance.uniform(0.4, 2.2)
        helper = self.people[self._helper(story)]
        resolved_at = opened + timedelta(minutes=minutes)
        resolution = Resolution(code="fixed", cause=story.cause, notes=story.fix)
        incident = incidents.actions.open_incident(
            **self._told(story, self._requester()), assignee=helper, started=True, imported=True, by=BUILDER, at=opened
        )
        incident = incidents.actions.resolve(
            incident=incident, code=resolution.code, cause=resolution.cause, notes=resolution.notes, by=BUILDER,
            at=resolved_at,
        )  # fmt: skip
        if resolved_at + timedelta(days=2) < self.now:
            incident = incidents.actions.close(
                incident=incident,
                confirmation="The requester confirmed it",
                by=BUILDER,
                at=resolved_at + timedelta(days=1),
            )
        sla.actions.judge_imported(incident=incident, by=BUILDER, at=self.now)

    def _present(self, number: int) -> None:
        """An incident that waits now, in one of the ways in which incidents wait."""
        story = stories.STORIES[number % len(stories.STORIES)]
        at = self.now - timedelta(minutes=self.chance.randint(4, 600))
        told = self._told(story, self._requester())
        told["impact"], told["urgency"] = max(2, story.impact), max(2, story.urgency)
        if number % 8 == 7:
            told["urgency"] = 1
        if number % 5 < 2:
            told["team"] = self.teams["Service desk"]
        desk = self.actor("ines")
        incident = incidents.actions.open_incident(**told, by=desk, at=at)
        step = timedelta(minutes=max(1, (self.now - at).total_seconds() / 60 / 5))
        helper = self._helper(story, team=incident.team.name if incident.team else "")
        if number % 3 == 0:
            return
        incident = incidents.actions.acknowledge(incident=incident, by=self.actor(helper), at=at + step)
        if number % 3 == 1:
            incidents.actions.comment(
                incident=incident, body=self.chance.choice(stories.COMMENTS), is_public=number % 2 == 0,
                by=self.actor(helper), at=at + 2 * step,
            )  # fmt: skip
        if number % 6 == 2:
            incidents.actions.put_on_hold(
                incident=incident, hold_reason="awaiting_requester",
                until=self.now + timedelta(days=1, hours=number % 5),
                by=self.actor(helper), at=at + 3 * step,
            )  # fmt: skip

    def _postmortem(self) -> None:
        """A big incident of last week, and what was learnt from it."""
        story = next(one for one in stories.STORIES if one.title == "Card payments are declined")
        at = (self.now - timedelta(days=6)).replace(hour=14, minute=5)
        ada = self.actor("ada")
        incident = incidents.actions.open_incident(
            **{**self._told(story, "maria"), "channel": "phone"}, by=self.actor("ines"), at=at
        )
        incident = incidents.actions.acknowledge(incident=incident, by=ada, at=at + timedelta(minutes=4))
        incident = incidents.actions.resolve(
            incident=incident, code="fixed", cause=story.cause, notes=story.fix, by=ada, at=at + timedelta(minutes=48)
        )
        found = PostMortem.objects.filter(incident=incident).first()
        if found is None:
            postmortems.actions.draft(incident=incident, by=ada, at=at + timedelta(hours=1))

    def _alert(self) -> None:
        """Monitoring reports the incident that a newcomer acknowledges first; it pages whoever is on call now."""
        source, _key = alerts.actions.create_source(
            values={
                "name": "Demonstration monitoring", "adapter": "generic", "service": self.services["Payment gateway"],
            },
            by=BUILDER, at=self.founded,
        )  # fmt: skip
        self.alert(source)

    def alert(self, source: AlertSource) -> None:
        alerts.actions.receive(
            source=source, payload=dict(stories.ALERT), by=alerts.queries.actor_of(source), at=self.now
        )

    def count(self) -> int:
        return Incident.objects.count()
