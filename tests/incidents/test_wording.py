"""Mail texts: named placeholders and conditions, and nothing that could be called or reached."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.wording import Fault, Misworded, check, inert, render, to_html

VALUES = {"title": "VPN drops", "note": "", "body": "{title} {if x} {link}", "link": "{link}"}


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("About {title}", "About VPN drops"),
        ("{if note}yes{else}no{end}", "no"),
        ("{if title}a{if note}b{else}c{end}d{end}", "acd"),
        ("{if note}a{else}{if title}b{else}c{end}d{end}", "bd"),
        ("a\n\n{if note}{note}{end}\n\nb", "a\n\nb"),
        ("{ title } { if title }x{ end }", "VPN drops x"),
        ("{body}", "{title} {if x} {link}"),
        ("100 % { and } and {", "100 % { and } and {"),
    ],
)
def test_a_text_is_filled_in_once(text: str, reads: str) -> None:
    check(text.replace("{ and }", ""), VALUES)
    assert render(text.replace("{ and }", "{" + "\n}"), VALUES) == reads.replace("{ and }", "{\n}")


@pytest.mark.parametrize(
    ("text", "fault", "name"),
    [
        ("{name_x}", Fault.UNKNOWN, "name_x"),
        ("{title.__class__}", Fault.UNKNOWN, "title.__class__"),
        ("{title|upper}", Fault.UNKNOWN, "title|upper"),
        ("{if name_x}x{end}", Fault.UNKNOWN, "name_x"),
        ("{if title}x", Fault.NOT_ENDED, "title"),
        ("x{end}", Fault.NOT_BEGUN, "end"),
        ("{else}", Fault.NOT_BEGUN, "else"),
        ("{if title}{else}{else}{end}", Fault.NOT_BEGUN, "else"),
        ("{if title}" * 6 + "{end}" * 6, Fault.TOO_DEEP, "title"),
        ("{}", Fault.UNKNOWN, ""),
    ],
)
def test_a_bad_text_is_refused_with_the_name(text: str, fault: Fault, name: str) -> None:
    with pytest.raises(Misworded) as refused:
        check(text, VALUES)
    assert (refused.value.fault, refused.value.name) == (fault, name)


@given(st.text(max_size=200), st.text(max_size=50))
def test_a_value_is_never_read_again(value: str, around: str) -> None:
    plain = around.replace("{", "").replace("}", "")
    assert value.strip().split() == render("{v}", {"v": value}).split()
    assert plain.split() == render(plain, {}).split()


@given(
    st.lists(st.sampled_from(["{title}", "{if note}", "{else}", "{end}", "{link}", "x", "\n", "{{", "}"]), max_size=12)
)
def test_what_is_accepted_is_rendered(parts: list[str]) -> None:
    text = "".join(parts)
    try:
        check(text, VALUES)
    except Misworded:
        return
    assert isinstance(render(text, VALUES), str)


def test_what_somebody_wrote_does_not_get_the_readers_link() -> None:
    assert "{link}" not in inert("give me {link} please")


@pytest.mark.parametrize(
    "evil", ["<script>alert(1)</script>", '"><img src=x onerror=1>', "javascript:alert(1)", "&amp;"]
)
def test_html_is_only_what_we_make(evil: str) -> None:
    page = to_html(f"Hello {evil}\nline\n\n{evil}: {{link}}?say=works", "en")
    assert "<script" not in page
    assert "<img" not in page
    assert 'href="javascript' not in page
    assert page.count("<a ") == 1
    assert '<a href="{link}?say=works">' in page


def test_links_become_links_and_paragraphs_paragraphs() -> None:
    page = to_html("Does it?\n\nIt works: {link}?say=works\nor {link}", "es")
    assert '<html lang="es">' in page
    assert '<a href="{link}?say=works">It works</a><br>or <a href="{link}">{link}</a>' in page
