"""django-helpdesk as its documentation sets it up, on PostgreSQL; run by the Python of its own virtual environment.

python bench/peer_site.py 10000     migrates, fills, and prints how to ask it as one line of JSON
granian bench.peer_site:application serves it
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import django
from django.conf import settings

APPS = ("admin", "auth", "contenttypes", "humanize", "messages", "sessions", "sites", "staticfiles")
MIDDLEWARE = (
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
)
CONTEXT = ("template.context_processors.request", "contrib.auth.context_processors.auth",
           "contrib.messages.context_processors.messages")  # fmt: skip
FILL = """
insert into helpdesk_ticket (title, queue_id, created, modified, submitter_email, status, on_hold, description,
    priority, secret_key)
select initcap(split_part(w.body, ' ', 1 + g %% 40)) || ' ' || g, %(queue)s, now() - g * interval '7 seconds',
    now() - g * interval '7 seconds', 'requester' || g %% 100 || '@bench.example',
    case when g %% 5 = 0 then 1 else 4 end, false, w.body, 2, 'secret'
from generate_series(1, %(count)s) g join bench_text w on w.n = g %% 2000
"""

if not settings.configured:
    name, _, rest = os.environ.get("PEER_DATABASE", "postgresql:///peer").removeprefix("postgresql:///").partition("?")
    options = dict(part.split("=", 1) for part in rest.split("&") if part)
    settings.configure(
        SECRET_KEY="bench",  # nosec B106: a server for a minute on loopback
        ALLOWED_HOSTS=["*"],
        INSTALLED_APPS=[*(f"django.contrib.{app}" for app in APPS), "rest_framework", "helpdesk"],
        MIDDLEWARE=list(MIDDLEWARE),
        ROOT_URLCONF="bench.peer_site",
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql", "NAME": name, "HOST": options.get("host", ""),
                "USER": options.get("user", ""), "CONN_MAX_AGE": 600,
            }
        },
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {"context_processors": [f"django.{one}" for one in CONTEXT]},
            }
        ],
        SITE_ID=1,
        HELPDESK_TEAMS_MODE_ENABLED=False,
        HELPDESK_API_ENABLED=True,
        USE_TZ=True,
        STATIC_URL="/static/",
        MEDIA_ROOT=os.environ.get("PEER_MEDIA", "/nonexistent"),
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        EMAIL_BACKEND="django.core.mail.backends.dummy.EmailBackend",
    )  # fmt: skip
    django.setup()


def _urls() -> list[Any]:
    urls = importlib.import_module("django.urls")
    return [urls.path("helpdesk/", urls.include("helpdesk.urls"))]


def _application() -> Any:
    return importlib.import_module("django.core.wsgi").get_wsgi_application()


urlpatterns = _urls()
application = _application()


def prepare(count: int) -> dict[str, Any]:
    """Migrates, adds a queue, a member of staff who is signed in, and so many tickets."""
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from django.db import connection
    from django.test import Client

    call_command("migrate", verbosity=0)
    models: Any = importlib.import_module("helpdesk.models")
    queue = models.Queue.objects.create(title="Desk", slug="desk")
    users: Any = get_user_model().objects
    user = users.create_superuser("agent", "agent@bench.example", "agent")
    random = importlib.import_module("random").Random(7)
    known: list[str] = json.loads(os.environ["PEER_WORDS"])
    shares = [1 / (place + 1) for place in range(len(known))]
    with connection.cursor() as cursor:
        cursor.execute("create table bench_text (n int primary key, body text)")
        rows = [(number, " ".join(random.choices(known, shares, k=80))) for number in range(2000)]
        cursor.executemany("insert into bench_text values (%s, %s)", rows)
        cursor.execute(FILL, {"queue": queue.pk, "count": count})
        cursor.execute("vacuum analyze")
    client = Client()
    client.force_login(user)
    page = client.get("/helpdesk/tickets/submit/", follow=True)
    token = page.cookies["csrftoken"].value if "csrftoken" in page.cookies else "x" * 32
    return {"queue": queue.pk, "session": client.cookies["sessionid"].value, "token": token}


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    print(json.dumps(prepare(int(sys.argv[1]))))
