"""Mail texts with named placeholders, `{title}`, and conditions, `{if notes}…{else}…{end}`.

A language of its own and not a template engine: nothing can be called and no attribute reached, so a text that an admin
edits can only put in what the mail offers. What is put in is never read again for placeholders.
"""

from __future__ import annotations

import dataclasses
import html
import re
from collections.abc import Collection, Iterator, Mapping
from enum import StrEnum

#: A placeholder that the sender replaces by the reader's own link; it stays as it is here.
LINK = "{link}"
_TAG = re.compile(r"\{([^{}\n]{0,60})\}")
_DEEPEST = 5


class Fault(StrEnum):
    UNKNOWN = "unknown"
    NOT_ENDED = "not_ended"
    NOT_BEGUN = "not_begun"
    TOO_DEEP = "too_deep"


class Misworded(ValueError):
    """A text that can't be used: what is wrong, and the name or tag that it is about."""

    def __init__(self, fault: Fault, name: str) -> None:
        super().__init__(f"{fault}: {name}")
        self.fault, self.name = fault, name


@dataclasses.dataclass(slots=True)
class _Part:
    """A stretch of text, a value's name, or a condition with its two branches."""

    text: str = ""
    name: str = ""
    condition: str = ""
    then: list[_Part] = dataclasses.field(default_factory=list)
    otherwise: list[_Part] = dataclasses.field(default_factory=list)


def check(text: str, names: Collection[str]) -> None:
    """Refuses an unknown name, an `{if}` without `{end}`, an `{end}` or `{else}` without `{if}`, and deep nesting."""
    _parsed(text, names)


def render(text: str, values: Mapping[str, str]) -> str:
    """The text with its values put in; lines left empty by a condition are closed up. Refuses what `check` refuses."""
    filled = "".join(_rendered(_parsed(text, values), values))
    lines = "\n".join(line.rstrip() for line in filled.replace("\r\n", "\n").split("\n"))
    return re.sub(r"\n{3,}", "\n\n", lines).strip()


def inert(value: str) -> str:
    """A value that somebody else wrote, so that it can't ask the sender for the reader's link."""
    return value.replace(LINK, "{link\u2060}")


def to_html(text: str, language: str) -> str:
    """The plain text as the simplest page: paragraphs, line breaks and the reader's own links; all else is escaped.

    A line like `It works: {link}?say=works` becomes a link with these words.
    """
    paragraphs = "".join(
        f"<p>{'<br>'.join(_line(line) for line in one.split(chr(10)))}</p>" for one in re.split(r"\n{2,}", text.strip())
    )
    return f'<!doctype html><html lang="{html.escape(language)}"><meta charset="utf-8"><body>{paragraphs}</body></html>'


_LABELLED = re.compile(r"(?P<label>[^{}\n]{1,80}): (?P<url>\{link\}[A-Za-z0-9?=&/#_-]*)")
_URL = re.compile(r"\{link\}[A-Za-z0-9?=&/#_-]*")


def _line(line: str) -> str:
    found = _LABELLED.fullmatch(line.strip())
    if found:
        return f'<a href="{found["url"]}">{html.escape(found["label"])}</a>'
    return _URL.sub(lambda url: f'<a href="{url[0]}">{url[0]}</a>', html.escape(line))


def _parsed(text: str, names: Collection[str]) -> list[_Part]:
    parts: list[_Part] = []
    open_parts: list[_Part] = []
    here, at = parts, 0
    for tag in _TAG.finditer(text):
        here.append(_Part(text=text[at : tag.start()]))
        at, word = tag.end(), tag[1].strip()
        if word in ("else", "end"):
            if not open_parts or (word == "else" and here is open_parts[-1].otherwise):
                raise Misworded(Fault.NOT_BEGUN, word)
            if word == "else":
                here = open_parts[-1].otherwise
            else:
                open_parts.pop()
                here = _branch(open_parts, parts)
            continue
        is_condition = word.startswith("if ")
        name = word[3:].strip() if is_condition else word
        if name not in names:
            raise Misworded(Fault.UNKNOWN, name)
        here.append(_Part(condition=name) if is_condition else _Part(name=name))
        if is_condition:
            if len(open_parts) == _DEEPEST:
                raise Misworded(Fault.TOO_DEEP, name)
            open_parts.append(here[-1])
            here = here[-1].then
    if open_parts:
        raise Misworded(Fault.NOT_ENDED, open_parts[-1].condition)
    here.append(_Part(text=text[at:]))
    return parts


def _branch(open_parts: list[_Part], parts: list[_Part]) -> list[_Part]:
    """Where the text goes on after an `{end}`: in the branch of the condition around it that was being read."""
    if not open_parts:
        return parts
    around = open_parts[-1]
    return around.otherwise or around.then


def _rendered(parts: list[_Part], values: Mapping[str, str]) -> Iterator[str]:
    for part in parts:
        if part.condition:
            yield from _rendered(part.then if values[part.condition] else part.otherwise, values)
        else:
            yield values[part.name] if part.name else part.text
