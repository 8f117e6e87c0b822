"""A file is judged by its content; its name is only shown."""

from __future__ import annotations

import contextlib
import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from incidents.filetypes import USUAL, Limits, NotAllowed, download_name, judge, safe_name, served_type

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ALL = Limits(types=frozenset((*USUAL, "text/html", "image/svg+xml", "application/x-ole-storage")))


def picture(form: str, size: tuple[int, int] = (3, 2)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size).save(out, form)
    return out.getvalue()


def archive(*names: str, content: bytes = b"x") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name in names:
            made.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (picture("PNG"), "image/png"), (picture("JPEG"), "image/jpeg"), (picture("GIF"), "image/gif"),
        (picture("WEBP"), "image/webp"), (picture("BMP"), "image/bmp"), (picture("TIFF"), "image/tiff"),
        (b"%PDF-1.7\n%", "application/pdf"), (b"2026-03-09 error <html> seen\n", "text/plain"),
        ("Übergröße".encode("latin-1"), "text/plain"), ("naïve".encode("utf-16"), "text/plain"),
        (b"<?xml version='1.0'?><a/>", "text/xml"), (b"BM is how this text begins", "text/plain"),
        (archive("a.log", "b/c.txt"), "application/zip"), (archive("[Content_Types].xml", "xl/a.xml"), XLSX),
        (b"  <!-- x --><script>alert(1)</script>", "text/html"), (b"<html><body>x", "text/html"),
        (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg' onload='x'/>", "image/svg+xml"),
        (b"<x:svg xmlns:x='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest", "application/x-ole-storage"),
    ],
)  # fmt: skip
def test_the_type_follows_from_the_content(content: bytes, kind: str) -> None:
    assert judge(content, ALL) == kind


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "empty"), (b"x" * 101, "larger"), (b"MZ\x90\0\3", "no type"), (b"\x7fELF\2\1\1", "no type"),
        (b"<html>", "not taken"), (b"<svg onload=alert(1)>", "not taken"), (b"\x89PNG\r\n\x1a\nnothing", "is none"),
        (b"GIF89a/*<script>*/", "is none"), (b"PK\x03\x04broken", "broken"), (b"a\0b", "no type"),
    ],
)  # fmt: skip
def test_what_is_not_on_the_list_is_refused(content: bytes, cause: str) -> None:
    with pytest.raises(NotAllowed, match=cause):
        judge(content, Limits(max_bytes=100))


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (archive("setup.exe"), "program"), (archive("in/evil.JS"), "program"),
        (archive("inner.zip"), "another archive"),
        (archive("word/document.xml", "[Content_Types].xml", "word/vbaProject.bin"), "macros"),
        (archive("a.txt", content=b"\0" * 30_000_000), "swells"),
        (archive(*(f"{n}.txt" for n in range(5001))), "too many"),
        (picture("PNG") + archive("a.txt"), "hides"),
    ],
)  # fmt: skip
def test_archives_are_listed_and_never_unpacked(content: bytes, cause: str) -> None:
    with pytest.raises(NotAllowed, match=cause):
        judge(content, Limits())


def test_a_picture_of_too_many_pixels_is_refused_without_decoding_it() -> None:
    bomb = picture("PNG", (4000, 4000))
    assert len(bomb) < 100_000
    with pytest.raises(NotAllowed, match="pixels"):
        judge(bomb, Limits(max_pixels=1_000_000))
    width = bomb.index(b"IHDR") + 4
    with pytest.raises(NotAllowed):
        judge(bomb[:width] + b"\0\1\0\0\0\1\0\0" + bomb[width + 8 :], Limits())


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "passwd"), ("C:\\Users\\x\\a.txt", "a.txt"), ("photo\u202egpj.exe", "photogpj.exe"),
        ("a\r\nSet-Cookie: x.txt", "a Set-Cookie_ x.txt"), ("", "file"), ("...", "file"), ("CON.txt", "_CON.txt"),
        ("\0\0.png", "png"), ('a"b;c.txt', "a_b_c.txt"), ("ñandú.pdf", "ñandú.pdf"),
        ("x" * 400 + ".log", "x" * 146 + ".log"),
    ],
)  # fmt: skip
def test_a_name_is_made_safe(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_a_text_that_calls_itself_a_program_is_saved_as_a_text() -> None:
    assert download_name("run.bat", "text/plain") == "run.bat.txt"
    assert download_name("page.html", "image/png") == "page.html.png"
    assert download_name("build.log", "text/plain") == "build.log"
    assert download_name("noending", "application/pdf") == "noending.pdf"
    assert {served_type(kind) for kind in ("text/html", "image/svg+xml", "text/plain")} == {"application/octet-stream"}
    assert served_type("image/png") == "image/png"


HEADS = [b"", b"PK\x03\x04", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"%PDF-", b"<svg "]


@given(st.binary(max_size=300), st.sampled_from(HEADS))
def test_any_bytes_are_judged_or_refused(tail: bytes, head: bytes) -> None:
    with contextlib.suppress(NotAllowed):
        assert judge(head + tail, ALL) in ALL.types


@given(st.text(max_size=300))
def test_any_name_becomes_one_harmless_line(name: str) -> None:
    safe = safe_name(name)
    assert safe
    assert len(safe) <= 150
    assert not set(safe) & set('/\\\r\n\0"<>')
    assert safe.encode()
