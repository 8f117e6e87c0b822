"""Every mail of real collections: stored, judged, never an error; a machine's opens nothing and is answered by nothing.

The folder is MAIL_CASES with its index.json, or any folder of .eml files; without one the suite is skipped.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

import integrations.actions
from incidents.models import Comment, Incident
from integrations.models import InboundMail, Verdict
from notify.models import Message
from notify.queries import thread_headers
from tests.accounts.factories import UserFactory
from tests.incidents.factories import IncidentFactory
from tests.integrations.mails import AT, JOB, arrive

FOLDER = Path(os.environ.get("MAIL_CASES", Path(__file__).resolve().parents[2] / "../shared/data/mail"))
SILENT = {"auto-submitted", "dsn/report", "null return-path"}


def _rows() -> list[dict[str, Any]]:
    index = FOLDER / "index.json"
    if index.exists():
        found = json.loads(index.read_text(encoding="utf-8"))
        return [row for row in found if (FOLDER / row["file"]).exists()]
    return [{"file": str(path.relative_to(FOLDER)), "tags": []} for path in sorted(FOLDER.rglob("*.eml"))]


ROWS = _rows() if FOLDER.is_dir() else []
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(not ROWS, reason=f"no mails at {FOLDER}: set MAIL_CASES to a folder of them"),
]


def _content(row: dict[str, Any]) -> bytes:
    return (FOLDER / str(row["file"])).read_bytes()


def _is_silent(row: dict[str, Any]) -> bool:
    """By the index, and for a folder without one by what the header itself says."""
    head = re.split(rb"\r?\n\r?\n", _content(row), maxsplit=1)[0].lower()
    said = re.search(rb"^auto-submitted:\s*(?!no\b)\w", head, re.MULTILINE) or re.search(
        rb"^return-path:[ \t]*(?:<[ \t]*>|\r?$)", head, re.MULTILINE
    )
    return bool(SILENT & set(row["tags"]) or said)


@pytest.fixture(autouse=True)
def _stumbles_are_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**values: Any) -> None:
        raise AssertionError(values["error"])

    monkeypatch.setattr(integrations.actions, "note_failure", fail)


def test_cases_are_all_stored_and_judged_and_machines_open_nothing() -> None:
    wrong: dict[str, tuple[str, str]] = {}
    verdicts: dict[str, int] = {}
    for row in ROWS:
        before = Incident.objects.count(), Message.objects.count(), Comment.objects.count()
        mail = arrive(_content(row))
        after = Incident.objects.count(), Message.objects.count(), Comment.objects.count()
        verdicts[mail.verdict] = verdicts.get(mail.verdict, 0) + 1
        assert bytes(InboundMail.objects.get(pk=mail.pk).content.raw) == _content(row), row["file"]
        if mail.verdict == Verdict.WAITING or (_is_silent(row) and after != before):
            wrong[row["file"]] = (mail.verdict, mail.reason)
    assert wrong == {}, verdicts


def test_cases_that_come_again_by_another_way_open_nothing_more() -> None:
    for row in ROWS[:20]:
        first, opened = arrive(_content(row)), Incident.objects.count()
        if first.message_id:
            again = arrive(b"Received: by another.example.org\r\n" + _content(row))
            assert again.verdict == Verdict.IGNORED, row["file"]
            assert Incident.objects.count() == opened


def test_cases_come_twice_and_are_stored_once() -> None:
    for row in ROWS[:20]:
        arrive(_content(row))
        stored, is_new = integrations.actions.receive(raw=_content(row), source="imap", by=JOB, at=AT)
        assert not is_new
        assert stored.copies > 1


def _as_reply(content: bytes, incident: Incident, sender: str) -> bytes:
    """The same mail, sent by the requester as an answer to ours."""
    head, gap, body = re.split(rb"(\r?\n\r?\n)", content, maxsplit=1)
    kept = re.sub(
        rb"(?im)^(?:from|sender|in-reply-to|references|message-id):[^\n]*\n(?:[ \t][^\n]*\n)*", b"", head + b"\n"
    )
    ours = thread_headers("x", incident.reference)["Message-ID"].encode()
    return b"From: " + sender.encode() + b"\nIn-Reply-To: " + ours + b"\n" + kept.rstrip(b"\n") + gap + body


def test_cases_that_are_replies_land_in_their_incident() -> None:
    requester = UserFactory(roles=["requester"])
    incident = IncidentFactory(requester=requester)
    landed: dict[str, str] = {}
    for row in ROWS:
        if "reply" in row["tags"] or "talon" in row["file"]:
            mail = arrive(_as_reply(_content(row), incident, requester.email))
            silent = _is_silent(row) or mail.verdict in (Verdict.IGNORED, Verdict.BOUNCE)
            if not silent and (mail.verdict != Verdict.REPLIES or mail.incident_id != incident.pk):
                landed[row["file"]] = f"{mail.verdict}: {mail.reason}"
    assert landed == {}
    assert Incident.objects.count() == 1
