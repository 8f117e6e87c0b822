"""What full-text search reads of an incident; the index and the query have to say the same expression."""

from django.contrib.postgres.search import SearchVector

#: What full-text search reads; the index of the same expression answers it. 'simple' keeps words of all languages.
SEARCHED = SearchVector("title", "description", config="simple")
