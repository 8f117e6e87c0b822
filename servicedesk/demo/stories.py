"""What the demonstration tells: names, services and incidents as plain values; the same on every run."""

from __future__ import annotations

import dataclasses

DOMAIN = "demo.example"
PASSWORD = "demo-desk-2026"  # noqa: S105  # nosec B105: printed by `demo` on purpose, for a desk that only localhost reaches


@dataclasses.dataclass(frozen=True, slots=True)
class Person:
    """Somebody who signs in: local part of the address, name, roles, teams, zone."""

    login: str
    name: str
    roles: tuple[str, ...]
    teams: tuple[str, ...] = ()
    leads: tuple[str, ...] = ()
    zone: str = "Europe/Madrid"
    vip: bool = False


TEAMS = {
    "Service desk": 1,
    "Network": 2,
    "Workplace": 2,
    "Business applications": 2,
    "Platform": 3,
    "Security": 3,
}
PEOPLE = (
    Person("ines", "Inés Robledo", ("agent",), ("Service desk",)),
    Person("tomas", "Tomás Vidal", ("agent", "responder"), ("Service desk", "Network")),
    Person("lucia", "Lucía Ferrer", ("agent", "lead"), ("Service desk",), ("Service desk",)),
    Person("wen", "Wen Zhang", ("responder", "agent"), ("Network", "Platform")),
    Person("olu", "Olu Adeyemi", ("responder", "agent"), ("Platform",), zone="Europe/London"),
    Person("ada", "Ada Moreira", ("lead", "responder", "agent"), ("Platform", "Business applications"), ("Platform",)),
    Person("joao", "João Peixoto", ("agent",), ("Workplace",), zone="Europe/Lisbon"),
    Person("marta", "Marta Solís", ("agent",), ("Business applications",)),
    Person("nils", "Nils Berg", ("agent", "responder"), ("Security",), zone="Europe/Stockholm"),
    Person("carmen", "Carmen Otero", ("incident_manager",), ("Service desk",)),
    Person("paul", "Paul Keller", ("manager",)),
    Person("admin", "Alex Admin", ("admin",)),
    Person("auditor", "Uma Auditora", ("auditor",)),
    Person("maria", "Maria López", ("requester",), vip=True),
    Person("jorge", "Jorge Cano", ("requester",)),
    Person("helena", "Helena Prado", ("requester",), zone="America/Sao_Paulo"),
    Person("samir", "Samir Haddad", ("requester",)),
    Person("greta", "Greta Lindqvist", ("requester",)),
    Person("bruno", "Bruno Tavares", ("requester",)),
)
CATEGORIES = {
    "Network": ("VPN", "Wi-Fi", "DNS"),
    "Hardware": ("Laptop", "Printer", "Screen"),
    "Software": ("Office", "Browser", "ERP"),
    "Access": ("Password", "Permissions"),
    "Security": ("Phishing", "Malware"),
    "Other": (),
}
#: Name, team, condition -> paths of categories; in the order in which they are tried.
RULES: tuple[tuple[str, str, dict[str, tuple[tuple[str, ...], ...]]], ...] = (
    ("Security before all else", "Security", {"categories": (("Security",),)}),
    ("Printers and laptops", "Workplace", {"categories": (("Hardware", "Printer"), ("Hardware", "Laptop"))}),
    ("Wi-Fi and DNS", "Network", {"categories": (("Network", "Wi-Fi"), ("Network", "DNS"))}),
)
#: Service -> (owner team, criticality 1 high to 4 low).
SERVICES = {
    "Payment gateway": ("Platform", 1),
    "Web shop": ("Platform", 1),
    "ERP": ("Business applications", 2),
    "VPN": ("Network", 2),
    "Office Wi-Fi": ("Network", 3),
    "Mail": ("Workplace", 2),
    "Printing": ("Workplace", 4),
    "Identity": ("Security", 1),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Story:
    """One kind of incident: what people say, what it concerns, how bad, and how it usually ends."""

    title: str
    details: str
    service: str
    category: tuple[str, ...]
    impact: int
    urgency: int
    minutes: int
    cause: str
    fix: str


STORIES = (
    Story("VPN drops every few minutes", "It reconnects by itself, but calls break off.", "VPN", ("Network", "VPN"),
          3, 2, 190, "configuration", "Raised the keep-alive on the gateway and had the caller reconnect."),
    Story("Cannot sign in after holiday", "The password expired while I was away.", "Identity", ("Access", "Password"),
          3, 2, 12, "knowledge", "Reset the password after a call-back to the registered phone."),
    Story("Printer on floor 2 prints blank pages", "All of us on the floor, since this morning.", "Printing",
          ("Hardware", "Printer"), 2, 3, 260, "hardware", "Replaced the drum unit."),
    Story("Invoices stay in state \u201cqueued\u201d", "Nothing has left the ERP since 08:10.", "ERP",
          ("Software", "ERP"), 2, 1, 145, "software", "Restarted the output worker and corrected its memory limit."),
    Story("Wi-Fi in the meeting rooms is slow", "Video stops when more than ten people are in the room.",
          "Office Wi-Fi", ("Network", "Wi-Fi"), 2, 3, 1500, "capacity", "Added an access point and moved the band."),
    Story("Suspicious mail asks for my password", "It looks like it comes from the bank.", "Mail",
          ("Security", "Phishing"), 3, 1, 55, "vendor",
          "Blocked the sender and removed the message from 14 mailboxes."),
    Story("New colleague needs access to the finance share", "She starts on Monday.", "Identity",
          ("Access", "Permissions"), 3, 3, 900, "knowledge",
          "Granted through the finance group after the owner's approval."),
    Story("Screen flickers after the update", "Only with the docking station.", "Mail", ("Hardware", "Screen"),
          3, 3, 700, "software", "Rolled back the display driver."),
    Story("Spreadsheet crashes when I open the forecast", "Since the last update of Office.", "Mail",
          ("Software", "Office"), 3, 2, 320, "software", "Repaired the installation and disabled an old add-in."),
    Story("Laptop does not start", "The light blinks three times.", "Mail", ("Hardware", "Laptop"),
          3, 1, 420, "hardware", "Lent a spare laptop and sent the broken one for repair."),
    Story("Web shop answers slowly", "Pages take more than eight seconds.", "Web shop", ("Software", "Browser"),
          1, 2, 95, "capacity", "Raised the number of workers and cleared the slow query."),
    Story("Card payments are declined", "Customers see \u201ctry again later\u201d.", "Payment gateway", ("Other",),
          1, 1, 48, "change", "Rolled back the release of the afternoon."),
    Story("Names do not resolve in the warehouse", "Scanners show \u201chost not found\u201d.", "Office Wi-Fi",
          ("Network", "DNS"), 2, 2, 75, "configuration", "Corrected the forwarder on the branch resolver."),
    Story("Shared mailbox is empty", "It was full yesterday.", "Mail", ("Software", "Office"),
          2, 2, 110, "knowledge", "Restored the folder that had been moved by mistake."),
)  # fmt: skip
COMMENTS = (
    "Called back; it happens on the second screen too.",
    "Log shows the same message as last week.",
    "Waiting for the office to open before we restart.",
    "The caller confirms that it is better since noon.",
)
#: What monitoring says about the incident that a newcomer acknowledges first.
ALERT = {
    "title": "Payment gateway returns 502",
    "description": "Error rate above 5 % for two minutes on all nodes.",
    "status": "firing",
    "severity": "critical",
    "fingerprint": "demo-payment-gateway-502",
    "labels": {"service": "Payment gateway", "alertname": "GatewayErrors", "env": "production"},
}
