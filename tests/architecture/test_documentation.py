"""The generated pages tell today's truth."""

from __future__ import annotations

from pathlib import Path

from servicedesk import reference

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_generated_pages_are_up_to_date() -> None:
    assert reference.differences(DOCS) == [], "run `manage.py docs` and commit"


def test_every_route_has_a_row_in_the_authorisation_matrix() -> None:
    page = (DOCS / "reference/authorisation.md").read_text(encoding="utf-8")
    assert [path for path, _ in reference.routes() if f"`{path}`".replace("|", "\\|") not in page] == []


def test_every_route_and_method_has_an_answer_for_each_role() -> None:
    """A new route fails here until `manage.py docs` gives it a line, which test_authorisation.py fills."""
    answers = reference.read_answers()
    assert set(answers) == set(reference.asked()), "run `manage.py docs`, then record and review the new lines"
    assert {word for row in answers.values() for word in row.values()} <= set(reference.ANSWERS)
