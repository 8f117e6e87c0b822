"""The desk's settings with the floor's routes added: what is measured is otherwise the product as it is served."""

from servicedesk.settings import *  # noqa: F403

ROOT_URLCONF = "bench.floor"
