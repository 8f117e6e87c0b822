"""A process that sweeps the clocks as a worker does, ten times a second, until it is killed."""

from __future__ import annotations

import time

import django


def main() -> None:
    django.setup()
    from django.db import connection

    from sla import tasks

    with connection.cursor() as cursor:
        cursor.execute("set application_name = 'bench.sweeper'")

    while True:
        tasks.sweep()
        time.sleep(0.1)


if __name__ == "__main__":
    main()
