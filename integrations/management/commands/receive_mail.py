"""Takes one message from a pipe, or listens for a mail server that hands messages over by LMTP."""

from __future__ import annotations

import logging
import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, close_old_connections

from audit.actor import job
from audit.context import entry
from audit.queries import database_time
from integrations import actions
from integrations.mail.lmtp import Lmtp
from integrations.models import Source
from integrations.tasks.mail import judge_one

log = logging.getLogger(__name__)
RECEIVER = job("receive_mail")


class Command(BaseCommand):
    help = (
        "Reads one message from standard input and stores it; exit code 0: stored, 75: try again later. "
        "With --lmtp HOST:PORT it listens for a mail server."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--from", dest="envelope_from", default=None, help="return path; empty: the null one")
        parser.add_argument("--lmtp", default="", metavar="HOST:PORT", help="listen for LMTP here")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["lmtp"]:
            self._listen(options["lmtp"])
            return
        raw = sys.stdin.buffer.read(settings.SERVICEDESK_MAIL_MAX_BYTES + 1)
        if not raw.strip():
            raise CommandError("there is no message on standard input", returncode=os.EX_DATAERR)
        if not keep(raw, options["envelope_from"], Source.PIPE):
            raise CommandError("the message can't be stored now", returncode=os.EX_TEMPFAIL)

    def _listen(self, place: str) -> None:
        host, _, port = place.rpartition(":")
        if not port.isdigit():
            raise CommandError("--lmtp takes HOST:PORT, for example 127.0.0.1:2424", returncode=os.EX_USAGE)
        with Lmtp((host.strip("[]") or "127.0.0.1", int(port)), by_lmtp, settings.SERVICEDESK_MAIL_MAX_BYTES) as server:
            self.stdout.write(f"listening for LMTP at {host}:{port}")
            server.serve_forever()


def by_lmtp(raw: bytes, envelope_from: str) -> bool:
    close_old_connections()
    try:
        return keep(raw, envelope_from, Source.LMTP)
    finally:
        close_old_connections()


def keep(raw: bytes, envelope_from: str | None, source: str) -> bool:
    """Whether the message is stored; judging it follows at once, and again by the worker where that fails."""
    with entry("mail"):
        try:
            mail, is_new = actions.receive(
                raw=raw, source=source, envelope_from=envelope_from, by=RECEIVER, at=database_time()
            )
        except DatabaseError:
            log.exception("a message could not be stored")
            return False
        if is_new:
            try:
                judge_one(mail)
            except DatabaseError:
                log.exception("mail %s is stored and waits for the worker", mail.pk)
    return True
