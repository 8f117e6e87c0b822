"""YAML as settings need it: texts stay texts, nothing is taken twice, nothing is hidden behind an alias."""

from __future__ import annotations

import re
from typing import Any

import yaml

MOST_BYTES = 2 * 1024 * 1024
FORMAT = 1


class UnreadableBlueprint(ValueError):
    """The file as a whole can't be read; `place` is a line, or a section."""

    def __init__(self, problem: str, *, place: str = "file", remedy: str = "correct the file") -> None:
        super().__init__(problem)
        self.problem, self.place, self.remedy = problem, place, remedy


class _Loader(yaml.SafeLoader):
    """Safe, and without YAML 1.1's surprises: `10:00` is no number, `no` no falsehood, a date stays as written."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # the stubs' own kind of attribute

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "aliases are not taken", mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        names = [self.construct_object(key, deep=True) for key, _ in node.value]
        for number, name in enumerate(names):
            if not isinstance(name, str) or name in names[:number]:
                problem = f"{name!r} stands here twice" if isinstance(name, str) else "a name is a text"
                raise yaml.constructor.ConstructorError(None, None, problem, node.value[number][0].start_mark)
        return super().construct_mapping(node, deep=deep)


for _tag, _pattern, _first in (
    ("tag:yaml.org,2002:null", r"^(?:~|null|)$", ["~", "n", ""]),
    ("tag:yaml.org,2002:bool", r"^(?:true|false)$", list("tf")),
    ("tag:yaml.org,2002:int", r"^(?:0|-?[1-9][0-9]{0,17})$", list("-0123456789")),
):
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), _first)


def load(content: bytes) -> dict[str, Any]:
    """The sections of a file; refuses what is no YAML, no mapping, too large, or of another format."""
    if len(content) > MOST_BYTES:
        raise UnreadableBlueprint(f"the file has more than {MOST_BYTES} bytes", remedy="split it")
    try:
        found = yaml.load(content.decode("utf-8-sig"), Loader=_Loader)  # noqa: S506  # nosec B506: a SafeLoader
    except UnicodeDecodeError as error:
        raise UnreadableBlueprint("the file is not UTF-8", place=f"byte {error.start}") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UnreadableBlueprint(f"this is no YAML of ours: {error.problem}", place=f"line {line}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise UnreadableBlueprint(f"this is no YAML: {error}") from error
    except RecursionError as error:
        raise UnreadableBlueprint("the file is nested too deep") from error
    if not isinstance(found, dict):
        raise UnreadableBlueprint("the file is no mapping of sections", place="line 1")
    if found.pop("servicedesk", None) != FORMAT:
        raise UnreadableBlueprint(
            "the file does not say that it holds a desk's settings", place="servicedesk",
            remedy=f"begin it with “servicedesk: {FORMAT}”",
        )  # fmt: skip
    return found


def dump(sections: dict[str, Any]) -> str:
    return str(yaml.safe_dump({"servicedesk": FORMAT, **sections}, sort_keys=False, allow_unicode=True, width=120))
