"""No message makes the reader raise or hang, and what is readable is read."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

import integrations.actions
from integrations.mail import reading
from integrations.mail.folding import fold
from integrations.mail.markup import text_of
from integrations.mail.nature import nature_of
from integrations.mail.reading import by_charset, decoded, identity_of, people, read
from tests.integrations.mails import AT, JOB, arrive, raw

DEEP = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(3000))
HOSTILE = {
    "nothing": b"",
    "NUL": b"From: a@b.org\0\nSubject: \0x\n\n\0\0",
    "no header": b"\n\njust text",
    "binary": bytes(range(256)) * 50,
    "nested": DEEP,
    "many headers": b"X-A: b\n" * 50_000 + b"\nx",
    "long header": b"Subject: " + b"a" * 3_000_000 + b"\n\nx",
    "long addresses": b"From: " + b'"' * 50_000 + b"\nTo: " + b"a@b.org, " * 50_000 + b"\n\nx",
    "comments": b"From: " + b"(" * 50_000 + b"a@b.org\n\nx",
    "groups": b"To: " + b"g:" * 30_000 + b";\n\nx",
    "text": b"From: a@b.org\n\n" + b"x y " * 2_600_000,
    "one line": b"From: a@b.org\n\n" + b">" * 10_000_000,
    "type": b"Content-Type: multipart/mixed; boundary=" + b"a;" * 100_000 + b"\n\nx",
    "parameters": b"Content-Type: text/plain; " + b"".join(b"name*%d*=a%%41;" % n for n in range(20_000)) + b"\n\nx",
    "words": b"Subject: " + b"=?utf-8?q?" * 100_000 + b"\n\nx",
    "charset": b'Content-Type: text/plain; charset="\0idna"\n\nx',
    "html": b"Content-Type: text/html\n\n" + b"<div>" * 60_000 + b"<b" * 60_000,
    "tags": b"Content-Type: text/html\n\n<![" * 20_000,
    "parts": b'Content-Type: multipart/mixed; boundary="b"\n\n' + b"--b\n\nx\n" * 20_000 + b"--b--",
    "base64": b"Content-Transfer-Encoding: base64\n\n" + b"====" * 100_000,
    "report": b"Content-Type: message/delivery-status\n\n\xff",
    "enclosed": b"Content-Type: message/rfc822\n\n" * 2000,
    "uuencoded": b"Content-Transfer-Encoding: uuencode\n\nbegin 666 x\n\xff\n",
    "surrogates": "Subject: \udcff\udcfe\n\n\udcff".encode("utf-8", "surrogateescape"),
    "folding": b"Subject:\n" + b" \n" * 100_000,
    "references": b"References: " + b"<a@b> " * 100_000 + b"\n\nx",
    "quotes": b"From: a@b.org\n\n" + b"On a, b\n" * 100_000,
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_message_is_stored_and_judged(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "SECONDS", 0.3)
    begun = time.process_time()
    mail = arrive(HOSTILE[name])
    assert mail.judged_at == AT
    assert time.process_time() - begun < 5


def test_the_reader_gives_up_after_its_time() -> None:
    parsed = read(HOSTILE["parts"], seconds=0.0)
    assert "TooSlow" in parsed.broken


NAMES = [
    "From",
    "To",
    "Subject",
    "Message-ID",
    "References",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Return-Path",
    "Content-Disposition",
    "Date",
    "In-Reply-To",
    "Authentication-Results",
    "Auto-Submitted",
]
VALUES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            b"multipart/mixed; boundary=b",
            b"text/html; charset=utf-16",
            b"message/rfc822",
            b"message/delivery-status",
            b"base64",
            b"attachment; filename*=utf-8''%00%ff",
            b"=?utf-8?b?//8=?=",
            b"=?x?q?=00?=",
            b"quoted-printable",
            b"<a@b.org>",
            b"multipart/report; report-type=delivery-status; boundary=b",
            b'"a@b" <c@d.org>',
            b"a:b;",
            b"text/plain; charset=\0",
        ]
    ),
)
BODIES = st.lists(
    st.one_of(st.binary(max_size=60), st.sampled_from([b"--b", b"--b--", b"", b"> x", b"<p>"])), max_size=8
)


@given(st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=8), BODIES)
def test_any_message_is_read_judged_and_folded(heads: list[tuple[str, bytes]], body: list[bytes]) -> None:
    message = b"\n".join([*(name.encode() + b": " + value for name, value in heads), b"", *body])
    parsed = read(message)
    assert nature_of(parsed, envelope_from=None, own=frozenset()).kind
    assert "\0" not in parsed.text + parsed.subject + "".join(one.name for one in parsed.files)
    assert parsed.everything.encode() or not parsed.everything
    assert len(identity_of(message)) == 64


@pytest.mark.django_db
@hypothesis.settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=8), BODIES)
def test_any_message_is_stored_judged_and_never_an_error(heads: list[tuple[str, bytes]], body: list[bytes]) -> None:
    lines = [b"From: eve@example.net", *(name.encode() + b": " + value for name, value in heads), b"", *body]
    mail = arrive(b"\n".join(lines))
    assert mail.judged_at is not None
    assert bytes(mail.content.raw) == b"\n".join(lines)


@pytest.mark.django_db
@given(st.binary(max_size=400))
def test_any_bytes_are_stored_once(content: bytes) -> None:
    mail, _ = integrations.actions.receive(raw=content, source="pipe", by=JOB, at=AT)
    assert bytes(mail.content.raw) == content
    assert not integrations.actions.receive(raw=content, source="pipe", by=JOB, at=AT)[1]


@given(st.text(max_size=400))
def test_any_text_is_folded_to_a_part_of_itself(text: str) -> None:
    folded = fold(text)
    assert len(folded.visible) <= len(text)
    assert folded.visible or not text.replace("\u00a0", " ").strip()


@given(st.text(alphabet="<>/ab =\"'!-&;p", max_size=200))
def test_any_markup_becomes_text(html: str) -> None:
    assert isinstance(text_of(html), str)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("=?utf-8?q?Jos=C3=A9?= =?utf-8?q?_X?=", "José X"),
        ("=?iso-8859-1?B?4Q==?=", "á"),
        ("plain\r\n folded", "plain folded"),
        ("=?nonsense?q?a=E9?=", "aé"),
        ("=?utf-8?b?bad", "=?utf-8?b?bad"),
        ("a\udcc3\udca9", "aé"),
        ("x\0y", "xy"),
        ("=?utf-8?q?a=0D=0ABcc:_eve@x.org?=", "a\r\nBcc: eve@x.org"),
    ],
)
def test_header_values_are_decoded(value: str, text: str) -> None:
    assert decoded(value) == text


def test_no_line_break_comes_out_of_an_encoded_header() -> None:
    parsed = read(raw(subject="=?utf-8?q?a=0D=0ABcc:_eve@x.org?=", sender="=?utf-8?q?M=0D=0AX:_y?= <m@x.org>"))
    assert parsed.subject == "a Bcc: eve@x.org"
    assert parsed.sender_name == "M X: y"


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("A@B <C@D.org>", [("A@B", "c@d.org")]),
        ('"Doe, J" <j@x.org>', [("Doe, J", "j@x.org")]),
        ("nobody", []),
        ("<>", []),
        ("a@x.org, B <b@x.org>", [("", "a@x.org"), ("B", "b@x.org")]),
        ("=?utf-8?q?=3Ce@x.org=3E?= <m@x.org>", [("<e@x.org>", "m@x.org")]),
    ],
)
def test_addresses_are_told_apart(value: str, found: list[tuple[str, str]]) -> None:
    assert people(value) == found


@pytest.mark.parametrize(
    ("content", "charset", "text"),
    [
        (b"\xe9", "latin-1", "é"),
        ("é".encode(), "iso-8859-1", "Ã©"),
        ("é".encode(), "", "é"),
        (b"\xe9", "utf-8", "é"),
        ("日本".encode(), "iso-2022-jp", "日本"),
        ("日本".encode("shift_jis"), "Shift_JIS", "日本"),
        (b"a", "idna", "a"),
        (b"+AOk-", "unicode-1-1-utf-7", "é"),
        ("漢".encode("gb18030"), "gb2312", "漢"),
        (b"a", "\0", "a"),
        (b"a", "hex", "a"),
    ],
)
def test_text_is_read_by_what_it_says_and_else_by_what_it_is(content: bytes, charset: str, text: str) -> None:
    assert by_charset(content, charset) == text


def test_html_becomes_lines_and_quotes() -> None:
    html = "<style>x</style><p>One<br>two</p><ul><li>a</ul>"
    html += "<blockquote>old<blockquote>older</blockquote></blockquote><script>x"
    assert text_of(html) == "One\ntwo\n\n- a\n\n> old\n>\n> > older\n> >"
    assert text_of("<pre>a\n  b</pre><!-- x -->") == "a\n  b"


REPLIES = {
    "en": "Done.\n\nOn Tue, 10 Mar 2026 at 09:00, Desk <d@x.org> wrote:\n> old",
    "es": "Hecho.\n\nEl mar, 10 mar 2026 a las 9:00, Mesa (<d@x.org>) escribió:\n> viejo",
    "pt": "Feito.\n\nEm ter., 10 de mar. de 2026 às 09:00, Mesa <d@x.org>\nescreveu:\n\n> velho",
    "de": "Erledigt.\n\nAm Di., 10. März 2026 um 09:00 Uhr schrieb Desk <d@x.org>:\n> alt",
    "fr": "Fait.\n\nLe mar. 10 mars 2026 à 09:00, Desk <d@x.org> a écrit :\n> vieux",
    "it": "Fatto.\n\nIl giorno mar 10 mar 2026 alle ore 09:00 Desk <d@x.org> ha scritto:\n> vecchio",
    "nl": "Klaar.\n\nOp di 10 mrt 2026 om 09:00 schreef Desk <d@x.org>:\n> oud",
    "ja": "完了。\n\n2026年3月10日(火) 9:00 Desk <d@x.org>:\n> 古い",
    "zh": "完成。\n\nDesk <d@x.org> 于2026年3月10日周二 09:00写道：\n> 旧",
    "outlook es": "Hecho.\n\nDe: Mesa <d@x.org>\nEnviado el: martes, 10 de marzo\nPara: Yo\nAsunto: x\n\nviejo",
    "outlook pt": "Feito.\n\n________________________\nDe: Mesa\nEnviado: terça-feira\nPara: Eu\nAssunto: x\n\nvelho",
    "outlook de": "Erledigt.\n\nVon: Desk\nGesendet: Dienstag\nAn: Ich\nBetreff: x\n\nalt",
    "forward": "Look.\n\n---------- Forwarded message ---------\nFrom: a\n\nold",
    "signed": "Done.\n\n-- \nMaria\n+34 600",
    "closing": "Done.\n\nSaludos,\nMaria",
    "phone": "Done.\n\nEnviado desde mi iPhone",
    "closing pt": "Feito.\n\nAtenciosamente,\nMaria Silva",
    "closing de": "Erledigt.\n\nMit freundlichen Grüßen\nMax",
}


@pytest.mark.parametrize("language", REPLIES)
def test_quotes_and_signatures_are_folded_in_many_languages(language: str) -> None:
    assert fold(REPLIES[language]).visible == REPLIES[language].split("\n")[0]


@pytest.mark.parametrize(
    "text",
    [
        "> is it red?\nYes.\n> and on?\nNo.",
        "From here on: nothing works.\nTo me it looks broken.",
        "Thanks, it works now.",
        "- one\n- two\n- three",
        "Error was:\nTo: x\nrest",
        "On Monday he wrote: nothing.",
        "a -- b",
        "-- \nonly signed",
    ],
)
def test_what_is_no_quote_stays(text: str) -> None:
    assert fold(text).visible.split() == text.split()


CASES = Path(os.environ.get("MAIL_CASES", Path(__file__).resolve().parents[2] / "../shared/data/mail"))


@pytest.mark.skipif(not (CASES / "talon_replies").is_dir(), reason=f"no replies at {CASES}")
def test_cases_of_replies_are_folded_as_their_collection_expects() -> None:
    """The collection says of its plain replies that the new word is Hello; the other one is longer."""
    replies = sorted((CASES / "talon_replies").glob("*.eml"))
    said = {one.name: fold(read(one.read_bytes()).text).visible for one in replies if "share-block" not in one.name}
    right = [name for name, text in said.items() if text == "Hello"]
    assert len(right) >= 0.9 * len(said), said


@pytest.mark.skipif(not (CASES / "reply_bodies_txt").is_dir(), reason=f"no reply bodies at {CASES}")
def test_cases_of_reply_bodies_lose_what_they_quote() -> None:
    leaks = {}
    for one in sorted((CASES / "reply_bodies_txt").glob("*.txt")):
        visible = fold(one.read_text(encoding="utf-8", errors="replace")).visible
        old = [line for line in visible.splitlines() if line.startswith((">", "Sent from"))]
        if old or not visible:
            leaks[one.name] = visible
    assert leaks == {}, json.dumps(leaks)
