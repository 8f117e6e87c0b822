"""What accounts tell upwards: people, roles, memberships and keys as they come and go."""

from __future__ import annotations

from enum import StrEnum

from audit.events import Kind


class AccountEvent(StrEnum):
    USER_CREATED = "user.created"
    USER_CHANGED = "user.changed"
    USER_DEACTIVATED = "user.deactivated"
    USER_REACTIVATED = "user.reactivated"
    PASSWORD_CHANGED = "user.password_changed"  # noqa: S105  # nosec B105
    SIGNED_IN = "user.signed_in"
    EXPORTED = "user.exported"
    ROLE_GRANTED = "role.granted"
    ROLE_REVOKED = "role.revoked"
    TEAM_RETIRED = "team.retired"
    MEMBERSHIP_SET = "membership.set"
    MEMBERSHIP_REMOVED = "membership.removed"
    KEY_ISSUED = "api_key.issued"
    KEY_REVOKED = "api_key.revoked"


KINDS: dict[str, Kind] = {
    AccountEvent.USER_CREATED: Kind("Somebody got an account.", ("roles",)),
    AccountEvent.USER_CHANGED: Kind("The data of an account changed.", ("fields",)),
    AccountEvent.USER_DEACTIVATED: Kind("Somebody left: sessions and keys are dead from here on.", ("keys",)),
    AccountEvent.USER_REACTIVATED: Kind("Somebody came back; keys stay revoked.", ()),
    AccountEvent.PASSWORD_CHANGED: Kind("A password was set; other sessions end.", ()),
    AccountEvent.SIGNED_IN: Kind("Somebody signed in on a page.", ("address",)),
    AccountEvent.EXPORTED: Kind("Somebody took data out as a file; what, and by which filters.", ("what", "filters")),
    AccountEvent.ROLE_GRANTED: Kind("Somebody got a role.", ("role",)),
    AccountEvent.ROLE_REVOKED: Kind("Somebody lost a role.", ("role",)),
    AccountEvent.TEAM_RETIRED: Kind("A team was retired; its open work goes to the successor.", ("successor",)),
    AccountEvent.MEMBERSHIP_SET: Kind(
        "Somebody joined a team or changed place in it.", ("team_id", "user_id", "is_lead")
    ),
    AccountEvent.MEMBERSHIP_REMOVED: Kind("Somebody left a team.", ("team_id", "user_id")),
    AccountEvent.KEY_ISSUED: Kind("An API key was issued.", ("prefix", "scopes", "expires_at")),
    AccountEvent.KEY_REVOKED: Kind("An API key was revoked.", ("prefix",)),
}
