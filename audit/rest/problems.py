"""Every refusal as problem+json (RFC 9457): what, why, the field, and the way out. Nothing inner leaks."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import ValidationError as DjangoValidationError
from django.core.signals import got_request_exception
from django.db import DatabaseError, InterfaceError
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from audit.actions import ActionRefused
from audit.context import current_entry
from audit.defaults import FastJSONRenderer
from audit.models import APPEND_ONLY, ILLEGAL_STATE, STALE, StaleRow

log = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
_LONGEST_VALUE = 80

REMEDIES = {
    "required": "give this field",
    "null": "give a value",
    "blank": "give a value",
    "empty": "give at least one",
    "unique": "choose another value",
    "does_not_exist": "name an object that exists and that you may see",
    "unknown_field": "leave the field out",
    "read_only_field": "leave the field out; it is derived",
    "invalid_choice": "choose one of the values that the schema lists",
}
#: SQLSTATE -> (status, code, what, remedy). A value that the database refuses is the caller's, a race is a conflict.
_STATES: dict[str, tuple[int, str, str, str]] = {
    STALE: (412, "stale", "Somebody else saved first.", "load it again and repeat the change"),
    ILLEGAL_STATE: (409, "illegal_state", "The state does not allow this.", "look at the present state"),
    APPEND_ONLY: (409, "append_only", "What is recorded can't be changed.", "record a correction instead"),
    "23505": (409, "conflict", "Something with this value exists already.", "choose another value"),
    "23503": (409, "conflict", "It is in use, or what it points to is gone.", "look at what it belongs to"),
    "23P01": (409, "conflict", "It overlaps with something that exists.", "choose another period"),
    "23514": (400, "invalid", "The values don't go together.", "correct the values"),
    "23502": (400, "invalid", "A value is missing.", "give the value"),
    "40001": (409, "busy", "Somebody else changed it at the same moment.", "repeat the request"),
    "40P01": (409, "busy", "Somebody else changed it at the same moment.", "repeat the request"),
    "55P03": (409, "busy", "Somebody else is changing it.", "repeat the request"),
}
_UNAVAILABLE = (503, "unavailable", "The database does not answer.", "try again in a moment")


class Refusal:
    """One problem on its way out."""

    def __init__(self, status: int, code: str, detail: str, errors: list[dict[str, str]], **extra: Any) -> None:
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors
        self.extra = extra
        self.headers: dict[str, str] = {}

    def body(self, request: HttpRequest | Request | None) -> dict[str, Any]:
        request_id = current_entry().request_id
        return {
            "type": f"urn:servicedesk:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "instance": f"urn:servicedesk:request:{request_id}",
            "errors": self.errors,
            "request_id": request_id,
            **self.extra,
        }


def _entry(field: str, cause: str, remedy: str) -> dict[str, str]:
    return {"field": field, "cause": str(cause), "remedy": str(remedy)}


def _flat(detail: Any, place: str = "") -> Iterator[dict[str, str]]:
    """One entry for each error in the REST framework's nested lists and mappings."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            here = place if name == "non_field_errors" else f"{place}.{name}".lstrip(".")
            yield from _flat(inner, here)
    elif isinstance(detail, list):
        nested = any(isinstance(one, Mapping | list) for one in detail)
        for number, inner in enumerate(detail):
            yield from _flat(inner, f"{place}.{number}".lstrip(".") if nested else place)
    elif detail:
        yield _entry(place, str(detail), REMEDIES.get(getattr(detail, "code", ""), "correct the value"))


def _summary(errors: list[dict[str, str]]) -> str:
    return "; ".join(f"{one['field']}: {one['cause']}" if one["field"] else one["cause"] for one in errors[:5])


def _said(value: Any) -> str:
    """A value in the words of a refusal."""
    text = "empty" if value in (None, "") else str(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def _of_action(error: ActionRefused) -> Refusal:
    extra = dict(error.extra)
    fields = extra.pop("fields", None) or {}
    errors = [_entry(name, cause, error.remedy) for name, causes in fields.items() for cause in causes]
    errors = errors or [
        _entry(name, f"{_said(old)} when you read it, {_said(new)} now", error.remedy)
        for name, (old, new) in (extra.get("diff") or {}).items()
    ]
    errors = errors or [_entry(error.field, error.detail, error.remedy)]
    reserved = {"type", "title", "status", "detail", "instance", "errors", "request_id"}
    return Refusal(
        error.status, error.code, error.detail, errors, **{k: v for k, v in extra.items() if k not in reserved}
    )


def _of_framework(error: exceptions.APIException) -> Refusal:
    codes = error.get_codes()
    code = codes if isinstance(codes, str) else "invalid"
    errors = list(_flat(error.detail))
    if not isinstance(error, exceptions.ValidationError):
        remedies = {401: "send a valid key or sign in", 403: "ask somebody with the right", 429: "wait and repeat"}
        errors = [_entry("", one["cause"], remedies.get(error.status_code, "correct the request")) for one in errors]
    refusal = Refusal(error.status_code, code, _summary(errors), errors)
    if challenge := getattr(error, "auth_header", None):
        refusal.headers["WWW-Authenticate"] = challenge
    if wait := getattr(error, "wait", None):
        refusal.headers["Retry-After"] = str(int(wait) + 1)
    return refusal


def _of_validation(error: DjangoValidationError) -> Refusal:
    fields = error.message_dict if hasattr(error, "error_dict") else {"": error.messages}
    errors = [
        _entry("" if name == "__all__" else name, cause, "correct the value")
        for name, causes in fields.items()
        for cause in causes
    ]
    return Refusal(400, "invalid", _summary(errors), errors)


def _of_database(error: DatabaseError | InterfaceError) -> Refusal | None:
    state = str(getattr(error.__cause__, "sqlstate", None) or getattr(error, "sqlstate", None) or "")
    known = _STATES.get(STALE if isinstance(error, StaleRow) else state)
    if known is None and state.startswith("22"):
        known = (400, "invalid", "A value can't be stored.", "correct the value")
    if known is None and (state[:2] in {"08", "53", "57"} or (not state and type(error).__name__ != "DatabaseError")):
        known = _UNAVAILABLE
    if known is None:
        return None
    status, code, detail, remedy = known
    refusal = Refusal(status, code, detail, [_entry("", detail, remedy)])
    if status == HTTPStatus.SERVICE_UNAVAILABLE or code == "busy":
        refusal.headers["Retry-After"] = "1"
    return refusal


def _simple(status: int, code: str, detail: str, remedy: str) -> Refusal:
    return Refusal(status, code, detail, [_entry("", detail, remedy)])


def refusal_of(error: BaseException) -> Refusal | None:
    """What an exception tells the caller; None for a fault of ours."""
    match error:
        case ActionRefused():
            return _of_action(error)
        case exceptions.APIException():
            return _of_framework(error)
        case DjangoValidationError():
            return _of_validation(error)
        case Http404() | ObjectDoesNotExist():
            return _simple(404, "not_found", "There is nothing here that you may see.", "check the reference")
        case PermissionDenied():
            return _simple(403, "forbidden", "You may not do this.", "ask somebody with the right")
        case RequestDataTooBig():
            return _simple(413, "body_too_large", "The body is too large.", "send less at once")
        case SuspiciousOperation() | OverflowError() | UnicodeError():
            return _simple(400, "invalid", "A value can't be taken.", "correct the value")
        case DatabaseError() | InterfaceError():
            return _of_database(error)
    return None


def _fault(request: HttpRequest | Request | None, error: BaseException) -> Refusal:
    """A fault of ours: told to the log in full and to the caller not at all."""
    log.error("unhandled error in the API", exc_info=error)
    got_request_exception.send(sender=None, request=getattr(request, "_request", request))
    return _simple(500, "fault", "The desk has a fault; it was noted.", "repeat the request, or tell us its request_id")


def handle(error: Exception, context: Mapping[str, Any]) -> Response:
    """The REST framework's exception handler."""
    request = context.get("request")
    refusal = refusal_of(error) or _fault(request, error)
    return Response(
        refusal.body(request), status=refusal.status, headers=refusal.headers, content_type=MEDIA_TYPE, exception=True
    )


def answer(request: HttpRequest, error: BaseException) -> HttpResponse:
    """The same for views outside the REST framework."""
    refusal = refusal_of(error) or _fault(request, error)
    body = FastJSONRenderer().render(refusal.body(request))
    return HttpResponse(body, status=refusal.status, headers=refusal.headers, content_type=MEDIA_TYPE)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """The 404 of an address below /api/ that no route serves."""
    return answer(request, Http404())


__all__ = ["MEDIA_TYPE", "REMEDIES", "Refusal", "answer", "handle", "not_found", "refusal_of"]
