"""Starts and shares the clone's own Valkey (or Redis): broker of the tasks and cache of the pages, on a socket only."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Mapping
from pathlib import Path

from . import binaries
from .attachment import Attachment, Server
from .locations import Locations
from .postgres import Say, make_folders


def attach(places: Locations, environ: Mapping[str, str], say: Say) -> Attachment:
    """Hold the clone's broker, starting it when it is down."""
    make_folders(places)
    attachment = Attachment(f"broker-{places.cluster}", places.locks, lambda: answers(places.broker_socket), places.log)
    attachment.attach(lambda: _prepare(places, environ))
    return attachment


def _prepare(places: Locations, environ: Mapping[str, str]) -> Server:
    """Nothing is kept on disk: what must not be lost is a row in the database, and sweeps find it again."""
    found = binaries.find_broker(binaries.source_from(environ, "SERVICEDESK_BROKER"))
    places.broker_socket.unlink(missing_ok=True)
    settings = {
        "port": "0",
        "unixsocket": str(places.broker_socket),
        "unixsocketperm": "700",
        "save": "",
        "appendonly": "no",
        "dir": str(places.run),
        "daemonize": "no",
        "databases": "4",
    }
    argv = [str(found.path)]
    for name, value in settings.items():
        argv += [f"--{name}", value]
    return Server(
        argv=argv,
        env=dict(os.environ),
        uid=None,
        gid=None,
        stop_signal=signal.SIGTERM,
        log=places.log / f"broker-{places.cluster}.log",
    )


def answers(path: Path) -> bool:
    """Whether the server answers a ping."""
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(2)
            line.connect(str(path))
            line.sendall(b"PING\r\n")
            return line.recv(5) == b"+PONG"
    except OSError:
        return False
