"""The check of the translations finds what it is for, and writes files that Python's own reader takes."""

from __future__ import annotations

import gettext
import io
from pathlib import Path

import pytest

from scripts.check_translations import Message, compiled, extracted, faults, marked_in_template, read_po, write_po


def message(singular: str, *translated: str, plural: str = "", fuzzy: bool = False) -> Message:
    return Message("", singular, plural, ["app/models.py"], list(translated), fuzzy)


@pytest.mark.parametrize(
    ("translated", "found"),
    [
        (["%(n)s casos"], ""),
        ([""], "not translated"),
        (["casos"], "placeholders"),
        (["%(m)s casos"], "placeholders"),
        (["%(n)s casos\n"], "line break"),
    ],
)
def test_a_translation_that_is_missing_or_lost_a_placeholder_is_found(translated: list[str], found: str) -> None:
    code = message("%(n)s cases")
    causes = list(faults({code.key: code}, {code.key: message("%(n)s cases", *translated)}))
    assert [found in cause for cause in causes] == ([True] if found else [])


def test_new_changed_fuzzy_and_dropped_texts_are_found() -> None:
    code = {one.key: one for one in (message("new"), message("guess"), message("one", plural="many"))}
    known = {
        one.key: one for one in (message("guess", "quizá", fuzzy=True), message("one", "uno"), message("gone", "x"))
    }
    causes = sorted(cause.split(":")[0] for cause in faults(code, known))
    assert causes[0] == "fuzzy"
    assert [cause.split(",")[0] for cause in causes[1:]] == [
        "new or changed", "new or changed", "no longer in the code",
    ]  # fmt: skip


def test_what_is_written_is_read_again_and_compiles(tmp_path: Path) -> None:
    path = tmp_path / "django.po"
    texts = [
        message('Say "yes"\n', 'Di "sí"\n'),
        message("%(n)s case", "%(n)s caso", "%(n)s casos", plural="%(n)s cases"),
    ]
    write_po(path, "es", texts)
    known = read_po(path)
    reader = gettext.GNUTranslations(io.BytesIO(compiled("es", known)))
    assert reader.gettext('Say "yes"\n') == 'Di "sí"\n'
    assert [reader.ngettext("%(n)s case", "%(n)s cases", n) for n in (1, 2)] == ["%(n)s caso", "%(n)s casos"]


def test_texts_are_found_in_templates() -> None:
    source = (
        "{% load i18n %}{% translate 'One' %}{% blocktranslate count n=x %}{{ n }} a{% plural %}{{ n }} b"
        '{% endblocktranslate %}{% if x == _("Two") %}{% endif %}{% translate "Open" context "state" %}'
    )
    found = [tuple(one.values()) for one in marked_in_template(source)]
    assert found == [("One",), ("%(n)s a", "%(n)s b"), ("Two",), ("state", "Open")]


def test_texts_of_models_and_templates_are_extracted() -> None:
    places = {place for one in extracted().values() for place in one.places}
    assert {"incidents/models/incident.py", "templates/base.html", "templates/incidents/mail/answered.txt"} <= places
