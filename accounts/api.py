"""People, teams, organisations, sites and keys by REST."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action as extra_route
from rest_framework.request import Request
from rest_framework.response import Response

import accounts.actions
from accounts.models import ApiKey, Membership, Organisation, Site, Team, User
from accounts.roles import CHOICES
from accounts.roster import MOST_BYTES
from audit.rest import (
    Call,
    ConfigViewSet,
    StrictModelSerializer,
    StrictSerializer,
    TrackedViewSet,
    VisibleField,
    verb,
)


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the schema names the key."""

    target_class = "accounts.authentication.ApiKeyAuthentication"
    name = "key"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "sdk_<prefix>_<secret>"}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the schema names the session of a page."""

    target_class = "accounts.authentication.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}


class PlaceSerializer(serializers.ModelSerializer[Membership]):
    """A person's place in a team."""

    class Meta:
        model = Membership
        fields: ClassVar[list[str]] = ["user", "team", "is_lead"]


class UserSerializer(StrictModelSerializer):
    """A person; roles and teams are changed by verbs."""

    roles = serializers.SerializerMethodField()
    memberships = PlaceSerializer(many=True, read_only=True)

    class Meta:
        model = User
        fields: ClassVar[list[str]] = [
            "id", "email", "name", "phone", "time_zone", "locale", "is_vip", "organisation", "site",
            "is_active", "is_staff", "created_at", "roles", "memberships", "version",
        ]  # fmt: skip
        read_only_fields: ClassVar[list[str]] = ["is_active", "is_staff", "created_at", "version"]

    def get_roles(self, user: User) -> list[str]:
        return sorted(grant.group.name for grant in user.role_grants.all())


class NewUserSerializer(UserSerializer):
    """What makes an account; without a password nobody signs in to it yet."""

    roles = serializers.ListField(  # type: ignore[assignment]
        child=serializers.ChoiceField(choices=CHOICES), required=False, write_only=True, max_length=len(CHOICES)
    )
    password = serializers.CharField(write_only=True, required=False, max_length=200, trim_whitespace=False)

    class Meta(UserSerializer.Meta):
        fields: ClassVar[list[str]] = [*UserSerializer.Meta.fields, "password"]


class ReasonInput(StrictSerializer):
    """An optional word on why."""

    reason = serializers.CharField(required=False, default="", allow_blank=True, max_length=1000)


class RoleInput(StrictSerializer):
    role = serializers.ChoiceField(choices=CHOICES)


class PlaceInput(StrictSerializer):
    user = VisibleField(queryset=User.objects.get_queryset())
    is_lead = serializers.BooleanField(default=False)


class RetireTeamInput(ReasonInput):
    successor = VisibleField(queryset=Team.objects.all(), required=False, allow_null=True)


class ImportInput(StrictSerializer):
    """A CSV file as text."""

    csv = serializers.CharField(max_length=MOST_BYTES, trim_whitespace=False)
    dry_run = serializers.BooleanField(default=True)


class ImportErrorSerializer(serializers.Serializer[Any]):
    field = serializers.CharField()
    cause = serializers.CharField()
    remedy = serializers.CharField()


class ImportRowSerializer(serializers.Serializer[Any]):
    line = serializers.IntegerField()
    email = serializers.CharField()
    outcome = serializers.ChoiceField(choices=["created", "changed", "unchanged", "refused"])
    changes = serializers.DictField(help_text="Field: [value before, value after].")
    errors = ImportErrorSerializer(many=True)  # type: ignore[assignment]


class ImportReportSerializer(serializers.Serializer[Any]):
    """What became of each row, or would."""

    is_dry_run = serializers.BooleanField()
    encoding = serializers.CharField()
    note = serializers.CharField()
    outcomes = serializers.DictField(child=serializers.IntegerField())
    rows = ImportRowSerializer(many=True)


class MemberInput(StrictSerializer):
    user = VisibleField(queryset=User.objects.get_queryset())


class UserViewSet(ConfigViewSet):
    """People. Removing one is deactivating: the account stays, with all that was done under it."""

    queryset = User.objects.get_queryset().prefetch_related("role_grants__group", "memberships")
    serializer_class = UserSerializer
    http_method_names = ["get", "post", "patch", "head", "options"]
    filterset_fields: ClassVar[dict[str, list[str]]] = {
        "email": ["exact"],
        "is_active": ["exact"],
        "is_vip": ["exact"],
        "organisation": ["exact"],
        "site": ["exact"],
    }
    search_fields = ("name", "email")
    takes = NewUserSerializer

    def create_row(self, values: dict[str, Any]) -> User:
        return self._again(accounts.actions.create_user(**values, by=self.actor, at=self.now))

    def change_row(self, row: User, values: dict[str, Any], expected_version: int | None) -> User:
        return accounts.actions.change_user(
            user=row, values=values, by=self.actor, at=self.now, expected_version=expected_version
        )

    @verb(ReasonInput)
    def deactivate(self, call: Call) -> User:
        """Ends a person's access at once: sessions, keys, pages and shifts with it."""
        return accounts.actions.deactivate_user(
            user=call.row, by=call.by, at=call.at, expected_version=call.expected_version, **call.data
        )

    @verb()
    def reactivate(self, call: Call) -> User:
        """Lets a person in again; keys stay revoked."""
        return accounts.actions.reactivate_user(
            user=call.row, by=call.by, at=call.at, expected_version=call.expected_version
        )

    @verb(RoleInput, path="grant-role")
    def grant_role(self, call: Call) -> User:
        """Gives a role; nobody gives one to themselves."""
        accounts.actions.grant_role(user=call.row, by=call.by, at=call.at, **call.data)
        return self._again(call.row)

    @verb(RoleInput, path="revoke-role")
    def revoke_role(self, call: Call) -> User:
        """Takes a role away; the last administrator keeps it."""
        accounts.actions.revoke_role(user=call.row, by=call.by, at=call.at, **call.data)
        return self._again(call.row)

    @extend_schema(request=ImportInput, responses=ImportReportSerializer, filters=False)
    @extra_route(detail=False, methods=["post"], url_path="import")
    def import_people(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Creates and changes people by a CSV file; a dry run unless told otherwise, with a result for each row."""
        return self.once(self._import)

    def _import(self) -> Response:
        given = ImportInput.parse(self.request.data, self.get_serializer_context())
        report = accounts.actions.import_people(
            content=given["csv"].encode(), dry_run=given["dry_run"], by=self.actor, at=self.now
        )
        return Response(ImportReportSerializer(report).data)

    def _again(self, user: User) -> User:
        found: User = self.get_queryset().get(pk=user.pk)
        return found


class TeamSerializer(StrictModelSerializer):
    memberships = PlaceSerializer(many=True, read_only=True)

    class Meta:
        model = Team
        fields: ClassVar[list[str]] = [
            "id", "name", "slug", "tier", "parent", "email", "is_triage", "is_active", "memberships", "version",
        ]  # fmt: skip
        read_only_fields: ClassVar[list[str]] = ["version"]


class TeamViewSet(ConfigViewSet):
    """Teams and who works in them."""

    queryset = Team.objects.prefetch_related("memberships")
    serializer_class = TeamSerializer
    filterset_fields: ClassVar[dict[str, list[str]]] = {
        "tier": ["exact"],
        "parent": ["exact"],
        "is_active": ["exact"],
        "is_triage": ["exact"],
        "slug": ["exact"],
    }
    search_fields = ("name",)

    def create_row(self, values: dict[str, Any]) -> Team:
        return accounts.actions.create_team(values=values, by=self.actor, at=self.now)

    def change_row(self, row: Team, values: dict[str, Any], expected_version: int | None) -> Team:
        return accounts.actions.change_team(
            team=row, values=values, by=self.actor, at=self.now, expected_version=expected_version
        )

    def remove_row(self, row: Team, expected_version: int | None) -> None:
        accounts.actions.remove_team(team=row, by=self.actor, at=self.now, expected_version=expected_version)

    @verb(RetireTeamInput)
    def retire(self, call: Call) -> Team:
        """Ends a team; its open incidents and services go to the successor."""
        return accounts.actions.retire_team(
            team=call.row, by=call.by, at=call.at, expected_version=call.expected_version, **call.data
        )

    @verb(PlaceInput, path="set-member")
    def set_member(self, call: Call) -> Team:
        """Puts a person into the team, or makes them lead it or not."""
        accounts.actions.set_membership(team=call.row, by=call.by, at=call.at, **call.data)
        return self._again(call.row)

    @verb(MemberInput, path="remove-member")
    def remove_member(self, call: Call) -> Team:
        """Takes a person out of the team."""
        accounts.actions.remove_membership(team=call.row, by=call.by, at=call.at, **call.data)
        return self._again(call.row)

    def _again(self, team: Team) -> Team:
        found: Team = self.get_queryset().get(pk=team.pk)
        return found


class OrganisationSerializer(StrictModelSerializer):
    class Meta:
        model = Organisation
        fields: ClassVar[list[str]] = ["id", "name", "version"]
        read_only_fields: ClassVar[list[str]] = ["version"]


class OrganisationViewSet(ConfigViewSet):
    """Organisations whose people ask for help."""

    queryset = Organisation.objects.all()
    serializer_class = OrganisationSerializer
    search_fields = ("name",)


class SiteSerializer(StrictModelSerializer):
    class Meta:
        model = Site
        fields: ClassVar[list[str]] = ["id", "name", "organisation", "time_zone", "version"]
        read_only_fields: ClassVar[list[str]] = ["version"]


class SiteViewSet(ConfigViewSet):
    """Places where people work."""

    queryset = Site.objects.all()
    serializer_class = SiteSerializer
    filterset_fields: ClassVar[dict[str, list[str]]] = {"organisation": ["exact"]}
    search_fields = ("name",)


class ApiKeySerializer(StrictModelSerializer):
    """A key without its secret, which only the answer to its making holds."""

    class Meta:
        model = ApiKey
        fields: ClassVar[list[str]] = [
            "id", "name", "prefix", "user", "scopes", "created_at", "created_by", "expires_at", "last_used_at",
            "revoked_at", "version",
        ]  # fmt: skip
        read_only_fields: ClassVar[list[str]] = [
            "prefix", "created_at", "created_by", "last_used_at", "revoked_at", "version",
        ]  # fmt: skip


class IssuedKeySerializer(ApiKeySerializer):
    """The one answer that holds the key itself."""

    key = serializers.CharField(read_only=True, help_text="Shown once; nobody can read it again.")

    class Meta(ApiKeySerializer.Meta):
        fields: ClassVar[list[str]] = [*ApiKeySerializer.Meta.fields, "key"]


class ApiKeyViewSet(TrackedViewSet):
    """Keys: a person's own, and for administrators those of machines. A key is revoked, never changed or removed."""

    queryset = ApiKey.objects.all()
    serializer_class = ApiKeySerializer
    filterset_fields: ClassVar[dict[str, list[str]]] = {"user": ["exact"], "prefix": ["exact"]}
    search_fields = ("name",)
    shown_once = ("key",)

    def get_serializer_class(self) -> type[ApiKeySerializer]:
        return IssuedKeySerializer if self.action == "create" else ApiKeySerializer

    def create(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Issues a key and shows it this one time."""
        return self.once(self._create)

    def _create(self) -> Response:
        serializer = self.get_serializer(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        key, secret = accounts.actions.issue_api_key(**serializer.validated_data, by=self.actor, at=self.now)
        key.key = secret  # type: ignore[attr-defined]
        location = self.request.build_absolute_uri(f"{self.request.path}{key.pk}/")
        return self.respond(key, status=201, headers={"Location": location})

    @verb(ReasonInput)
    def revoke(self, call: Call) -> ApiKey:
        """Ends the key at once."""
        return accounts.actions.revoke_api_key(key=call.row, by=call.by, at=call.at, **call.data)


#: RoleGrant has no resource of its own: it is read in a user and changed by its verbs.
ROUTES = [
    ("users", UserViewSet),
    ("teams", TeamViewSet),
    ("organisations", OrganisationViewSet),
    ("sites", SiteViewSet),
    ("api-keys", ApiKeyViewSet),
]
