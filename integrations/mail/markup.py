"""The HTML of a mail as text: never rendered, never fetched; quoted blocks become lines that begin with >."""

from __future__ import annotations

from typing import Any

from bs4 import BeautifulSoup
from bs4.element import Comment, Doctype, NavigableString, PageElement, PreformattedString, Tag

_UNSEEN = ["script", "style", "head", "title", "template", "noscript", "object", "iframe", "svg", "math"]
_BLOCKS = frozenset({
    "p", "div", "br", "tr", "table", "ul", "ol", "li", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "blockquote", "hr",
    "section", "article", "header", "footer", "address", "dl", "dt", "dd", "body", "form", "fieldset",
})  # fmt: skip
_APART = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "table", "blockquote", "pre"})
#: Where mail programs put what they answer to.
_QUOTES = frozenset({"gmail_quote", "yahoo_quoted", "moz-forward-container", "protonmail_quote", "zmail_extra"})
_RULERS = frozenset({"divrplyfwdmsg", "appendonsend", "x_divrplyfwdmsg", "mail-editor-reference-message-container"})


def text_of(html: str) -> str:
    """What a reader would see, line by line."""
    # The tag in front keeps the library from taking a short text for a file name or an address.
    soup = BeautifulSoup(f"<body>{html}", "html.parser")
    for unseen in soup(_UNSEEN):
        unseen.decompose()
    writer = _Writer()
    waiting: list[tuple[PageElement, bool]] = [(soup, False)]
    while waiting:
        node, is_end = waiting.pop()
        if isinstance(node, Tag):
            if is_end:
                writer.leave(node)
            else:
                writer.enter(node)
                waiting.append((node, True))
                waiting += [(child, False) for child in reversed(node.contents)]
        elif isinstance(node, NavigableString) and not isinstance(node, (Comment, Doctype, PreformattedString)):
            writer.say(str(node))
    return writer.text()


def _classes(tag: Tag) -> set[str]:
    found: Any = tag.get("class") or []
    return {str(one).lower() for one in (found if isinstance(found, list) else [found])}


def _is_quote(tag: Tag) -> bool:
    return tag.name == "blockquote" or bool(_classes(tag) & _QUOTES)


class _Writer:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.here: list[str] = []
        self.depth = 0
        self.keeps = 0

    def enter(self, tag: Tag) -> None:
        if str(tag.get("id") or "").lower() in _RULERS:
            self.end()
            self.lines.append("_" * 32)
        if tag.name in _BLOCKS:
            self.end()
        if tag.name in _APART:
            self.apart()
        if tag.name == "blockquote" or (_is_quote(tag) and not self._attributed(tag)):
            self.depth += 1
        self.keeps += tag.name == "pre"
        if tag.name == "li":
            self.here.append("- ")
        elif tag.name in {"td", "th"} and self.here:
            self.here.append(" ")

    def leave(self, tag: Tag) -> None:
        if tag.name in _BLOCKS:
            self.end()
        if tag.name in _APART:
            self.apart()
        if tag.name == "blockquote" or (_is_quote(tag) and not self._attributed(tag)):
            self.depth = max(0, self.depth - 1)
        self.keeps -= tag.name == "pre"

    @staticmethod
    def _attributed(tag: Tag) -> bool:
        """A wrapper that holds the line "On … wrote:" and the quote itself: only the inner block is quoted."""
        return tag.name != "blockquote" and tag.find("blockquote") is not None

    def say(self, text: str) -> None:
        if self.keeps:
            first, *rest = text.replace("\r\n", "\n").split("\n")
            self.here.append(first)
            for line in rest:
                self.end(always=True)
                self.here.append(line)
            return
        words = " ".join(text.replace("\u200b", "").split())
        if not words:
            if text and self.here and not self.here[-1].endswith(" "):
                self.here.append(" ")
            return
        before = " " if text[:1].isspace() and self.here and not self.here[-1].endswith(" ") else ""
        self.here.append(before + words + (" " if text[-1:].isspace() else ""))

    def end(self, *, always: bool = False) -> None:
        line = "".join(self.here).rstrip()
        self.here = []
        if line or always:
            self.lines.append("> " * min(self.depth, 9) + line)

    def apart(self) -> None:
        if self.lines and self.lines[-1].strip("> "):
            self.lines.append(("> " * min(self.depth, 9)).rstrip())

    def text(self) -> str:
        self.end()
        return "\n".join(self.lines).strip("\n")
