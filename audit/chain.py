"""Recomputes the history's hashes from stored bytes alone; the format is described in docs/adr/0001-history-hash.md.

Free of framework and database, so that an offline verifier can be this file and a reader of its export.
"""

from __future__ import annotations

import dataclasses
import hashlib
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence

FORMAT = b"servicedesk.history.1"
INT4, INT8, BYTEA, TIMESTAMPTZ = 23, 20, 17, 1184

#: The trigger's own columns in the order of the hash, with the type under which each enters it.
HEADER = (
    ("version", INT8),
    ("history_type", BYTEA),
    ("history_date", TIMESTAMPTZ),
    ("xid", INT8),
    ("history_user_id", INT8),
    ("actor_kind", BYTEA),
    ("actor_id", BYTEA),
    ("actor_channel", BYTEA),
    ("request_id", BYTEA),
)
#: Columns of every history row that are personal or free text: only their commitments enter the hash.
COMMITTED = ("actor_label", "on_behalf_of", "history_change_reason")


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """A tracked column as the schema registry describes it; `oid` is the type under which it enters the hash."""

    name: str
    oid: int
    personal: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One history row: the bytes of its columns (None is null), its salts and commitments, and its two hashes."""

    model: str
    schema_version: int
    values: Mapping[str, bytes | None]
    salts: Mapping[str, bytes | None]
    commitments: Mapping[str, bytes | None]
    prev_hash: bytes | None
    row_hash: bytes

    @property
    def version(self) -> int:
        return int.from_bytes(self.values["version"] or b"", "big", signed=True)


Schemas = Mapping[int, Sequence[Column]]


def encode(fields: Sequence[tuple[int, bytes | None]]) -> bytes:
    """PostgreSQL's binary form of an anonymous row: the count, then type, length (-1 is null) and bytes of each."""
    parts = [struct.pack(">i", len(fields))]
    for oid, value in fields:
        parts.append(struct.pack(">ii", oid, -1) if value is None else struct.pack(">ii", oid, len(value)) + value)
    return b"".join(parts)


def row_hash(row: Row, columns: Sequence[Column]) -> bytes:
    """The hash that the row must carry."""
    fields: list[tuple[int, bytes | None]] = [
        (BYTEA, FORMAT),
        (BYTEA, row.model.encode()),
        (INT4, struct.pack(">i", row.schema_version)),
        *((oid, row.values[name]) for name, oid in HEADER),
        *((BYTEA, row.commitments[name]) for name in COMMITTED),
        (BYTEA, row.prev_hash),
        *((one.oid, row.commitments[one.name] if one.personal else row.values[one.name]) for one in columns),
    ]
    return hashlib.sha256(encode(fields)).digest()


def faults(rows: Iterable[Row], schemas: Schemas, *, newest: int | None = None) -> list[str]:
    """What is wrong with one object's history, oldest row first; empty when it proves what it shows.

    `newest` is the version that the history must end with (the live row's): the chain alone can't miss its own end.
    """
    found: list[str] = []
    before: Row | None = None
    expected = 1
    for row in rows:
        found += [f"version {row.version}: {fault}" for fault in _row_faults(row, before, expected, schemas)]
        before, expected = row, row.version + 1
    if newest is not None and expected - 1 != newest:
        found.append(f"ends with version {expected - 1} instead of {newest}")
    return found


def _row_faults(row: Row, before: Row | None, expected: int, schemas: Schemas) -> Iterator[str]:
    if row.version != expected:
        yield f"follows version {expected - 1}"
    begins = before is None or before.values["history_type"] == b"-"
    if begins != (row.values["history_type"] == b"+"):
        yield "an object begins with +, and again after its removal, and nowhere else"
    if row.prev_hash != (before.row_hash if before is not None else None):
        yield "does not name the hash of the row before it"
    if row.schema_version not in schemas:
        yield f"schema {row.schema_version} is not registered"
        return
    columns = schemas[row.schema_version]
    if row_hash(row, columns) != row.row_hash:
        yield "its content does not give its hash"
    for name in (*COMMITTED, *(one.name for one in columns if one.personal)):
        if not _commits(row.values[name], row.salts.get(name), row.commitments[name]):
            yield f"{name} is not the value that was committed to"


def _commits(value: bytes | None, salt: bytes | None, commitment: bytes | None) -> bool:
    """A null value has no commitment; a commitment without salt is that of an erased value."""
    if commitment is None:
        return value is None
    if salt is None:
        return not value
    return value is not None and hashlib.sha256(salt + value).digest() == commitment
