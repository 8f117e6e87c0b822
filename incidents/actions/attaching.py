"""Files that come with a word on an incident, or alone."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.core.files.base import ContentFile

from audit.actions import ActionRefused, Invalid, action, record
from audit.actor import Actor
from audit.context import current_entry
from incidents.actions.frame import locked
from incidents.actions.talking import _may_speak, _speaks_as, comment
from incidents.events import IncidentEvent
from incidents.filetypes import NotAllowed, Upload, judge, limits_from, safe_name
from incidents.models import Attachment, Comment, Incident
from incidents.queries import heir_of

log = logging.getLogger(__name__)


class FileRefused(ActionRefused):
    """A file that is not taken: too large, too many, or of a type that is not on the list."""

    code = "file_refused"
    status = 400


@action
def attach(
    *,
    incident: Incident,
    by: Actor,
    at: datetime,
    files: Sequence[Upload],
    comment: Comment | None = None,
    is_public: bool | None = None,
) -> list[Attachment]:
    """Keeps files on an incident; a requester's are public. Records `incident.file_attached` for each.

    Refused as a whole when one of them is not on the list of types by its content, is too large, or there are too
    many, and to who may not comment.
    """
    judged = [(one, _judged(one)) for one in _counted(files)]
    kept: list[Attachment] = []
    try:
        for upload, kind in judged:
            kept.append(_kept(upload, kind, incident, by, at))
        fresh = locked(incident)
        is_public = _visible(fresh, by, comment, is_public=is_public)
        _not_too_many(fresh, len(kept))
        for one in kept:
            one.comment, one.is_public = comment, is_public
            one.save()
            record(
                IncidentEvent.FILE_ATTACHED, fresh, by, at, attachment=str(one.key), is_public=is_public,
                size=one.size, content_type=one.content_type,
            )  # fmt: skip
    except BaseException:
        _forget(kept)
        raise
    return kept


@action
def comment_with_files(
    *,
    incident: Incident,
    by: Actor,
    at: datetime,
    files: Sequence[Upload],
    body: str = "",
    is_public: bool | None = None,
    expected_version: int | None = None,
) -> Comment:
    """A comment and its files in one step, or neither; without a text the names of the files are the text."""
    for one in _counted(files):
        _judged(one)
    said = body if body.strip() or not files else ", ".join(safe_name(one.name) for one in files)
    written = comment(
        incident=incident, by=by, at=at, body=said, is_public=is_public, expected_version=expected_version
    )
    if files:
        attach(incident=incident, by=by, at=at, files=files, comment=written, is_public=written.is_public)
    return written


def _counted(files: Sequence[Upload]) -> Sequence[Upload]:
    most = settings.SERVICEDESK_ATTACHMENT_MAX_COUNT
    if len(files) > most:
        raise FileRefused(f"there are {len(files)} files", field="files", remedy=f"at most {most} at once")
    return files


def _judged(upload: Upload) -> str:
    try:
        return judge(upload.content, limits_from(settings))
    except NotAllowed as error:
        raise FileRefused(
            f"{safe_name(upload.name)} is not taken: {error}", field="files",
            remedy="send it as a picture, PDF, text or office document without macros",
        ) from error  # fmt: skip


def _kept(upload: Upload, kind: str, incident: Incident, by: Actor, at: datetime) -> Attachment:
    """The bytes first: a row without its file would be a promise that nobody keeps."""
    made = Attachment(
        incident=incident, author_id=by.user_id, author_label=by.label, name=safe_name(upload.name), content_type=kind,
        size=len(upload.content), sha256=hashlib.sha256(upload.content).hexdigest(), channel=current_entry().channel,
        created_at=at,
    )  # fmt: skip
    made.file.save("", ContentFile(upload.content), save=False)
    return made


def _visible(incident: Incident, by: Actor, comment: Comment | None, *, is_public: bool | None) -> bool:
    """As public as the comment that it came with; what a requester sends is theirs to see."""
    if comment is not None:
        # What is written to a merged incident stands on its heir; the files stay where its requester finds them.
        if comment.incident_id not in (incident.pk, heir_of(incident).pk):
            raise Invalid("the comment is of another incident", field="comment", remedy="name one of this incident")
        is_public = comment.is_public or comment.addressed_to_id == incident.pk
    speaks_as = _speaks_as(by, incident, is_public=is_public)
    shown = speaks_as == Comment.AuthorKind.REQUESTER or bool(is_public)
    _may_speak(by, incident, is_public=shown)
    return shown


def _not_too_many(incident: Incident, more: int) -> None:
    most = settings.SERVICEDESK_ATTACHMENT_MAX_TOTAL
    if Attachment.objects.filter(incident=incident).count() + more > most:
        raise FileRefused(
            f"{incident.reference} has as many files as one may have", field="files", remedy=f"at most {most}"
        )


def _forget(kept: Sequence[Attachment]) -> None:
    """Files of a change that did not happen; one that can't be removed is only lost space."""
    for one in kept:
        try:
            one.file.delete(save=False)
        except OSError:
            log.warning("the file %s of a refused change stays behind", one.file.name)
