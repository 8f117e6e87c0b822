"""What a text shows to a reader: whether anything at all, and whether it turns the line around."""

from __future__ import annotations

import re
import unicodedata

#: Marks, embeddings, overrides and isolates of direction: in one line they let a title pose as another.
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
#: Control characters and separators of lines and paragraphs; a NUL is refused, not replaced.
_BREAKS = re.compile("[\x01-\x1f\x7f-\x9f\u2028\u2029]")
#: Letters and symbols by category that show nothing: Hangul fillers and the empty Braille pattern.
_FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
#: Controls, formats, surrogates, unassigned, separators, and marks that need a letter to sit on.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Cn", "Zs", "Zl", "Zp", "Mn", "Me"})


def is_blank(text: str) -> bool:
    """Whether a reader sees nothing: empty, spaces, zero-width characters, controls, fillers."""
    return all(one in _FILLERS or unicodedata.category(one) in _UNSEEN for one in text)


def without_bidi(text: str) -> str:
    """The text without controls of direction; letters that run from right to left keep doing so."""
    return "".join(one for one in text if one not in _BIDI) if not text.isascii() else text


def one_line(text: str) -> str:
    """One line: line breaks and controls become spaces, controls of direction go. NUL stays, for others to refuse."""
    return " ".join(without_bidi(_BREAKS.sub(" ", text)).split())
