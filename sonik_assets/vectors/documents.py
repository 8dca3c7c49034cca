"""What is searchable: one query a table that turns rows of `unified.*` into documents with a text each.

The words that a document consists of are decided here and nowhere else. Short texts are meant: every token
costs the same to embed, and the names that people search for should weigh most.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Table:
    """A LanceDB table: `sql` gives id, kind, name, text, city, local_date, genres, updated_at."""

    name: str
    sql: str
    reads: tuple[str, ...]
    """The relations of `unified` that the query reads."""
    purpose: str


ENTITIES = """
select e.id::text as id, e.entity_type as kind, e.name,
       concat_ws('. ', e.name, words.type, e.metadata->>'category',
                 nullif(concat_ws(', ', e.metadata->>'city', e.metadata->>'country'), ''),
                 array_to_string(tags.genres, ', '), left(e.metadata->>'bio', 300)) as text,
       e.metadata->>'city' as city, null::date as local_date, tags.genres, e.updated_at
from unified.entities e
join (values ('person', 'person, persona'), ('venue', 'venue, lugar'), ('artist', 'artist, artista'),
             ('organization', 'organizer, productora'), ('brand', 'brand, marca')) as words(kind, type)
     on words.kind = e.entity_type
cross join lateral (
    select case when jsonb_typeof(e.metadata->'genres') = 'array'
                then array(select jsonb_array_elements_text(e.metadata->'genres')) end as genres) as tags
"""

EVENTS = """
select e.id::text as id, 'event' as kind, e.name,
       concat_ws('. ', e.name, l.names, v.name, coalesce(e.city, v.city), array_to_string(e.genres, ', '),
                 to_char(e.local_date, 'YYYY-MM-DD'), left(e.description, 300)) as text,
       coalesce(e.city, v.city) as city, e.local_date, e.genres, e.updated_at
from unified.events e
left join unified.venues v on v.id = e.venue_id
left join (select x.event_id, string_agg(a.name, ', ' order by a.name, a.id) as names
           from unified.event_artists x join unified.artists a on a.id = x.artist_id group by x.event_id) as l
       on l.event_id = e.id
"""

CONTENT = """
select id::text as id, coalesce(type, 'content') as kind, title as name,
       concat_ws('. ', title, city, left(body, 1200)) as text,
       city, null::date as local_date, null::text[] as genres, published_at as updated_at
from unified.content
"""

CONCEPTS = """
select id::text as id, 'concept' as kind, name, concat_ws('. ', name, domain) as text,
       null::text as city, null::date as local_date, null::text[] as genres, null::timestamptz as updated_at
from unified.concepts
"""

TABLES = {
    table.name: table
    for table in (
        Table("entities", ENTITIES, ("entities",), "Persons, venues, organizers, artists, brands by meaning."),
        Table(
            "events",
            EVENTS,
            ("events", "event_artists", "artists", "venues"),
            "Events by meaning, line-up, venue, city, genre and date.",
        ),
        Table("content", CONTENT, ("content",), "Articles and other content by meaning."),
        Table("concepts", CONCEPTS, ("concepts",), "Concepts of the business by meaning."),
    )
}

HASHED = """
select d.*,
       encode(sha256(convert_to($1 || chr(10) || d.text, 'UTF8')), 'hex') as text_hash,
       encode(sha256(convert_to(jsonb_build_array($1, d.*)::text, 'UTF8')), 'hex') as row_hash
from ({documents}) as d
where d.text <> ''
"""


def desired(postgres_url: str, table: Table, model: str) -> "pl.DataFrame":
    """Return the documents as they should be, with `text_hash` (model and text) and `row_hash` (all)."""
    import polars as pl
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(postgres_url) as connection, connection.cursor() as cursor:
        cursor.execute(HASHED.format(documents=table.sql), parameters=[model])
        frame = pl.DataFrame(pl.from_arrow(cursor.fetch_arrow_table()))
    return frame.with_columns(
        model=pl.lit(model),
        city_key=folded(pl.col("city")),
        genre_keys=pl.col("genres").cast(pl.List(pl.String)).list.eval(folded(pl.element())),
    )


def folded(text: "pl.Expr") -> "pl.Expr":
    """Return the text without accents, case and outer spaces: how a filter compares cities and genres."""
    return text.str.normalize("NFKD").str.replace_all(r"\p{M}", "").str.to_lowercase().str.strip_chars()
