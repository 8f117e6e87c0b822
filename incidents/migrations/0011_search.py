"""Search in three languages, without accents, over texts, resolutions and comments.

Pure SQL, because none of it is a field of a model: configurations, one function, three columns that the database fills,
their indexes, and the trigger that adds what is said to its incident.
"""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.operations import UnaccentExtension
from django.db import migrations

LANGUAGES = ("simple", "english", "spanish", "portuguese")

# Names are qualified, because a restored dump fills the column with an empty search path.
FUNCTION = """
create function {schema}.incidents_words(given text) returns tsvector language sql immutable parallel safe as $words$
  select to_tsvector('{schema}.desk_simple', t) || to_tsvector('{schema}.desk_english', t)
      || to_tsvector('{schema}.desk_spanish', t) || to_tsvector('{schema}.desk_portuguese', t)
  from (select left(given, 20000)) x(t)
$words$
"""
COLUMNS = """
alter table incidents_incident
  add column words tsvector generated always as
    ({schema}.incidents_words(title || ' ' || description || ' ' || resolution_notes)) stored,
  add column said tsvector,
  add column noted tsvector;
create index incidents_words on incidents_incident using gin (words);
create index incidents_said on incidents_incident using gin (said) where said is not null;
create index incidents_noted on incidents_incident using gin (noted) where noted is not null;
"""
# What no longer fits is not searched: a long talk must never be the reason why a comment is refused.
TRIGGER = """
create function {schema}.incidents_hear() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $hear$
begin
  if new.is_public then
    update {schema}.incidents_incident
    set said = coalesce(said, ''::tsvector) || {schema}.incidents_words(new.body) where id = new.incident_id;
  else
    update {schema}.incidents_incident
    set noted = coalesce(noted, ''::tsvector) || {schema}.incidents_words(new.body) where id = new.incident_id;
  end if;
  return null;
exception when program_limit_exceeded then
  return null;
end
$hear$;
create trigger incidents_heard after insert on incidents_comment for each row execute function {schema}.incidents_hear();
"""
KNOWN = """
update incidents_incident i set said = x.said, noted = x.noted
from (
  select incident_id,
    {schema}.incidents_words(string_agg(body, ' ' order by id) filter (where is_public)) as said,
    {schema}.incidents_words(string_agg(body, ' ' order by id) filter (where not is_public)) as noted
  from incidents_comment group by incident_id
) x where x.incident_id = i.id
"""
GONE = """
drop trigger incidents_heard on incidents_comment;
drop function incidents_hear();
alter table incidents_incident drop column words, drop column said, drop column noted;
drop function incidents_words(text);
"""


def make(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("select quote_ident(current_schema())")
        (schema,) = cursor.fetchone()
        for name in LANGUAGES:
            stem = "simple" if name == "simple" else f"{name}_stem"
            cursor.execute(f"create text search configuration desk_{name} (copy = {name})")
            cursor.execute(
                f"alter text search configuration desk_{name} "
                "alter mapping for numword, numhword, hword_numpart with unaccent, simple"
            )
            cursor.execute(
                f"alter text search configuration desk_{name} "
                f"alter mapping for hword, hword_part, word, asciihword, asciiword, hword_asciipart with unaccent, {stem}"
            )
        for statement in (FUNCTION, COLUMNS, TRIGGER, KNOWN):
            cursor.execute(statement.replace("{schema}", schema))


def unmake(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(GONE)
        for name in LANGUAGES:
            cursor.execute(f"drop text search configuration desk_{name}")


class Migration(migrations.Migration):
    dependencies = [("incidents", "0010_merging_history")]
    operations = [
        UnaccentExtension(),
        migrations.RemoveIndex(model_name="incident", name="incidents_words"),
        migrations.RunPython(make, unmake),
    ]
