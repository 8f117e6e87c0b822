"""People, where they belong, what they may do, and the keys of the machines that act for them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import Group
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from accounts.roles import STAFF, Role
from audit.actor import Actor
from audit.models import Tracked, personal, records
from audit.zones import is_zone


def validate_time_zone(value: str) -> None:
    """Refuses a zone that the time zone database does not know, or that means another one on each machine."""
    if not is_zone(value):
        raise ValidationError(
            _("“%(value)s” is no time zone: choose one like Europe/Madrid."), code="zone", params={"value": value}
        )


class AddressField(models.EmailField):
    """A mail address kept in lower case, so that one person can't have two accounts by spelling."""

    def get_prep_value(self, value: Any) -> Any:
        prepared = super().get_prep_value(value)
        return prepared.strip().lower() if isinstance(prepared, str) else prepared

    def to_python(self, value: Any) -> Any:
        known = super().to_python(value)
        return known.strip().lower() if isinstance(known, str) else known

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        value = self.to_python(super().pre_save(model_instance, add))
        setattr(model_instance, self.attname, value)
        return value


class PlaceQuerySet(models.QuerySet[Any]):
    """Organisations and sites: requesters need not know whom else the desk serves."""

    def visible_to(self, actor: Actor) -> PlaceQuerySet:
        return self if actor.has_role(*STAFF, Role.INTEGRATION) else self.none()


class Organisation(Tracked):
    """A company or department whose people ask for help; policies and routing may depend on it."""

    name = models.CharField(_("name"), max_length=200, unique=True)
    history = records()

    objects = PlaceQuerySet.as_manager()

    class Meta:
        verbose_name = _("organisation")
        verbose_name_plural = _("organisations")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Site(Tracked):
    """A place where people work, with the time zone they live in."""

    name = models.CharField(_("name"), max_length=200, unique=True)
    organisation = models.ForeignKey(
        Organisation, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("organisation")
    )
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC", validators=[validate_time_zone])
    history = records()

    objects = PlaceQuerySet.as_manager()

    class Meta:
        verbose_name = _("site")
        verbose_name_plural = _("sites")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class UserQuerySet(models.QuerySet["User"]):
    def active(self) -> UserQuerySet:
        return self.filter(is_active=True)

    def visible_to(self, actor: Actor) -> UserQuerySet:
        """The desk's people see everybody; a requester only themselves; a key by its scope."""
        if actor.has_role(*STAFF, Role.INTEGRATION):
            return self
        return self.filter(pk=actor.user_id) if actor.user_id else self.none()


class UserManager(BaseUserManager["User"]):
    """Finds a person by address; people are made by `accounts.actions.create_user` only."""

    def get_queryset(self) -> UserQuerySet:
        return UserQuerySet(self.model, using=self._db)

    def active(self) -> UserQuerySet:
        return self.get_queryset().active()

    def visible_to(self, actor: Actor) -> UserQuerySet:
        return self.get_queryset().visible_to(actor)

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=username or "")


class User(AbstractBaseUser, Tracked):
    """A person, known by a mail address. Roles decide what they may do; Django's own permissions decide nothing.

    `is_staff` (may enter the admin site) follows from the roles and is kept by `grant_role` and `revoke_role`.
    Sign-ins are events, not a column, so that signing in makes no new version of the person.
    """

    last_login = None

    email = personal(AddressField(_("mail address"), unique=True))
    name = personal(models.CharField(_("name"), max_length=200, blank=True))
    phone = personal(
        models.CharField(
            _("phone"),
            max_length=40,
            blank=True,
            validators=[RegexValidator(r"^[0-9+() ./-]*$", _("Digits, spaces and + ( ) . / - only."))],
        )
    )
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC", validators=[validate_time_zone])
    locale = models.CharField(
        _("language"), max_length=2, default="en", choices=[("en", "English"), ("es", "Español"), ("pt", "Português")]
    )
    is_vip = models.BooleanField(_("VIP"), default=False)
    organisation = models.ForeignKey(
        Organisation, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("organisation")
    )
    site = models.ForeignKey(Site, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("site"))
    is_active = models.BooleanField(_("active"), default=True, editable=False)
    is_staff = models.BooleanField(_("works at the desk"), default=False, editable=False)
    #: Part of every session's hash: raised when somebody leaves, so that no old session revives.
    session_round = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(_("created"), db_default=models.Func(function="clock_timestamp"), editable=False)
    groups = models.ManyToManyField(
        Group,
        through="accounts.RoleGrant",
        through_fields=("user", "group"),
        related_name="+",
        blank=True,
        verbose_name=_("roles"),
    )

    objects: ClassVar[UserManager] = UserManager()
    history = records(exclude=["password", "session_round"])

    EMAIL_FIELD = "email"
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        constraints = [
            models.UniqueConstraint(Lower("email"), name="accounts_user_email_once"),
            models.CheckConstraint(condition=Q(locale__in=["en", "es", "pt"]), name="accounts_user_locale_known"),
        ]

    def __str__(self) -> str:
        return self.name or self.email

    def get_full_name(self) -> str:
        return self.name or self.email

    def get_short_name(self) -> str:
        return (self.name or self.email).split(" ")[0]

    @property
    def can_sign_in(self) -> bool:
        """Active and with a password that can be given."""
        return self.is_active and bool(self.password) and self.has_usable_password()

    def get_session_auth_hash(self) -> str:
        return self._of_round(super().get_session_auth_hash())

    def get_session_auth_fallback_hash(self) -> Iterator[str]:
        """The hashes under former secret keys."""
        return map(self._of_round, super().get_session_auth_fallback_hash())

    def _of_round(self, digest: str) -> str:
        return f"{digest}.{self.session_round}" if self.session_round else digest

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Django's permissions decide nothing here: predicates on the actor's roles do."""
        return False

    def has_module_perms(self, app_label: str) -> bool:
        return False


class TeamQuerySet(models.QuerySet["Team"]):
    def active(self) -> TeamQuerySet:
        return self.filter(is_active=True)

    def visible_to(self, actor: Actor) -> TeamQuerySet:
        return self if actor.has_role(*STAFF, Role.INTEGRATION) else self.none()


class Team(Tracked):
    """People who share a queue. Teams form a tree: who leads a team leads those below it."""

    name = models.CharField(_("name"), max_length=200, unique=True)
    slug = models.SlugField(_("short name"), max_length=80, unique=True)
    tier = models.SmallIntegerField(_("tier"), default=1, choices=[(1, "1"), (2, "2"), (3, "3")])
    parent = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("part of")
    )
    email = models.EmailField(_("mail address"), blank=True)
    is_triage = models.BooleanField(_("takes what no rule routes"), default=False)
    is_active = models.BooleanField(_("active"), default=True)
    history = records()

    objects = TeamQuerySet.as_manager()

    class Meta:
        verbose_name = _("team")
        verbose_name_plural = _("teams")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=Q(tier__gte=1, tier__lte=3), name="accounts_team_tier_known"),
            models.CheckConstraint(condition=~Q(parent=models.F("id")), name="accounts_team_not_its_own_parent"),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuses a parent that lies below this team. It reads the parents anew: an object at hand may be of before."""
        above, seen = self.parent_id, {self.pk} - {None}
        while above is not None:
            if above in seen:
                raise ValidationError(
                    {"parent": _("A team can't be part of itself or of a team below it.")}, code="cycle"
                )
            seen.add(above)
            above = Team.objects.filter(pk=above).values_list("parent_id", flat=True).first()


class Membership(Tracked):
    """A person's place in a team; a lead sees and runs the team with all below it."""

    user = models.ForeignKey(User, models.PROTECT, related_name="memberships", verbose_name=_("user"))
    team = models.ForeignKey(Team, models.PROTECT, related_name="memberships", verbose_name=_("team"))
    is_lead = models.BooleanField(_("leads"), default=False)
    history = records()

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [models.UniqueConstraint(fields=["user", "team"], name="accounts_membership_once")]

    def __str__(self) -> str:
        return f"{self.user} – {self.team}"


class RoleGrant(Tracked):
    """A role given to a person, with who gave it: the explicit table behind `User.groups`, so that it has history."""

    user = models.ForeignKey(User, models.PROTECT, related_name="role_grants", verbose_name=_("user"))
    group = models.ForeignKey(Group, models.PROTECT, related_name="+", verbose_name=_("role"))
    granted_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, editable=False, related_name="+", verbose_name=_("granted by")
    )
    granted_at = models.DateTimeField(_("granted at"), editable=False)
    history = records()

    class Meta:
        verbose_name = _("role grant")
        verbose_name_plural = _("role grants")
        constraints = [models.UniqueConstraint(fields=["user", "group"], name="accounts_role_once")]

    def __str__(self) -> str:
        return f"{self.user}: {self.group.name}"


SCOPE = re.compile(r"(\*|[a-z][a-z0-9-]{0,60}):(read|write)")


def validate_scopes(value: list[str]) -> None:
    """Refuses what is no `resource:read` or `resource:write`; `*` stands for every resource."""
    bad = [one for one in value if not SCOPE.fullmatch(one)]
    if bad or not value:
        raise ValidationError(
            _("Give scopes like incidents:read, incidents:write or *:read; not: %(bad)s."),
            code="scope",
            params={"bad": ", ".join(bad) or "–"},
        )


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def valid(self, at: datetime) -> ApiKeyQuerySet:
        """Keys that open the door: neither revoked nor expired, and whose person, if any, is active."""
        return self.filter(
            Q(expires_at=None) | Q(expires_at__gt=at), Q(user=None) | Q(user__is_active=True), revoked_at=None
        )

    def visible_to(self, actor: Actor) -> ApiKeyQuerySet:
        if actor.has_role(Role.ADMIN, Role.AUDITOR):
            return self
        return self.filter(user_id=actor.user_id) if actor.user_id else self.none()


class ApiKey(Tracked):
    """A key of a machine, or of a person's script. Only a hash of its secret is kept, so it is shown once.

    The secret has 256 random bits, so a plain SHA-256 is enough: nothing can be guessed faster.
    """

    name = models.CharField(_("name"), max_length=200)
    prefix = models.CharField(max_length=16, unique=True, editable=False)
    secret_hash = models.CharField(max_length=64, editable=False)
    user = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("acts for"))
    scopes = ArrayField(models.CharField(max_length=80), verbose_name=_("scopes"), validators=[validate_scopes])
    created_at = models.DateTimeField(_("issued"), editable=False)
    created_by = models.ForeignKey(
        User, models.PROTECT, null=True, editable=False, related_name="+", verbose_name=_("issued by")
    )
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked"), null=True, editable=False)
    history = records(exclude=["secret_hash", "last_used_at"])

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix})"


def hash_of_secret(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
