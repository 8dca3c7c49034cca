{{ config(
    unique_key=["content_id", "entity_id"],
    indexes=[{"columns": ["entity_id"]}],
    meta={"scope": "mentions_scope", "scope_key": "content_id"},
    pre_hook="{{ find_changed_mentions() }}",
    post_hook="{{ remember_mentions() }}",
) }}
{#
    Which entities an article mentions: by the id of a record in its text or address, or by name. Names are compared as
    words without accents; of two that begin at one word the longer counts. A name of one word must be the whole name of
    something in the article's city. A name that several of a kind have is of the one in the article's city, or nobody's:
    a wrong link is worse than none. Every article is read, or none where no article, name or id is another than before.
#}
with articles as (
    select
        id, {{ words("city") }} as city, {{ words("concat_ws(' . ', title, body)") }} as told,
        concat_ws(' ', url, body) as written
    from {{ ref('content') }}
    {% if is_incremental() %}where id in (select content_id from mentions_scope){% endif %}
),

spoken as (
    select
        a.id, a.city, w.position,
        array[
            w.word,
            w.word || ' ' || lead(w.word) over next_words,
            w.word || ' ' || lead(w.word) over next_words || ' ' || lead(w.word, 2) over next_words,
            w.word || ' ' || lead(w.word) over next_words || ' ' || lead(w.word, 2) over next_words || ' '
            || lead(w.word, 3) over next_words,
            w.word || ' ' || lead(w.word) over next_words || ' ' || lead(w.word, 2) over next_words || ' '
            || lead(w.word, 3) over next_words || ' ' || lead(w.word, 4) over next_words
        ] as phrases
    from articles as a
    cross join lateral string_to_table(a.told, ' ') with ordinality as w (word, position)
    window next_words as (partition by a.id order by w.position)
),

phrases as (
    select s.id, s.city, s.position, p.phrase, p.length
    from spoken as s
    cross join lateral unnest(s.phrases) with ordinality as p (phrase, length)
    where p.phrase is not null
),

names as (
    select
        e.id as entity_id, e.entity_type, {{ words("e.name") }} as name, {{ words("e.metadata ->> 'city'") }} as city
    from {{ ref('entities') }} as e
    where
        e.entity_type in ('venue', 'artist', 'organization', 'brand') and length({{ words("e.name") }}) > 3
        and exists (select from articles)
),

found as (
    select
        p.id, p.position, p.length, n.entity_id, n.entity_type, coalesce(n.city = p.city, false) as is_here,
        count(*) over same_name as namesakes,
        count(*) filter (where n.city = p.city) over same_name as namesakes_here,
        max(p.length) over (partition by p.id, p.position) as longest
    from phrases as p
    inner join names as n on p.phrase = n.name
    window same_name as (partition by p.id, p.position, p.phrase, n.entity_type)
),

named as (
    select f.id, f.entity_id, count(*) as times
    from found as f
    where f.length = f.longest
        and (f.length > 1 or f.is_here)
        and (f.namesakes = 1 or (f.is_here and f.namesakes_here = 1))
        and not exists (
            select from found as around
            where around.id = f.id and around.position < f.position
                and around.position + around.length >= f.position + f.length
        )
    group by f.id, f.entity_id
),

by_id as (
    select a.id, m.entity_id, count(*) as times
    from articles as a
    cross join lateral regexp_matches(
        a.written, '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}', 'g'
    ) as ids (id)
    inner join {{ source('identity', 'entity_map') }} as m
        on
            m.source = 'directus' and m.table_name in ('venues', 'artists', 'events', 'brands')
            and ids.id[1] = m.record_id
    inner join {{ ref('entities') }} as e on m.entity_id = e.id
    group by a.id, m.entity_id
)

select
    coalesce(i.id, n.id) as content_id,
    coalesce(i.entity_id, n.entity_id) as entity_id,
    case when i.id is null then 'name' else 'id' end as how,
    (coalesce(i.times, 0) + coalesce(n.times, 0))::int as times
from by_id as i
full join named as n on i.id = n.id and i.entity_id = n.entity_id
