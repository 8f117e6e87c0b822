"""Where the trial's servers live: pure arithmetic on paths and the environment, which starts and touches nothing.

Settings import this, so that a command without a server (types, schema, translations) needs none.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

Cluster = Literal["trial", "test"]

BASE_DIR: Final = Path(__file__).resolve().parent.parent.parent

# sun_path holds 104 bytes on macOS and 108 on Linux, the closing zero included.
SOCKET_PATH_LIMIT: Final = 103
DATABASE: Final = "servicedesk"
ROLE: Final = "servicedesk"
_POSTGRES_SOCKET: Final = ".s.PGSQL.5432"
_BROKER_SOCKET: Final = "valkey.sock"
_PLAIN: Final = re.compile(r"[A-Za-z0-9/._-]+")
_ROOT_STATE: Final = Path("/var/lib/servicedesk")


@dataclass(frozen=True)
class Locations:
    """The folders of one cluster of one clone.

    `state` is apart from `var` only for root: PostgreSQL refuses uid 0, and the uid that it runs under
    instead may not be able to reach a clone below a 0700 home.
    """

    base: Path
    var: Path
    state: Path
    run: Path
    cluster: Cluster

    @property
    def locks(self) -> Path:
        return self.state / "locks"

    @property
    def log(self) -> Path:
        return self.var / "log"

    def postgres_data(self, major: int) -> Path:
        """The data folder carries the major version: another one can't read it."""
        suffix = "" if self.cluster == "trial" else f"-{self.cluster}"
        return self.state / f"postgres-{major}{suffix}"

    @property
    def postgres_socket(self) -> Path:
        return self.run / _POSTGRES_SOCKET

    @property
    def broker_socket(self) -> Path:
        return self.run / _BROKER_SOCKET

    @property
    def database_url(self) -> str:
        return f"postgresql:///{DATABASE}?host={self.run}&user={ROLE}"

    @property
    def broker_url(self) -> str:
        """The address as Celery writes it."""
        return f"redis+socket://{self.broker_socket}"

    def cache_url(self, database: int = 1) -> str:
        """The address as Django's cache and the redis client write it; database 0 is the broker's."""
        return f"unix://{self.broker_socket}?db={database}"

    def django_database(self) -> dict[str, Any]:
        """`DATABASES["default"]` of our own server, without a trip through a URL."""
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": DATABASE,
            "USER": ROLE,
            "PASSWORD": "",
            "HOST": str(self.run),
            "PORT": "5432",
        }


def cluster_of(environ: Mapping[str, str]) -> Cluster:
    """Tests get a cluster of their own: pytest says that it runs, to its children too, by PYTEST_VERSION."""
    named = environ.get("SERVICEDESK_CLUSTER", "")
    if named == "trial":
        return "trial"
    if named == "test":
        return "test"
    return "test" if environ.get("PYTEST_VERSION") else "trial"


def locations(base: Path = BASE_DIR, environ: Mapping[str, str] | None = None, *, uid: int | None = None) -> Locations:
    """Work out the folders of the clone at `base`."""
    environ = os.environ if environ is None else environ
    if uid is None:
        uid = os.getuid() if hasattr(os, "getuid") else 1  # Windows may read the settings too.
    base = base.resolve()
    fingerprint = hashlib.sha256(os.fsencode(base)).hexdigest()[:12]
    cluster = cluster_of(environ)
    given = environ.get("SERVICEDESK_VAR", "")
    var = Path(given).absolute() if given else base / "var"
    state = _ROOT_STATE / fingerprint if uid == 0 and not given else var
    name = "run" if cluster == "trial" else f"run-{cluster}"
    run = state / name
    # A space or accent would have to be quoted differently in each of the URLs that carry this path.
    if len(os.fsencode(run / _POSTGRES_SOCKET)) > SOCKET_PATH_LIMIT or not _PLAIN.fullmatch(str(run)):
        own = hashlib.sha256(os.fsencode(state)).hexdigest()[:12]
        run = Path(f"/tmp/servicedesk-{uid}-{own}-{name}")  # noqa: S108  # nosec
    return Locations(base=base, var=var, state=state, run=run, cluster=cluster)
