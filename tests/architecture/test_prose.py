"""The written pages name only what is there: links, settings, commands, resources."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.management import get_commands

from servicedesk import settings as declared
from servicedesk.urls import router

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"```.*?```", re.DOTALL)


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as the forges make them."""
    heads = re.findall(r"^#+ (.+)$", _CODE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


def _is_there(page: Path, target: str) -> bool:
    name, _, anchor = target.partition("#")
    found = (page.parent / name).resolve() if name else page
    return found.exists() and (not anchor or anchor in _anchors(found))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    targets = [one for one in _LINK.findall(page.read_text(encoding="utf-8")) if "://" not in one]
    assert [one for one in targets if not one.endswith(".png") and not _is_there(page, one)] == []


def _said(pattern: str, *names: str) -> set[str]:
    texts = [page.read_text(encoding="utf-8") for page in PAGES if not names or page.name in names]
    return {found for text in texts for found in re.findall(pattern, text)}


def test_settings_are_named_as_they_are() -> None:
    known = {one.name for one in declared.VARIABLES}
    assert _said(r"\bSERVICEDESK_[A-Z_]+\b") - known == set()


def test_commands_are_named_as_they_are() -> None:
    assert _said(r"manage\.py ([a-z_]+)") - set(get_commands()) - {"help"} == set()


def test_every_command_of_ours_is_explained_to_administrators() -> None:
    ours = {path.stem for path in ROOT.glob("*/management/commands/*.py")} - {"__init__"}
    explained = _said(r"^\| `([a-z_]+)[ `]", "admin.md") | _said(r"\| `([a-z_]+)[ A-Z]*` \|", "admin.md")
    assert ours - explained == set()


def test_resources_are_named_as_they_are() -> None:
    known = {prefix for prefix, _view, _name in router.registry} | {"intake"}
    assert _said(r"/api/v1/([a-z][a-z-]*)/") - known == set()


def test_every_decision_stands_in_the_list() -> None:
    folder = ROOT / "docs/adr"
    listed = _LINK.findall((folder / "README.md").read_text(encoding="utf-8"))
    assert listed == sorted(page.name for page in folder.glob("0*.md"))
