{{ config(
    unique_key="id",
    meta={"guard_empty": true, "scope": "events_scope"},
    indexes=[{"columns": ["venue_id", "local_date"]}, {"columns": ["organizer_id"]}],
    pre_hook="{{ find_changed_events() }}",
    post_hook="{{ remember_events() }}",
) }}
{#
    One row an event, merged from every record that describes it. What a record says of one attribute survives as in
    unified.entities; prices and genres are of all records together, unless somebody has edited them: only then are they
    among what records told.
#}
with survived as (
    select distinct on (entity_id, attribute) entity_id, attribute, value #>> '{}' as value
    from {{ of_scope(ref("told_attributes"), "events_scope") }} as told
    where entity_type = 'event' and attribute in (
        'name', 'description', 'ticket_url', 'currency', 'status', 'event_key', 'starts_at', 'local_date', 'ends_at',
        'venue', 'organizer', 'genres', 'price_min', 'price_max', 'city'
    )
    order by entity_id, attribute, {{ survival_order() }}
),

merged as (
    select
        entity_id,
        {% for column in ["name", "description", "ticket_url", "currency", "status", "event_key", "starts_at",
                          "local_date", "ends_at", "venue", "organizer", "genres", "price_min", "price_max", "city"] %}
            max(value) filter (where attribute = '{{ column }}') as {{ column }}{{ "," if not loop.last }}
        {% endfor %}
    from survived
    group by entity_id
),

records as materialized (
    select * from {{ of_scope(ref("event_records"), "events_scope") }} as described
),

priced as (
    select
        entity_id, source, updated_at, said ->> 'currency' as currency, said ->> 'status' as status,
        (said ->> 'price_min')::numeric as price_min, (said ->> 'price_max')::numeric as price_max
    from records
),

together as (
    select
        r.entity_id,
        -- only of records in the currency that survives, or that name none: two currencies do not compare
        min(r.price_min) filter (where coalesce(r.currency, m.currency) is not distinct from m.currency) as price_min,
        max(r.price_max) filter (where coalesce(r.currency, m.currency) is not distinct from m.currency) as price_max,
        bool_and(coalesce(r.status = 'draft', false)) as is_draft,
        count(distinct r.source) as source_count,
        max(r.updated_at) as updated_at
    from priced as r
    left join merged as m on r.entity_id = m.entity_id
    group by r.entity_id
),

genres as (
    select r.entity_id, array_agg(distinct lower(btrim(g.genre))) as genres
    from records as r
    cross join lateral jsonb_array_elements_text(r.said -> 'genres') as g (genre)
    where btrim(g.genre) <> ''
    group by r.entity_id
)

select
    e.id,
    m.event_key,
    m.name,
    m.description,
    venue.id as venue_id,
    organizer.id as organizer_id,
    m.starts_at::timestamptz as starts_at,
    m.local_date::date as local_date,
    m.ends_at::timestamptz as ends_at,
    case when m.status in ('cancelled', 'moved') then m.status else 'scheduled' end as status,
    t.is_draft,
    case
        when m.genres is null then coalesce(g.genres, '{}'::text[])
        else array(
            select distinct lower(btrim(own.genre)) as genre
            from jsonb_array_elements_text(m.genres::jsonb) as own (genre)
            order by genre
        )
    end as genres,
    m.ticket_url,
    {{ attributed_link("m.ticket_url") }} as ticket_link,
    coalesce(m.price_min::numeric, t.price_min) as price_min,
    coalesce(m.price_max::numeric, t.price_max) as price_max,
    m.currency,
    t.source_count::int as source_count,
    coalesce(venue.metadata ->> 'city', m.city) as city,
    t.updated_at
from {{ ref('entities') }} as e
left join merged as m on e.id = m.entity_id
inner join together as t on e.id = t.entity_id
left join genres as g on e.id = g.entity_id
left join {{ ref('entities') }} as venue on m.venue = venue.id::text
left join {{ ref('entities') }} as organizer on m.organizer = organizer.id::text
where e.entity_type = 'event'
    {% if is_incremental() %}and e.id in (select id from events_scope){% endif %}
