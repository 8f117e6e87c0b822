"""Every word that a template shows can be translated: literals stand inside translate or blocktranslate."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.template.base import Lexer, TokenType

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted(path for path in (ROOT / "templates").rglob("*.*") if path.suffix in {".html", ".txt"})
#: Attributes whose text is shown or spoken.
_SHOWN = {"alt", "aria-label", "aria-description", "label", "placeholder", "title"}
#: What stands for whatever the template puts in at this place; no letter and no space.
_DYNAMIC = "\x1a"
_WORD = re.compile(r"[^\W\d_]{2,}")
_OPENS = {"blocktranslate", "blocktrans", "comment", "templatetag openbrace"}
_CLOSES = {"endblocktranslate", "endblocktrans", "endcomment", "templatetag closebrace"}


class _Texts(HTMLParser):
    """Collects the words between the tags, and those of attributes that are shown."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in {"script", "style"}
        given = {name.replace(_DYNAMIC, ""): value or "" for name, value in attrs}
        shown = _SHOWN | ({"value"} if given.get("type") in {"submit", "button", "reset"} else set())
        for name in shown & given.keys():
            self.handle_data(given[name])

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in {"script", "style"}

    def handle_data(self, data: str) -> None:
        if not self._silent and _WORD.search(data):
            self.found.append(" ".join(data.replace(_DYNAMIC, "").split()))


def _depth(contents: str) -> int:
    """+1 where a tag begins a stretch that is no literal, -1 where it ends: translated texts, comments, `{name}`."""
    name = contents if contents.startswith("templatetag") else contents.split()[0]
    return (name in _OPENS) - (name in _CLOSES)


def _untranslated(source: str, *, is_html: bool) -> list[str]:
    parts, inside = [], 0
    for token in Lexer(source).tokenize():
        if token.token_type == TokenType.BLOCK:
            inside += _depth(token.contents)
        if not inside:
            parts.append(token.contents if token.token_type == TokenType.TEXT else _DYNAMIC)
    text = "".join(parts)
    if not is_html:
        return [line.replace(_DYNAMIC, "").strip() for line in text.splitlines() if _WORD.search(line)]
    reader = _Texts()
    reader.feed(text)
    reader.close()
    return reader.found


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.relative_to(ROOT / "templates").as_posix())
def test_no_template_shows_an_untranslated_word(path: Path) -> None:
    assert _untranslated(path.read_text(encoding="utf-8"), is_html=path.suffix == ".html") == []


@pytest.mark.parametrize(
    ("source", "is_html", "found"),
    [
        ("<p>Hello</p>", True, ["Hello"]),
        ('<p>{% translate "Hello" %} {{ name }} · 5 – P{{ n }}</p>', True, []),
        ("<p>{% blocktranslate %}Hello {{ name }}{% endblocktranslate %}</p>", True, []),
        ('<input placeholder="Number" value="x" class="wide">', True, ["Number"]),
        ('<input type="submit" value="Send it">', True, ["Send it"]),
        ('<a title="{% translate \'More\' %}" href="/desk/">{# why #}{% comment %}why{% endcomment %}…</a>', True, []),
        ("<details{% if open %} open{% endif %}><summary>{{ x }} more</summary>", True, ["more"]),
        ("<style>body { color: red }</style>", True, []),
        ("{% load i18n %}Dear {{ name }},", False, ["Dear ,"]),
        ('{% translate "Dear" %} {{ name }},', False, []),
    ],
)
def test_the_search_finds_literals_and_nothing_else(source: str, is_html: bool, found: list[str]) -> None:
    assert _untranslated(source, is_html=is_html) == found
