"""Generic JSON, for any tool whose body the user writes: one alert, or a list of alerts.

| field | |
|---|---|
| `title` | what is wrong; needed while firing |
| `description` | more of it |
| `status` | `firing` (default) or `resolved` |
| `fingerprint`, or `dedup_key` | the same for the same alert; absent: a hash of the labels, else of the title |
| `severity` | mapped to impact and urgency by the source |
| `labels` | flat object of texts |
| `group` | alerts of one group share an incident where the source groups |
| `started_at` | RFC 3339 with offset |
| `url` | where to look |

Whatever else is sent is kept with the alert.
"""

from __future__ import annotations

from datetime import datetime

from alerts.body import BadBody, a_list, a_text, a_time, an_object, labels
from alerts.parsed import ParsedAlert, ParsedMessage, hash_of, key


def parse(body: object, received_at: datetime) -> ParsedMessage:
    if isinstance(body, list):
        found = a_list(body, "body")
        return ParsedMessage(alerts=tuple(_alert(one, f"[{index}]") for index, one in enumerate(found)))
    return ParsedMessage(alerts=(_alert(body, ""),))


def _alert(value: object, where: str) -> ParsedAlert:
    alert = an_object(value, where or "body")
    place = f"{where}." if where else ""
    title, status = a_text(alert, "title", place).strip(), a_text(alert, "status", place) or "firing"
    if status not in ("firing", "resolved"):
        raise BadBody("must be firing or resolved", place=f"{place}status")
    if status == "firing" and not title:
        raise BadBody("an alert that fires needs a title", place=f"{place}title")
    found = labels(alert, "labels", place)
    return ParsedAlert(
        fingerprint=_fingerprint(
            a_text(alert, "fingerprint", place) or a_text(alert, "dedup_key", place), found, title, place
        ),
        is_firing=status == "firing",
        title=title or "Alert",
        description=a_text(alert, "description", place),
        severity=a_text(alert, "severity", place),
        group_key=key(a_text(alert, "group", place)),
        url=a_text(alert, "url", place),
        started_at=a_time(alert, "started_at", place),
        labels=found,
        payload={"alert": alert},
    )


def _fingerprint(sent: str, found: dict[str, str], title: str, place: str) -> str:
    if sent:
        return key(sent)
    if found:
        return hash_of(found)
    if not title:
        raise BadBody("say which alert: fingerprint, dedup_key, labels or title", place=f"{place}fingerprint")
    return hash_of({"title": title})
