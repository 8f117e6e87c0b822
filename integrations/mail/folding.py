"""What a reply says, without what it quotes and how it is signed; in many languages, line by line, in linear time.

It hides only what it is sure of: an answer between the lines keeps the lines that it answers, and a message that is
nothing but quotes is shown whole. The whole text is kept elsewhere.
"""

from __future__ import annotations

import dataclasses
import re

from mailparser_reply.constants import MAIL_LANGUAGES

#: Longer lines and texts are no letters; they are looked at up to here.
_LONGEST_LINE, _MOST_LINES = 500, 5_000
_LANGUAGES = ("en", "de", "es", "fr", "it", "nl", "pl", "cs", "da", "ko", "zh")

#: The end of the line that introduces a quote: "On … somebody wrote:".
_WROTE = re.compile(
    r"(?:"
    r"^\W{0,6}(?:on|am|le|el|em|il|op|den|dne|dnia|a|no|na|o)\b.{6,}?"
    r"(?:\bwrote|\bschrieb|\ba [eé]crit|\bescribi[oó]|\bescreveu|\bha scritto|\bschreef|\bskrev|\bskreiv|\bnapsal|"
    r"\bnapisał|\bnadesłał|\bpisze|\bkirjoitti|\b[ií]rta)\b.{0,150}[:：]"
    r"|.{6,}(?:\bwrites|\bwrote|\bnapisał(?:\(a\))?|\bnapsal(?:\(a\))?|\bkirjoitti|\byazdı|\bнаписала?|\bпишет|\bпише|"
    r"\bnapsal\(a\))\s{0,3}:"
    r"|.{0,200}\d.{0,200}(?:写道|寫道|さんは書きました|のメッセージ|님이 작성)\W{0,3}"
    r"|\d{4}[年/.-].{4,200}<[^<>\s]{3,200}@[^<>\s]{2,200}>\s{0,3}[:：]"
    r")$",
    re.IGNORECASE,
)
#: Such a line that no language is known of: it names an address and a time, and a quote follows.
_ABOUT = re.compile(r".{0,300}<?[^<>\s]{1,100}@[^<>\s]{2,100}>?.{0,100}[:：]$")
#: How it begins where it is broken over lines: by a word that introduces it, or by a date.
_OPENS = re.compile(r"\W{0,6}(?:(?:on|am|le|el|em|il|op|den|dne|dnia|a|no|na|o)\b|[^\s]{0,12}\d)", re.IGNORECASE)
_SEPARATOR = re.compile(
    r"\W{0,3}-{2,}\s{0,3}(?:(?:original|forwarded|reply|weitergeleitete?|urspr[uü]ngliche|"
    r"forwarded)[ -](?:message|mail|e-mail|"
    r"appointment|nachricht)|mensaje (?:original|reenviado)|mensagem (?:original|encaminhada)|"
    r"message (?:d.origine|original|"
    r"transf[eé]r[eé])|messaggio (?:originale|inoltrato)|oorspronkelijk bericht|oprindelig meddelelse|"
    r"ursprungligt meddelande|"
    r"wiadomo[sś][cć] oryginalna|p[uů]vodn[ií] zpr[aá]va|исходное сообщение|пересылаемое сообщение|"
    r"原始邮件|转发邮件|元のメッセージ)"
    r"[^\n]{0,60}-{0,}\W{0,3}$|(?:begin|anfang der) (?:forwarded message|weitergeleiteten nachricht)\W{0,3}$",
    re.IGNORECASE,
)
_RULE = re.compile(r"[_-]{20,}$")
_HEADER = re.compile(
    r"[>*\s]{0,6}(?P<name>from|sent|to|subject|date|cc|reply-to|organization|importance|von|gesendet|an|betreff|datum|"
    r"de|enviado(?: el)?|enviada(?: em)?|para|asunto|assunto|fecha|data|[aà]|objet|envoy[eé]|da|inviato|oggetto|van|"
    r"verzonden|aan|onderwerp|fra|sendt|til|emne|dato|fr[aå]n|skickat|till|[aä]mne|od|odesl[aá]no|komu|p[rř]edm[eě]t|"
    r"wys[lł]ano|do|temat|от|кому|дата|тема|отправлено|发件人|发送时间|收件人|主题|差出人|件名|"
    r"보낸 ?사람|받는 ?사람|제목)"
    r"\*?\s{0,2}[:：]",
    re.IGNORECASE,
)
_BEGINS = frozenset({
    "from", "von", "de", "da", "van", "fra", "från", "fran", "od", "от", "发件人", "差出人", "보낸사람", "보낸 사람",
    "subject", "date",
})  # fmt: skip
_DASHES = re.compile(r"(?:--|—|__)\s*$")
_SELF_SIGNED = re.compile(r"-{1,2}\s?[A-Z][\w.'-]{1,20}(?: [\w.'-]{1,20}){0,3}$")


def _words(key: str) -> str:
    found: list[str] = []
    for language in _LANGUAGES:
        words = MAIL_LANGUAGES.get(language, {}).get(key) or []
        found += [words] if isinstance(words, str) else list(words)
    return "|".join(f"(?:{one.rstrip(',')})" for one in found)


_CLOSING = re.compile(
    rf"\W{{0,3}}(?:(?:with )?(?:{_words('signatures')}|(?:best|kind|warm|many)(?: regards| wishes|"
    rf" thanks)?|cheers|sincerely|"
    r"yours (?:sincerely|faithfully|truly)|rgds|br|thx|thanks(?: in advance)?|mfg|lg|vg|viele gr[uü](?:ß|ss)e|"
    r"obrigad[oa]|atenciosamente|cumprimentos|abra[cç]os?|saludos(?: cordiales)?|gracias(?: de antemano)?|merci|"
    r"bien à vous|с уважением))[,.!;]{0,2}$",
    re.IGNORECASE,
)
_SENT_FROM = re.compile(
    rf"(?:{_words('sent_from')}|sent (?:from|with|via|by) |get outlook|enviad[oa] (?:desde|do|pelo|"
    rf"a partir) |obter o outlook|"
    r"gesendet (?:von|mit) |von meinem |envoy[eé] (?:de|depuis|à partir) |inviato da |verstuurd vanaf |"
    r"verzonden vanaf |"
    r"obtener outlook|this message was sent from |download |отправлено с )",
    re.IGNORECASE,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Folded:
    """What is shown, and whether anything was hidden."""

    visible: str
    is_folded: bool


def fold(text: str) -> Folded:
    """The new words of a reply."""
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").replace("\u00a0", " ").split("\n")]
    seen = [line[:_LONGEST_LINE].strip() for line in lines[:_MOST_LINES]]
    end = _quote_begins(seen)
    end, is_last = (len(lines), True) if end is None else (end, False)
    while (signed := _signature_begins(seen[:end], is_last=is_last)) < len(seen[:end]):
        end = signed
    shown = lines[:end]
    visible = "\n".join(shown).strip()
    whole = "\n".join(lines).strip()
    if not visible:
        visible = whole
    return Folded(visible, visible != whole)


def _quote_begins(lines: list[str]) -> int | None:
    """The line from which on everything is older; a quote that is answered below its lines is none."""
    for number, line in enumerate(lines):
        if not line or line.startswith(">"):
            if line and _only_quoted(lines, number):
                return number
            continue
        if _SEPARATOR.match(line) or _is_header_block(lines, number):
            return number
        if _RULE.match(line) and _header_follows(lines, number):
            return number
        length = _introduces(lines, number)
        if length:
            after = _next(lines, number + length)
            if after is None or not lines[after].startswith(">") or _only_quoted(lines, after):
                return number
    return None


def _next(lines: list[str], number: int) -> int | None:
    return next((one for one in range(number, min(len(lines), number + 6)) if lines[one]), None)


def _only_quoted(lines: list[str], number: int) -> bool:
    """Nothing but quotes, blank lines, and at most a signature follow."""
    rest = [one for one in range(number, len(lines)) if lines[one] and not lines[one].startswith(">")]
    if not rest:
        return True
    first = rest[0]
    return bool(_DASHES.match(lines[first]) or _RULE.match(lines[first]) or _SENT_FROM.match(lines[first]))


def _introduces(lines: list[str], number: int) -> int:
    """How many lines, up to three, make the line that introduces a quote; none: 0."""
    joined = ""
    for length in range(1, 5):
        if number + length > len(lines) or not lines[number + length - 1] or lines[number + length - 1][:1] == ">":
            return 0
        joined = f"{joined} {lines[number + length - 1]}".strip()
        if len(joined) > _LONGEST_LINE:
            return 0
        if joined.endswith((":", "：")) or length == 1:
            after = _next(lines, number + length)
            is_quoted = after is not None and lines[after].startswith(">")
            if length > 1 and not _OPENS.match(lines[number]):
                return 0
            if _WROTE.match(joined) or (is_quoted and _ABOUT.match(joined) and any(one.isdigit() for one in joined)):
                return length
    return 0


def _is_header_block(lines: list[str], number: int) -> bool:
    """From, Sent, To, Subject …: three different ones within a few lines, the first of which begins a mail."""
    first = _HEADER.match(lines[number])
    if first is None or first["name"].lower() not in _BEGINS:
        return False
    block = [_HEADER.match(line) for line in lines[number : number + 8] if line]
    names = {found["name"].lower() for found in block if found is not None}
    return len(names) >= 3


def _header_follows(lines: list[str], number: int) -> bool:
    after = _next(lines, number + 1)
    return after is not None and _is_header_block(lines, after)


def _signature_begins(lines: list[str], *, is_last: bool) -> int:
    """The line from which on it is only signed."""
    used = [number for number, line in enumerate(lines) if line]
    if not used:
        return len(lines)
    for number in used[1:]:
        rest = [lines[one] for one in used if one > number]
        line = lines[number]
        if _DASHES.match(line) or (_RULE.match(line) and is_last):
            return number
        if len(line) <= 80 and _SENT_FROM.match(line) and len(rest) <= 3:
            return number
        if len(line) <= 60 and _CLOSING.match(line) and len(rest) <= 8 and all(len(one) <= 80 for one in rest):
            return number
        if not lines[number - 1] and len(rest) <= 2 and _SELF_SIGNED.match(line) and all(
            _RULE.match(one) for one in rest
        ):  # fmt: skip
            return number
    return len(lines)
