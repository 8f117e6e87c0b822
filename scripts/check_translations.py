"""Holds the translations against the code: every text translated, placeholders kept, compiled files up to date.

It needs no gettext tools: texts are found in the Python sources by their syntax tree and in the templates by Django's
own reading of them. `--update` brings new texts into the po files (to be translated by hand) and drops old ones;
`--compile` writes the mo files that Django reads.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import re
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parents[1]
LANGUAGES = {"es": "Spanish", "pt": "Portuguese"}
PACKAGES = (
    "accounts", "alerts", "audit", "incidents", "integrations", "metrics", "notify", "oncall", "postmortems",
    "servicedesk", "sla",
)  # fmt: skip
#: How each marking function names its arguments, in order.
MARKERS = {
    "_": ("singular",),
    "_now": ("singular",),
    "gettext": ("singular",),
    "gettext_lazy": ("singular",),
    "gettext_noop": ("singular",),
    "ngettext": ("singular", "plural"),
    "ngettext_lazy": ("singular", "plural"),
    "pgettext": ("context", "singular"),
    "pgettext_lazy": ("context", "singular"),
    "npgettext": ("context", "singular", "plural"),
    "npgettext_lazy": ("context", "singular", "plural"),
}
_LITERAL = r"""(?:u?"(?:\\.|[^"\\])*"|u?'(?:\\.|[^'\\])*')"""
_MARKED = re.compile(rf"\b(n?p?gettext|_)\(\s*({_LITERAL}(?:\s*,\s*{_LITERAL})*)", re.DOTALL)
_PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w*\}")

Key = tuple[str, str]


@dataclasses.dataclass(slots=True)
class Message:
    """One text: as the code has it, where, and as a po file translates it (two forms where it has a plural)."""

    context: str
    singular: str
    plural: str
    places: list[str]
    translated: list[str]
    is_fuzzy: bool = False

    @property
    def key(self) -> Key:
        return self.context, self.singular

    def is_complete(self) -> bool:
        return len(self.translated) == (2 if self.plural else 1) and all(self.translated) and not self.is_fuzzy


# --- the code -------------------------------------------------------------------------------------------------------
def sources() -> list[Path]:
    """What git knows, and what is new and not ignored: Python files of the apps, and every template."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *PACKAGES, "templates"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    wanted = (ROOT / name for name in sorted(set(listed.split("\0"))) if name.endswith((".py", ".html", ".txt")))
    return [path for path in wanted if path.exists() and "migrations" not in path.parts]


def marked_in_python(text: str) -> Iterator[dict[str, str]]:
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        names = MARKERS.get(called, ())
        constants = [one.value for one in node.args[: len(names)] if isinstance(one, ast.Constant)]
        values = [value for value in constants if isinstance(value, str)]
        if names and len(values) == len(names):
            yield dict(zip(names, values, strict=True))


def marked_in_template(text: str) -> Iterator[dict[str, str]]:
    for name, arguments in _MARKED.findall(templatize(text)):
        yield dict(zip(MARKERS[name], ast.literal_eval(f"({arguments},)"), strict=False))


def extracted() -> dict[Key, Message]:
    """Every text of the code that is marked for translation, in the order of files."""
    found: dict[Key, Message] = {}
    for path in sources():
        read = marked_in_python if path.suffix == ".py" else marked_in_template
        place = path.relative_to(ROOT).as_posix()
        for marked in read(path.read_text(encoding="utf-8")):
            message = Message(marked.get("context", ""), marked["singular"], marked.get("plural", ""), [], [])
            known = found.setdefault(message.key, message)
            known.plural = known.plural or message.plural
            if place not in known.places:
                known.places.append(place)
    return found


# --- po and mo ------------------------------------------------------------------------------------------------------
def read_po(path: Path) -> dict[Key, Message]:
    """The entries of a po file; the header is the one with an empty text. Obsolete entries (#~) are left out."""
    found: dict[Key, Message] = {}
    for block in re.split(r"\n\s*\n", path.read_text(encoding="utf-8")) if path.exists() else []:
        values: dict[str, str] = {}
        name, is_fuzzy = "", False
        for line in block.splitlines():
            is_fuzzy |= line.startswith("#,") and "fuzzy" in line
            if match := re.fullmatch(r'(msg\w+(?:\[\d\])?)\s+(".*")\s*', line):
                name = match[1]
                values[name] = ast.literal_eval(match[2])
            elif line.startswith('"') and name:
                values[name] += ast.literal_eval(line.strip())
        if "msgid" in values:
            translated = [values[name] for name in sorted(values) if name.startswith("msgstr")]
            plural = values.get("msgid_plural", "")
            one = Message(values.get("msgctxt", ""), values["msgid"], plural, [], translated, is_fuzzy)
            if one.key in found:
                raise SystemExit(f"{path}: {one.singular!r} stands there twice")
            found[one.key] = one
    return found


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def header(language: str) -> str:
    return (
        "Project-Id-Version: servicedesk\n"
        f"Language: {language}\n"
        "MIME-Version: 1.0\n"
        "Content-Type: text/plain; charset=UTF-8\n"
        "Content-Transfer-Encoding: 8bit\n"
        "Plural-Forms: nplurals=2; plural=(n != 1);\n"
    )


def write_po(path: Path, language: str, messages: list[Message]) -> None:
    lines = [f"# {LANGUAGES[language]} texts of the service desk.", 'msgid ""', 'msgstr ""']
    lines += [_quoted(line + "\n") for line in header(language).splitlines()]
    for one in messages:
        lines += ["", *(f"#: {place}" for place in one.places)]
        lines += ["#, fuzzy"] if one.is_fuzzy else []
        lines += [f"msgctxt {_quoted(one.context)}"] if one.context else []
        lines += [f"msgid {_quoted(one.singular)}"]
        if one.plural:
            lines += [f"msgid_plural {_quoted(one.plural)}"]
            forms = [*one.translated, "", ""][:2]
            lines += [f"msgstr[{number}] {_quoted(form)}" for number, form in enumerate(forms)]
        else:
            lines += [f"msgstr {_quoted(one.translated[0] if one.translated else '')}"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def compiled(language: str, messages: dict[Key, Message]) -> bytes:
    """The mo file: little-endian tables of (length, offset), texts sorted by their bytes, without a hash table."""
    pairs = {b"": header(language).encode()}
    for one in messages.values():
        if one.singular and one.is_complete():
            key = f"{one.context}\x04{one.singular}" if one.context else one.singular
            pairs[(f"{key}\0{one.plural}" if one.plural else key).encode()] = "\0".join(one.translated).encode()
    keys = sorted(pairs)
    at = 28 + 16 * len(keys)
    tables, data = [b"", b""], b""
    for number, texts in enumerate((keys, [pairs[key] for key in keys])):
        for text in texts:
            tables[number] += struct.pack("<2I", len(text), at + len(data))
            data += text + b"\0"
    start = struct.pack("<7I", 0x950412DE, 0, len(keys), 28, 28 + 8 * len(keys), 0, at)
    return start + tables[0] + tables[1] + data


# --- what is checked ------------------------------------------------------------------------------------------------
def faults(code: dict[Key, Message], translations: dict[Key, Message]) -> Iterator[str]:
    """What is wrong with one language."""
    for key, message in code.items():
        known = translations.get(key)
        where = f"{message.singular!r} ({message.places[0]})"
        if known is None or known.plural != message.plural:
            yield f"new or changed, run scripts/check_translations.py --update: {where}"
        elif not known.is_complete():
            yield f"{'fuzzy' if known.is_fuzzy else 'not translated'}: {where}"
        else:
            yield from (f"{cause}: {where}" for cause in form_faults(known))
    for key in translations.keys() - code.keys() - {("", "")}:
        yield f"no longer in the code, run scripts/check_translations.py --update: {key[1]!r}"


def form_faults(message: Message) -> Iterator[str]:
    wanted = sorted(_PLACEHOLDER.findall(message.plural or message.singular))
    fewer = sorted(_PLACEHOLDER.findall(message.singular))
    for number, form in enumerate(message.translated):
        given = sorted(_PLACEHOLDER.findall(form))
        if given != wanted and not (message.plural and number == 0 and given == fewer):
            yield f"placeholders {given} instead of {wanted}"
        if form.startswith("\n") != message.singular.startswith("\n") or form.endswith(
            "\n"
        ) != message.singular.endswith("\n"):
            yield "begins or ends with another line break"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--update", action="store_true", help="bring the texts of the code into the po files")
    parser.add_argument("--compile", action="store_true", help="write the mo files")
    options = parser.parse_args()
    code = extracted()
    found: list[str] = []
    for language in LANGUAGES:
        path = ROOT / "locale" / language / "LC_MESSAGES" / "django.po"
        known = read_po(path)
        if options.update:
            for key, message in code.items():
                if (old := known.get(key)) is not None and old.plural == message.plural:
                    message.translated, message.is_fuzzy = old.translated, old.is_fuzzy
                else:
                    message.translated, message.is_fuzzy = [], False
            write_po(path, language, list(code.values()))
            known = read_po(path)
        binary = path.with_suffix(".mo")
        if options.update or options.compile:
            binary.write_bytes(compiled(language, known))
        found += [f"{language}: {fault}" for fault in faults(code, known)]
        if not binary.exists() or binary.read_bytes() != compiled(language, known):
            found.append(f"{language}: the mo file is old, run scripts/check_translations.py --compile")
    print("\n".join(found) or f"{len(code)} texts, complete in {', '.join(LANGUAGES.values())}")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
