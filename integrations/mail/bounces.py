"""Mails that say that a mail could not be delivered: by the standard (RFC 3464), and as mail servers write them."""

from __future__ import annotations

import dataclasses
import re

from integrations.mail.reading import Parsed

_SERVER = re.compile(r"(?:post[._-]?master|mailer[._-]?daemon|mail[._-]?daemon|mdaemon|mailsystem|mail-?delivery)@")
_FAILURE = re.compile(
    r"undeliver|non-?deliver|returned mail|return(?:ed|ing) (?:message )?to sender|"
    r"mail delivery (?:failed|failure|system)|"
    r"deliver(?:y|ing)[ -](?:status|fail|error|problem|has failed|was|notification|report|incomplete)|"
    r"failure (?:notice|notification|delivering|to deliver)|fail(?:ed|s) to (?:be )?deliver|mail (?:system )?error|"
    r"(?:could|can|was|were|has|have|be|did)(?:n[o']t| ?not| never)[^.\n]{0,40}deliver|not (?:be )?delivered|"
    r"unable to (?:be )?deliver|unknown (?:user|recipient|address)|(?:user|recipient|address|"
    r"mailbox)[^.\n]{0,40} (?:unknown|"
    r"not found|does(?:n't| not) exist|unavailable|rejected|disabled|is full)|no such (?:user|recipient|"
    r"mailbox|address)|"
    r"invalid (?:user|recipient|address|mailbox)|quota exceeded|over quota|mailbox[^.\n]{0,30}(?:full|limit)|"
    r"rejected by|was rejected|bounce|cannot send message|(?:not|doesn't) (?:a |have a |listed |member )|"
    r"unzustellbar|nicht zugestellt|no se (?:pudo|puede|ha podido) entregar|n[aã]o (?:foi|p[oô]de|"
    r"ser[aá]) (?:poss|entreg)|"
    r"non remis|impossible d.acheminer|送信できません|エラー|存在しません|退信|投递失败|недоставлен|не доставлен|"
    r"\b(?:smtp; ?)?5[0-9]{2}[ -]#?5\.[0-9]{1,3}\.[0-9]{1,3}\b|\b55[0-4] ",
    re.IGNORECASE,
)
_LATER = re.compile(
    r"delayed|delay(?:ed)? notification|still (?:being )?retried|will (?:be )?(?:retry|retried|keep)|warning:", re.I
)
_ORIGINAL = re.compile(
    r"^\s*[-*= ]*(?:(?:original|unsent|returned|bounced|undelivered|message headers|headers of|copy of)[^\n]{0,60}"
    r"(?:message|mail|e-mail|follow|headers|text)[^\n]{0,40}|received: .{3,}|message[- ]id: ?<.{3,})\s*$",
    re.IGNORECASE | re.MULTILINE,
)
_STATUS = re.compile(r"\b([245]\.[0-9]{1,3}\.[0-9]{1,3})\b")
_SMTP = re.compile(r"\b([45][0-9]{2})[ -]")


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """What a bounce says: whether it is final, whom it did not reach, the status, and why."""

    is_final: bool
    recipient: str = ""
    status: str = ""
    detail: str = ""


def is_bounce(parsed: Parsed, *, by_machine: bool) -> bool:
    """Whether it tells of a delivery that failed, or is late.

    A person who sends a bounce on to the desk, to ask what it means, is none: without a sign of a machine it takes a
    mail server as sender, or the sender's own mail enclosed that was sent by the one it comes back to.
    """
    if "message/feedback-report" in parsed.kinds or "message/disposition-notification" in parsed.kinds:
        return False
    if parsed.statuses or parsed.report_type == "delivery-status":
        return by_machine
    told = f"{parsed.subject}\n{parsed.everything[:20_000]}"
    if not _FAILURE.search(told):
        return False
    if by_machine:
        original = bool(parsed.enclosed) or _ORIGINAL.search(parsed.everything[:100_000]) is not None
        return original or _FAILURE.search(parsed.subject) is not None
    return bool(_SERVER.match(parsed.sender)) or _comes_back(parsed)


def _comes_back(parsed: Parsed) -> bool:
    """The enclosed mail was sent by whom this one is sent to."""
    ours = {name: value.lower() for name, value in reversed(parsed.enclosed) if name in {"return-path", "from"}}
    if not ours or not parsed.recipients:
        return False
    return any(address in value for address in parsed.recipients for value in ours.values()) and (
        parsed.sender not in " ".join(ours.values())
    )


def report_of(parsed: Parsed) -> Report:
    """The failure as far as it can be read; what no field says is looked for in the text."""
    for fields in parsed.statuses:
        action = fields.get("action", "").strip().lower()
        if action or "final-recipient" in fields:
            recipient = fields.get("final-recipient") or fields.get("original-recipient", "")
            status = _STATUS.search(fields.get("status", ""))
            final = action in {"failed", ""} and not fields.get("status", "5").strip().startswith(("2", "4"))
            detail = fields.get("diagnostic-code", "") or fields.get("status", "")
            return Report(
                final, recipient.rpartition(";")[2].strip(" <>")[:250], status[1] if status else "", detail[:500]
            )
    told = f"{parsed.subject}\n{parsed.everything[:20_000]}"
    status, smtp = _STATUS.search(told), _SMTP.search(told)
    code = status[1] if status else smtp[1] if smtp else ""
    is_late = _LATER.search(told[:2_000]) is not None and not code.startswith("5")
    found = _FAILURE.search(told)
    where = told.rfind("\n", 0, found.start()) + 1 if found else 0
    return Report(not is_late, "", status[1] if status else "", " ".join(told[where : where + 300].split()))
