"""What a settings file holds of people's places and of sorting: organisations, sites, teams, categories, services."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar

import accounts.actions
import incidents.actions
from accounts.models import Organisation, Site, Team, User
from audit.actions import Invalid, change_config, create_config
from audit.actor import Actor
from incidents.models import Category, PriorityMatrix, Service

SEPARATOR = " > "
_ABSENT = "create it first, or put it into the file"


class Kind:
    """One section: how its rows are named for good, shown, and saved by the actions."""

    section: ClassVar[str]
    model: ClassVar[Any]
    #: The field that names a row for good, in this desk and in another.
    key: ClassVar[str] = "name"
    #: What else a file may say of a row.
    fields: ClassVar[tuple[str, ...]] = ()
    #: The field that names another row of the same section, which has to be there first.
    leans_on: ClassVar[str] = ""

    def rows(self) -> Iterable[Any]:
        rows: Iterable[Any] = self.model.objects.order_by("pk")
        return rows

    def key_of(self, row: Any) -> str:
        return str(getattr(row, self.key))

    def find(self, key: str) -> Any | None:
        return self.model.objects.filter(**{self.key: key}).first()

    def shown(self, row: Any) -> dict[str, Any]:
        """The row as the file has it."""
        return {name: self.show(row, name) for name in (self.key, *self.fields)}

    def show(self, row: Any, name: str) -> Any:
        return getattr(row, name)

    def whole(self, given: dict[str, Any]) -> dict[str, Any]:
        """What a file says, its parts with the defaults that it leaves out."""
        return given

    def values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What a file says, as the action takes it."""
        return {name: self.read(name, value) for name, value in given.items()}

    def read(self, name: str, value: Any) -> Any:
        return value

    def save(self, row: Any | None, given: Mapping[str, Any], by: Actor, at: datetime) -> None:
        values = self.values(given)
        if row is None:
            create_config(model=self.model, values=values, by=by, at=at)
        else:
            change_config(row=row, values=values, by=by, at=at)


def filled(given: dict[str, Any], name: str, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The values with the parts in one of them completed; what is no list of mappings is left to be refused."""
    parts = given.get(name)
    if not isinstance(parts, list) or not all(isinstance(one, dict) for one in parts):
        return given
    return {**given, name: [{**defaults, **one} for one in parts]}


def named(model: Any, field: str, key: Any, where: str) -> Any:
    """The row that a file names by its key; null stays null."""
    if key is None:
        return None
    found = model._default_manager.filter(**{field: key}).first() if isinstance(key, str) else None
    if found is None:
        raise Invalid(
            f"there is no {model._meta.verbose_name} “{key}”",
            field=where,
            remedy="create it first, or put it into the file",
        )
    return found


def person(key: Any, where: str) -> User | None:
    found: User | None = named(User, "email", key.lower() if isinstance(key, str) else key, where)
    return found


def category_named(path: Any, where: str) -> Category | None:
    """The category at the end of a path like `Network > VPN`."""
    if path is None:
        return None
    found: Category | None = None
    for name in str(path).split(SEPARATOR):
        found = Category.objects.filter(parent=found, name=name).first()
        if found is None:
            raise Invalid(
                f"there is no category “{path}”", field=where, remedy="create it first, or put it into the file"
            )
    return found


class Organisations(Kind):
    section, model = "organisations", Organisation


class Sites(Kind):
    section, model = "sites", Site
    fields = ("organisation", "time_zone")

    def show(self, row: Any, name: str) -> Any:
        return (row.organisation and row.organisation.name) if name == "organisation" else super().show(row, name)

    def read(self, name: str, value: Any) -> Any:
        return named(Organisation, "name", value, name) if name == "organisation" else value


class Teams(Kind):
    section, model, key = "teams", Team, "slug"
    fields = ("name", "tier", "parent", "email", "is_triage", "is_active")
    leans_on = "parent"

    def show(self, row: Any, name: str) -> Any:
        return (row.parent and row.parent.slug) if name == "parent" else super().show(row, name)

    def read(self, name: str, value: Any) -> Any:
        return named(Team, "slug", value, name) if name == "parent" else value

    def save(self, row: Any | None, given: Mapping[str, Any], by: Actor, at: datetime) -> None:
        if row is None:
            accounts.actions.create_team(values=self.values(given), by=by, at=at)
        else:
            accounts.actions.change_team(team=row, values=self.values(given), by=by, at=at)


class Categories(Kind):
    section, model, key = "categories", Category, "path"
    fields = ("is_active",)

    def rows(self) -> Iterable[Any]:
        return sorted(Category.objects.select_related("parent__parent"), key=self.key_of)

    def key_of(self, row: Any) -> str:
        return SEPARATOR.join(one.name for one in row.path())

    def find(self, key: str) -> Any | None:
        try:
            return category_named(key, "path")
        except Invalid:
            return None

    def show(self, row: Any, name: str) -> Any:
        return self.key_of(row) if name == "path" else super().show(row, name)

    def save(self, row: Any | None, given: Mapping[str, Any], by: Actor, at: datetime) -> None:
        rest = {name: value for name, value in given.items() if name != "path"}
        if row is not None:
            incidents.actions.change_category(category=row, values=rest, by=by, at=at)
            return
        above, _, name = str(given["path"]).rpartition(SEPARATOR)
        parent = category_named(above or None, "path")
        create_config(model=Category, values={"name": name, "parent": parent, **rest}, by=by, at=at)


class Services(Kind):
    section, model, key = "services", Service, "slug"
    fields = ("name", "description", "owner_team", "criticality", "is_active")

    def show(self, row: Any, name: str) -> Any:
        return (row.owner_team and row.owner_team.slug) if name == "owner_team" else super().show(row, name)

    def read(self, name: str, value: Any) -> Any:
        return named(Team, "slug", value, name) if name == "owner_team" else value


class Matrix(Kind):
    """The one in force; a file that says something else puts a new version in force."""

    section, model, key = "priority_matrix", PriorityMatrix, "name"
    fields = ("rows", "impacts", "urgencies", "vip_raises_urgency")

    def rows(self) -> Iterable[Any]:
        return PriorityMatrix.objects.filter(is_current=True)

    def find(self, key: str) -> Any | None:
        return PriorityMatrix.objects.filter(is_current=True).first()

    def save(self, row: Any | None, given: Mapping[str, Any], by: Actor, at: datetime) -> None:
        before = self.shown(row) if row is not None else {}
        incidents.actions.change_matrix(by=by, at=at, **{**before, **given})
