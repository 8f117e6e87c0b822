"""What search reads of an incident: columns that the database fills itself, in the words of four configurations.

`words` is made of title, description and resolution; `said` and `noted` of public comments and of internal notes, added
by a trigger on comments. They are no fields of the model: no page needs them, and each would be read with every row.
"""

from __future__ import annotations

import re
from functools import reduce
from operator import or_
from typing import Any

from django.contrib.postgres.search import SearchQuery, SearchVectorExact, SearchVectorField
from django.db import models

SearchVectorField.register_lookup(SearchVectorExact)

#: Stems of three languages, and words as they are; all without accents. See the migration that makes them.
CONFIGURATIONS = ("desk_simple", "desk_english", "desk_spanish", "desk_portuguese")
#: Of a longer text the rest is not searched: a vector may not grow past a megabyte.
SEARCHED_CHARACTERS = 20_000
#: A trigram says nothing about shorter words.
SHORTEST_TYPO, MOST_TYPOS = 4, 5
#: So many words of a title are compared with other incidents.
MOST_WORDS = 12


class Words(models.Expression):
    """One of the incident's columns for search."""

    def __init__(self, column: str) -> None:
        super().__init__(output_field=SearchVectorField())
        self.column = column
        self.beside: Any = models.F("pk")

    def get_source_expressions(self) -> list[Any]:
        return [self.beside]

    def set_source_expressions(self, exprs: Any) -> None:
        (self.beside,) = exprs

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        return f"{compiler.quote_name_unless_alias(self.beside.alias)}.{connection.ops.quote_name(self.column)}", []


def asked(text: str) -> Any:
    """What was typed, as a query in any of the languages: "quoted words", `or` and `-without` as in web search."""
    return reduce(or_, (SearchQuery(text, config=one, search_type="websearch") for one in CONFIGURATIONS))


def any_of(text: str) -> Any:
    """A query that one of the longer words of a text fulfils; None where it has none."""
    found = list(dict.fromkeys(re.findall(r"\w{3,}", text.lower())))[:MOST_WORDS]
    return asked(" or ".join(f'"{word}"' for word in found)) if found else None


def typed(text: str) -> list[str]:
    """The words in which a typo can be forgiven."""
    return [word for word in text.split() if len(word) >= SHORTEST_TYPO][:MOST_TYPOS]
