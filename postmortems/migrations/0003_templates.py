"""Ships the two templates and the rule of who owes which: P1 and P2 the full one, within five days."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from audit.actor import job
from audit.context import acting

FULL = "Full post-mortem"
LIGHT = "Light post-mortem"
RULE = "P1 and P2"

# (title, kind, required, guidance)
SECTIONS = {
    FULL: [
        ("Context", "text", True, "What the service does, for whom, and what had changed before. Facts, no names to blame."),
        ("Timeline", "timeline", True, "Filled from the trail. Add what no system saw: calls, decisions, what was tried."),
        ("Impact", "text", True, "Who could not do what, for how long; data lost, money, promises missed."),
        ("Root cause", "text", True, "Why it could happen, and what contributed. “Human error” is where to begin asking."),
        ("What worked, what did not", "text", True, "In detecting, paging, deciding, mending, telling. Where were we lucky?"),
        ("Actions", "actions", True, "What will be done, by whom, by when, and how somebody else will see that it works."),
    ],
    LIGHT: [
        ("What happened", "text", True, "Three sentences: what broke, who noticed, what helped."),
        ("Timeline", "timeline", False, "Filled from the trail."),
        ("Cause and actions", "actions", False, "Why, in a line, and what will be done so that it does not come back."),
    ],
}  # fmt: skip


def ship(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    template = apps.get_model("postmortems", "Template")
    section = apps.get_model("postmortems", "TemplateSection")
    rule = apps.get_model("postmortems", "ObligationRule")
    with acting(job("migrate")):
        for name, sections in SECTIONS.items():
            made = template.objects.create(
                name=name,
                description="" if name == FULL else "For small incidents; one person may write and publish it.",
                needs_second_person=name == FULL,
            )
            for position, (title, kind, is_required, guidance) in enumerate(sections, start=1):
                section.objects.create(
                    template=made, position=position, title=title, kind=kind, is_required=is_required, guidance=guidance
                )
        rule.objects.create(
            name=RULE, position=1, priority_at_most=2, template=template.objects.get(name=FULL), due_days=5
        )


def withdraw(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    with acting(job("migrate")):
        apps.get_model("postmortems", "ObligationRule").objects.filter(name=RULE).delete()
        apps.get_model("postmortems", "TemplateSection").objects.filter(template__name__in=SECTIONS).delete()
        apps.get_model("postmortems", "Template").objects.filter(name__in=SECTIONS).delete()


class Migration(migrations.Migration):
    dependencies = [("postmortems", "0002_history")]

    operations = [migrations.RunPython(ship, withdraw)]
