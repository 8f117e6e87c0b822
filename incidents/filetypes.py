"""Which files may be attached: judged by their content, never by the name or type that they come with.

Pictures are opened far enough to know their size (never decoded), archives are listed and never unpacked. What is none
of the known types is refused; markup that a browser could run is known, so that it can be told apart from text.
"""

from __future__ import annotations

import dataclasses
import io
import re
import struct
import unicodedata
import zipfile
from typing import Any

from PIL import Image

#: Type -> the endings that fit it; the first is added to a name whose own ending does not.
ENDINGS: dict[str, tuple[str, ...]] = {
    "image/png": ("png",),
    "image/jpeg": ("jpg", "jpeg", "jpe", "jfif"),
    "image/gif": ("gif",),
    "image/webp": ("webp",),
    "image/bmp": ("bmp", "dib"),
    "image/tiff": ("tif", "tiff"),
    "image/heic": ("heic", "heif"),
    "application/pdf": ("pdf",),
    "text/plain": (
        "txt", "log", "csv", "tsv", "md", "json", "yaml", "yml", "ini", "conf", "cfg", "toml", "ics", "vcf", "eml",
        "pem", "crt", "asc", "diff", "patch", "sql", "trace", "out", "err",
    ),
    "text/xml": ("xml",),
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ("docx",),
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ("xlsx",),
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ("pptx",),
    "application/vnd.oasis.opendocument.text": ("odt",),
    "application/vnd.oasis.opendocument.spreadsheet": ("ods",),
    "application/vnd.oasis.opendocument.presentation": ("odp",),
    "application/zip": ("zip",),
    "audio/wav": ("wav",),
    "audio/mpeg": ("mp3",),
    "audio/ogg": ("ogg", "oga", "opus"),
    "video/mp4": ("mp4", "m4a", "m4v", "mov"),
    "video/webm": ("webm", "mkv"),
    # Known, and taken only where the setting says so.
    "text/html": ("html", "htm"),
    "image/svg+xml": ("svg",),
    "application/x-ole-storage": ("doc", "xls", "ppt", "msg"),
}  # fmt: skip
#: What is taken unless a setting says other: nothing that runs in a browser or carries macros.
USUAL = tuple(one for one in ENDINGS if one not in {"text/html", "image/svg+xml", "application/x-ole-storage"})
#: What may be sent with its own type; everything else is sent as bytes without a meaning.
_HARMLESS = re.compile(r"(image/(?!svg)|audio/|video/|application/pdf$|application/zip$|application/vnd\.).*")

_PICTURES = {
    "image/png": ("PNG", (b"\x89PNG\r\n\x1a\n",)),
    "image/jpeg": ("JPEG", (b"\xff\xd8\xff",)),
    "image/gif": ("GIF", (b"GIF87a", b"GIF89a")),
    "image/bmp": ("BMP", (b"BM",)),
    "image/tiff": ("TIFF", (b"II*\0", b"MM\0*")),
}
_MARKUP = re.compile(
    r"<(?:!doctype\s+html|html|head|body|script|iframe|object|embed|img|meta|link|style|form|a\s|svg|table|div)[\s>/]?",
    re.IGNORECASE,
)
_SVG = re.compile(r"<(?:\w{1,20}:)?svg[\s>/]", re.IGNORECASE)
_XML = re.compile(r"<(?:\?xml|[A-Za-z_][\w.-]{0,100}(?::[\w.-]{1,100})?[\s>/])")
_RUNS = re.compile(
    r"\.(?:exe|dll|scr|com|bat|cmd|ps1|psm1|vbs|vbe|js|jse|wsf|wsh|hta|msi|msp|jar|lnk|pif|cpl|reg|sh|app|apk|iso|img|"
    r"xll|docm|xlsm|pptm|dotm|xltm|svg|html?|xhtml|chm)$",
    re.IGNORECASE,
)
_ARCHIVE = re.compile(r"\.(?:zip|7z|rar|gz|tgz|bz2|xz|tar|cab|arj|z)$", re.IGNORECASE)
_END_OF_ZIP = b"PK\x05\x06"
_MOST_MEMBERS, _LARGEST_DIRECTORY = 5000, 2_000_000
_LARGEST_UNPACKED, _LARGEST_RATIO = 200_000_000, 100
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)", re.IGNORECASE)
LONGEST_NAME = 150


class NotAllowed(ValueError):
    """Why a file is not taken, in words for the person who sent it."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    max_bytes: int = 10_000_000
    max_pixels: int = 50_000_000
    types: frozenset[str] = frozenset(USUAL)


def limits_from(settings: Any) -> Limits:
    """What the desk's settings say."""
    return Limits(
        max_bytes=settings.SERVICEDESK_ATTACHMENT_MAX_BYTES,
        max_pixels=settings.SERVICEDESK_ATTACHMENT_MAX_PIXELS,
        types=frozenset(settings.SERVICEDESK_ATTACHMENT_TYPES or USUAL),
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Upload:
    """A file as it arrived: what it calls itself, and its bytes."""

    name: str
    content: bytes = dataclasses.field(repr=False)


def judge(content: bytes, limits: Limits) -> str:
    """The content's type; refuses what is empty, too large, of no allowed type, or not what it begins as."""
    if not content:
        raise NotAllowed("it is empty")
    if len(content) > limits.max_bytes:
        raise NotAllowed(f"it is larger than {limits.max_bytes // 1000} kB")
    kind = _picture(content, limits) or _binary(content) or _text(content)
    if kind is None:
        raise NotAllowed("its content is of no type that is taken here")
    if kind not in limits.types:
        raise NotAllowed(f"{kind} is not taken here")
    return kind


def _picture(content: bytes, limits: Limits) -> str | None:
    kind = next((kind for kind, (_, heads) in _PICTURES.items() if content.startswith(heads)), None)
    if kind is None and content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        kind = "image/webp"
    if kind is None or (kind == "image/bmp" and b"\0" not in content[:20]):
        return None
    try:
        picture = Image.open(io.BytesIO(content), formats=[_PICTURES.get(kind, ("WEBP", ()))[0]])
        size = picture.width * picture.height
        if size <= limits.max_pixels:
            picture.verify()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise NotAllowed("the picture has too many pixels") from error
    except Exception as error:  # whatever a broken picture makes the reader do
        raise NotAllowed("it begins like a picture and is none") from error
    if size > limits.max_pixels:
        raise NotAllowed("the picture has too many pixels")
    if _END_OF_ZIP in content[-66_000:]:
        raise NotAllowed("an archive hides behind the picture")
    return kind


def _binary(content: bytes) -> str | None:
    head = content[:16]
    if head.startswith((b"PK\x03\x04", _END_OF_ZIP)):
        return _archive(content)
    if content[:1024].lstrip().startswith(b"%PDF-"):
        return "application/pdf"
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return "application/x-ole-storage"
    if head[4:8] == b"ftyp":
        return "image/heic" if head[8:12] in {b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1"} else "video/mp4"
    if head.startswith(b"RIFF") and head[8:12] == b"WAVE":
        return "audio/wav"
    starts = {b"\x1a\x45\xdf\xa3": "video/webm", b"OggS": "audio/ogg", b"ID3": "audio/mpeg", b"\xff\xfb": "audio/mpeg"}
    return next((kind for start, kind in starts.items() if head.startswith(start)), None)


def _archive(content: bytes) -> str:
    """Listed, not unpacked: what runs, what is locked, what is nested and what swells is refused."""
    end = content.rfind(_END_OF_ZIP, max(0, len(content) - 66_000))
    if end < 0 or len(content) < end + 22:
        raise NotAllowed("the archive is broken")
    members, directory = struct.unpack("<HI", content[end + 10 : end + 16])
    if members > _MOST_MEMBERS or directory > _LARGEST_DIRECTORY:
        raise NotAllowed("the archive holds too many files")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            found = archive.infolist()
            kind = _office(archive, {one.filename for one in found})
    except Exception as error:  # a broken archive raises many things
        raise NotAllowed("the archive is broken") from error
    unpacked = sum(one.file_size for one in found)
    if unpacked > _LARGEST_UNPACKED or (unpacked > 10_000_000 and unpacked > _LARGEST_RATIO * len(content)):
        raise NotAllowed("the archive swells too much when it is unpacked")
    if any(one.flag_bits & 1 for one in found):
        raise NotAllowed("the archive is locked with a password")
    if any(one.filename.lower().endswith("vbaproject.bin") for one in found):
        raise NotAllowed("the document carries macros")
    if kind == "application/zip" and any(_RUNS.search(one.filename) for one in found):
        raise NotAllowed("the archive holds a program")
    if kind == "application/zip" and any(_ARCHIVE.search(one.filename) for one in found):
        raise NotAllowed("the archive holds another archive")
    return kind


def _office(archive: zipfile.ZipFile, names: set[str]) -> str:
    base = "application/vnd.openxmlformats-officedocument."
    if "[Content_Types].xml" in names:
        for folder, kind in (
            ("word/", "wordprocessingml.document"),
            ("xl/", "spreadsheetml.sheet"),
            ("ppt/", "presentationml.presentation"),
        ):
            if any(one.startswith(folder) for one in names):
                return base + kind
    if "mimetype" in names and archive.getinfo("mimetype").file_size < 100:
        said = archive.read("mimetype").decode("ascii", "replace").strip()
        if said in ENDINGS and said.startswith("application/vnd.oasis."):
            return said
    return "application/zip"


def _text(content: bytes) -> str | None:
    text = _decoded(content)
    if text is None:
        return None
    head = text[:4096].lstrip("\ufeff \t\r\n\f")
    if _SVG.search(head) and head.startswith("<"):
        return "image/svg+xml"
    if head.startswith("<") and _MARKUP.search(head):
        return "text/html"
    return "text/xml" if _XML.match(head) else "text/plain"


def _decoded(content: bytes) -> str | None:
    """The content as text, or None where control characters show that it is none."""
    for codec in ("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8", "cp1252", "latin-1"):
        try:
            text = content.decode(codec)
        except UnicodeDecodeError:
            continue
        return None if re.search(r"[\x00-\x07\x0e-\x1a\x1c-\x1f]", text) else text
    return None


def safe_name(name: str) -> str:
    """The last part of a name, on one line, without what hides its ending, climbs folders or means a device."""
    last = re.split(r"[/\\]", name.replace("\0", ""))[-1]
    shown = "".join(
        " " if unicodedata.category(one) in ("Cc", "Zl", "Zp") else one
        for one in unicodedata.normalize("NFC", last)
        if unicodedata.category(one) not in ("Cf", "Cs", "Co", "Cn")
    )
    plain = re.sub(r'[<>:"|?*;]', "_", " ".join(shown.split())).strip(". ")
    if not plain:
        return "file"
    if _RESERVED.match(plain):
        plain = f"_{plain}"
    stem, dot, ending = plain.rpartition(".")
    if not dot or len(ending) > 20:
        return plain[:LONGEST_NAME]
    return f"{stem[: LONGEST_NAME - len(ending) - 1]}.{ending}"


def download_name(name: str, kind: str) -> str:
    """The name under which it is saved: with an ending that fits the content, so that no text runs as a program."""
    fitting = ENDINGS.get(kind, ())
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    return name if ending in fitting or not fitting else f"{name}.{fitting[0]}"


def served_type(kind: str) -> str:
    """The type that an answer names: text and markup are sent as bytes, so that no browser shows them."""
    return kind if _HARMLESS.fullmatch(kind) else "application/octet-stream"
