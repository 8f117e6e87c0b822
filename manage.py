#!/usr/bin/env python3
"""Django's command line, which first sees to the servers that a command needs."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "servicedesk.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.exit("Django is not installed here: run `make install` and use .venv/bin/python manage.py")
    from servicedesk.server import ServerError
    from servicedesk.server.commands import prepared

    try:
        with prepared(sys.argv):
            execute_from_command_line(sys.argv)
    except ServerError as error:
        sys.exit(f"manage.py: {error}")


if __name__ == "__main__":
    main()
