"""A small LMTP server (RFC 2033): a mail server hands each message over, and is told when it is safely stored."""

from __future__ import annotations

import re
import socketserver
from collections.abc import Callable
from typing import Any

#: (message, return path) -> stored or not; raises nothing.
Store = Callable[[bytes, str], bool]

_LONGEST_LINE = 4096
_PATH = re.compile(rb"<([^<>\r\n]{0,1000})>")
_SIZE = re.compile(rb"\bSIZE=([0-9]{1,18})\b", re.IGNORECASE)
_PATIENCE = 300.0
_MOST_RECIPIENTS = 100


class Lmtp(socketserver.ThreadingTCPServer):
    """One thread for each connection; what is larger than `longest` is refused without being kept in memory."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, place: tuple[str, int], store: Store, longest: int) -> None:
        super().__init__(place, _Session)
        self.store, self.longest = store, longest


class _Session(socketserver.StreamRequestHandler):
    timeout = _PATIENCE

    def handle(self) -> None:
        self.sender: str | None = None
        self.recipients = 0
        try:
            self._say("220 service desk LMTP")
            while self._turn():
                pass
        except (OSError, TimeoutError):
            return  # the other side went away; it keeps what was not answered for

    def _say(self, line: str) -> None:
        self.wfile.write(line.encode("ascii", "replace") + b"\r\n")

    def _turn(self) -> bool:
        line = self.rfile.readline(_LONGEST_LINE)
        if not line:
            return False
        if not line.endswith(b"\n"):
            self._say("500 5.5.2 the line is too long")
            return False
        verb = line[:4].upper().strip()
        answers: dict[bytes, Callable[[bytes], None]] = {
            b"LHLO": self._hello, b"MAIL": self._from, b"RCPT": self._to, b"DATA": self._data, b"RSET": self._reset,
            b"NOOP": lambda line: self._say("250 2.0.0 ok"), b"VRFY": lambda line: self._say("252 2.5.0 try it"),
        }  # fmt: skip
        answer = answers.get(verb)
        if verb == b"QUIT":
            self._say("221 2.0.0 bye")
            return False
        if answer is None:
            self._say("500 5.5.1 LHLO, MAIL, RCPT, DATA, RSET, NOOP or QUIT")
            return True
        answer(line)
        return True

    def _hello(self, line: bytes) -> None:
        server: Any = self.server
        for one in ("250-service desk", "250-PIPELINING", "250-8BITMIME", "250-SMTPUTF8", "250-ENHANCEDSTATUSCODES"):
            self._say(one)
        self._say(f"250 SIZE {server.longest}")

    def _from(self, line: bytes) -> None:
        found = _PATH.search(line)
        if found is None:
            self._say("501 5.5.4 MAIL FROM:<address>")
            return
        server: Any = self.server
        if (size := _SIZE.search(line)) and int(size[1]) > server.longest:
            self._say("552 5.3.4 it is larger than SIZE says")
            return
        self.sender, self.recipients = found[1].decode("utf-8", "replace"), 0
        self._say("250 2.1.0 ok")

    def _to(self, line: bytes) -> None:
        if self.sender is None:
            self._say("503 5.5.1 MAIL first")
        elif self.recipients >= _MOST_RECIPIENTS:
            self._say("452 4.5.3 too many recipients")
        else:
            self.recipients += 1
            self._say("250 2.1.5 ok")

    def _reset(self, line: bytes) -> None:
        self.sender, self.recipients = None, 0
        self._say("250 2.0.0 ok")

    def _data(self, line: bytes) -> None:
        """One answer for each recipient, all the same: the desk is one reader."""
        if self.sender is None or not self.recipients:
            self._say("503 5.5.1 RCPT first")
            return
        self._say("354 end with a line that holds only a dot")
        server: Any = self.server
        message = self._message(server.longest)
        if message is None:
            answer = "552 5.3.4 it is larger than SIZE says"
        elif server.store(message, self.sender):
            answer = "250 2.0.0 stored"
        else:
            answer = "451 4.3.0 it can't be stored now"
        for _ in range(self.recipients):
            self._say(answer)
        self.sender, self.recipients = None, 0

    def _message(self, longest: int) -> bytes | None:
        lines: list[bytes] = []
        size, begins = 0, True
        while True:
            line = self.rfile.readline(65_536)
            if not line:
                raise ConnectionError("the message did not end")
            if begins and line in (b".\r\n", b".\n"):
                return b"".join(lines) if size <= longest else None
            kept = line[1:] if begins and line.startswith(b".") else line
            begins = line.endswith(b"\n")
            size += len(kept)
            if size <= longest:
                lines.append(kept)
