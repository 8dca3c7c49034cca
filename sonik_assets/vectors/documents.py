"""What is searchable: one query a table that turns rows of `unified.*` into documents with a text each.

The words that a document consists of are decided here and nowhere else. Short texts are meant: every token
costs the same to embed, and the names that people search for should weigh most.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl
    import psycopg

PAGE = 20_000
"""Documents that are looked at together: some 50 MB with their vectors."""
MOST_WORDS = 20_000
"""Of a text: what comes behind them is not searched."""
PASSAGE_WORDS, OVERLAP_WORDS = 120, 24
"""Of a long text: about what the default model reads (256 tokens). What a passage cuts in two, the next has whole."""


@dataclass(frozen=True)
class Table:
    """A LanceDB table: `sql` gives id, document_id, kind, name, text, city, local_date, genres, updated_at.

    Of which rows of the relation `base` is put in place of `{base}`.
    """

    name: str
    base: str
    sql: str
    purpose: str
    others: Mapping[str, str] = field(default_factory=dict)
    """By further relation of `unified` that a text consists of: which documents its rows `%(ids)s` are in."""

    @property
    def reads(self) -> tuple[str, ...]:
        """The relations of `unified` that the query reads."""
        return (self.base, *self.others)

    def rules(self, model: str) -> str:
        """Return a hash of all that texts and vectors follow from beside the rows: another one means all anew."""
        return hashlib.sha256(f"{VERSION}{model}{HASHED}{self.sql}".encode()).hexdigest()[:16]


VERSION = 1
"""Raised when what this module does to the rows of the queries changes."""

ENTITIES = """
select e.id::text as id, e.id::text as document_id, e.entity_type as kind, e.name,
       concat_ws('. ', e.name, words.type, e.metadata->>'category',
                 nullif(concat_ws(', ', e.metadata->>'city', e.metadata->>'country'), ''),
                 array_to_string(tags.genres, ', '), left(e.metadata->>'bio', 300)) as text,
       e.metadata->>'city' as city, null::date as local_date, tags.genres, e.updated_at
from {base} as e
join (values ('person', 'person, persona'), ('venue', 'venue, lugar'), ('artist', 'artist, artista'),
             ('organization', 'organizer, productora'), ('brand', 'brand, marca')) as words(kind, type)
     on words.kind = e.entity_type
cross join lateral (
    select case when jsonb_typeof(e.metadata->'genres') = 'array'
                then array(select jsonb_array_elements_text(e.metadata->'genres')) end as genres) as tags
"""

EVENTS = """
select e.id::text as id, e.id::text as document_id, 'event' as kind, e.name,
       concat_ws('. ', e.name, l.names, v.name, coalesce(e.city, v.metadata->>'city'), array_to_string(e.genres, ', '),
                 to_char(d.local_date, 'YYYY-MM-DD'), left(e.description, 300)) as text,
       coalesce(e.city, v.metadata->>'city') as city, d.local_date, e.genres, e.updated_at
from {base} as e
left join unified.entities v on v.id = e.venue_id
left join lateral (
    select string_agg(a.name, ', ' order by a.name, a.id) as names
    from unified.event_artists x join unified.entities a on a.id = x.artist_id where x.event_id = e.id) as l on true
cross join lateral (  -- a day that no calendar has is none: programs that read it could not hold it
    select case when e.local_date between '0001-01-01' and '9999-12-31' then e.local_date end as local_date) as d
"""

# Where a text begins with its title, a passage in its midst does, too: it is found by what the whole is about.
CONTENT = f"""
select concat(c.id, '#', p.start / {PASSAGE_WORDS - OVERLAP_WORDS}) as id, c.id::text as document_id,
       coalesce(c.type, 'content') as kind, c.title as name,
       concat_ws('. ', c.title, c.city,
                 nullif(array_to_string(w.words[p.start + 1:p.start + {PASSAGE_WORDS}], ' '), '')) as text,
       c.city, null::date as local_date, null::text[] as genres, c.published_at as updated_at
from {{base}} as c
cross join lateral (
    select (regexp_split_to_array(btrim(coalesce(c.body, ''), E' \\n\\r\\t'), '\\s+'))[:{MOST_WORDS}] as words
    offset 0) as w -- else the body is split once a passage
cross join lateral generate_series(
    0, greatest(cardinality(w.words) - {OVERLAP_WORDS} - 1, 0), {PASSAGE_WORDS - OVERLAP_WORDS}) as p(start)
"""

CONCEPTS = """
select c.id::text as id, c.id::text as document_id, 'concept' as kind, c.name,
       concat_ws('. ', c.name, c.domain) as text,
       null::text as city, null::date as local_date, null::text[] as genres, null::timestamptz as updated_at
from {base} as c
"""

TABLES = {
    table.name: table
    for table in (
        Table("entities", "entities", ENTITIES, "Persons, venues, organizers, artists, brands by meaning."),
        Table(
            "events",
            "events",
            EVENTS,
            "Events by meaning, line-up, venue, city, genre and date.",
            {
                "event_artists": "select unnest(%(ids)s::uuid[])",  # its key begins with the event
                "entities": "select id from unified.events where venue_id = any(%(ids)s::uuid[])"
                " union select event_id from unified.event_artists where artist_id = any(%(ids)s::uuid[])",
            },
        ),
        Table("content", "content", CONTENT, "Articles and other content by meaning, in passages."),
        Table("concepts", "concepts", CONCEPTS, "Concepts of the business by meaning."),
    )
}

SHOWN = ("id", "document_id", "kind", "name", "text", "city", "city_key", "local_date", "genre_keys")
"""What a search reads of its candidates, and the words of name and text: once more in the column `shown`, as one JSON
object, since every column that is read of some rows takes half a millisecond."""

# Times as numbers: as texts they would follow the session's time zone.
HASHED = """
select d.*,
       encode(sha256(convert_to($1 || chr(10) || d.text, 'UTF8')), 'hex') as text_hash,
       encode(sha256(convert_to(jsonb_build_array($1, d.id, d.document_id, d.kind, d.name, d.text, d.city, d.local_date,
           d.genres, extract(epoch from d.updated_at))::text, 'UTF8')), 'hex') as row_hash
from ({documents}) as d
where d.text <> ''
"""


@dataclass(frozen=True)
class Page:
    """The documents after `first` up to and with `last`, by document id; an open end is None."""

    first: str | None
    last: str | None

    def holds(self, column: str) -> str:
        """Return the condition that a column is in the page; both ends are ids of ours, which need no quoting."""
        ends = [self.first and f"{column} > '{self.first}'", self.last and f"{column} <= '{self.last}'"]
        return " and ".join(end for end in ends if end) or f"{column} is not null"


def pages(pg: "psycopg.Connection[Any]", table: Table, size: int = PAGE) -> list[Page]:
    """Return pages of about `size` documents that together hold every id there is and may come."""
    numbered = f"select id, row_number() over (order by id) as n from unified.{table.base}"
    query = f"select id::text from ({numbered}) as t where mod(n, %s) = 0 order by id"
    ends = [row[0] for row in pg.execute(query, [size])]
    return [Page(first, last) for first, last in zip([None, *ends], [*ends, None], strict=True)]


def of_page(postgres_url: str, table: Table, model: str, page: Page) -> "pl.DataFrame":
    """Return the documents of a page as they should be, with `text_hash` (model and text) and `row_hash` (all)."""
    return _documents(postgres_url, table, model, f"(select * from unified.{table.base} where {page.holds('id')})")


def of_ids(postgres_url: str, table: Table, model: str, ids: Collection[str]) -> "pl.DataFrame":
    """Return the documents with these ids that there are."""
    # An array literal, not a parameter: ADBC binds rows of parameters, and uuids are checked by the cast.
    chosen = f"(select * from unified.{table.base} where id = any('{{{','.join(sorted(ids))}}}'::uuid[]))"
    return _documents(postgres_url, table, model, chosen)


def affected(pg: "psycopg.Connection[Any]", table: Table, keys: Mapping[str, Collection[str]]) -> set[str]:
    """Return the ids of the documents that changed rows are in, by relation and key; they may be gone."""
    found = set(keys.get(table.base, ()))
    for relation, sql in table.others.items():
        if ids := list(keys.get(relation, ())):
            found |= {str(row[0]) for row in pg.execute(sql, {"ids": ids})}
    return found


def _documents(postgres_url: str, table: Table, model: str, base: str) -> "pl.DataFrame":
    import polars as pl
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(postgres_url) as connection, connection.cursor() as cursor:
        cursor.execute(HASHED.format(documents=table.sql.format(base=base)), parameters=[model])
        frame = pl.DataFrame(pl.from_arrow(cursor.fetch_arrow_table()))
    documents = frame.with_columns(
        model=pl.lit(model),
        text_folded=folded(pl.col("text")),
        city_key=folded(pl.col("city")),
        genre_keys=pl.col("genres").cast(pl.List(pl.String)).list.eval(folded(pl.element())),
    )
    return documents.with_columns(shown=shown())


def shown() -> "pl.Expr":
    """Return what a search reads of a row, as JSON.

    A day is `2026-05-01`; `name_words` and each of `parts`, which the text falls into at its marks, are words with a
    blank between them.
    """
    import polars as pl

    marked = pl.col("text_folded").str.replace_all("\n", " ").str.replace_all(r"[.,;:]\s", "\n").str.split("\n")
    parts = marked.list.eval(words(pl.element())).list.eval(pl.element().filter(pl.element() != ""))
    plain = words(folded(pl.col("name")))
    return pl.struct(*SHOWN, plain.alias("name_words"), parts.alias("parts")).struct.json_encode()


def words(folded: "pl.Expr") -> "pl.Expr":
    """Return the words of a folded text, a blank between them: runs of letters and digits."""
    return folded.str.replace_all(r"[^\p{L}\p{N}]+", " ").str.strip_chars()


def folded(text: "pl.Expr") -> "pl.Expr":
    """Return the text without accents, case and outer spaces: how a filter compares cities and genres."""
    return text.str.normalize("NFKD").str.replace_all(r"\p{M}", "").str.to_lowercase().str.strip_chars()
