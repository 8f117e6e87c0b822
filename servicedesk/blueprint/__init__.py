"""The desk's settings as one YAML file: written, compared, and taken over as a whole or not at all."""

from servicedesk.blueprint.apply import Change, Outcome, export, import_settings
from servicedesk.blueprint.text import UnreadableBlueprint

__all__ = ["Change", "Outcome", "UnreadableBlueprint", "export", "import_settings"]
