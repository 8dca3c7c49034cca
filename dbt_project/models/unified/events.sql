{{ config(
    unique_key="id",
    meta={"guard_empty": true},
    post_hook=[
        "{{ constrain('events_pkey', 'primary key (id)') }}",
        "{{ constrain('events_event_key', 'unique (event_key) deferrable initially deferred') }}",
    ],
) }}
{# One row an event, merged from every record that describes it: the CMS before the scrapers, then the newer. #}
with live as materialized (  -- once: the view behind it is large, and the planner cannot count it
    select * from {{ ref('live_map') }}
),

records as (
    select
        'directus' as source, 'events' as table_name, record_id, 1 as trust, name, description, genres,
        ticket_url, price_min, price_max, currency, status, updated_at, 'events.organizer' as organizer_table
    from {{ ref('stg_directus__events') }}
    union all
    select
        'scraper', 'event_listings', record_id, 2, name, description, genres,
        ticket_url, price, price, currency, null, updated_at, 'event_listings.organizer'
    from {{ ref('stg_scraper__event_listings') }}
),

placed as (
    select
        t.entity_id, r.*, t.starts_at, t.ends_at, t.local_date, t.event_key,
        venue.entity_id as venue_id,
        organizer.entity_id as organizer_id,
        first_value(r.currency) over (
            partition by t.entity_id
            order by r.currency is null, r.trust, r.updated_at desc nulls last, r.record_id
        ) as kept_currency
    from {{ source('identity', 'event_times') }} as t
    inner join records as r
        on t.source = r.source and t.table_name = r.table_name and t.record_id = r.record_id
    inner join {{ ref('event_mentions') }} as m
        on t.source = m.source and t.table_name = m.table_name and t.record_id = m.record_id
    left join live as venue
        on
            m.venue_source = venue.source and m.venue_table = venue.table_name
            and m.venue_record_id = venue.record_id
    left join live as organizer
        on r.source = organizer.source and r.organizer_table = organizer.table_name
            and r.record_id = organizer.record_id
),

merged as (
    select
        entity_id,
        {% for column in ["name", "description", "event_key", "venue_id", "organizer_id", "starts_at", "local_date",
                          "ends_at", "status", "ticket_url", "currency"] %}
            (array_agg({{ column }} order by trust, updated_at desc nulls last, record_id)
                filter (where {{ column }} is not null))[1] as {{ column }},
        {% endfor %}
        -- only of records in the currency that survives, or that name none: two currencies do not compare
        min(price_min) filter (where coalesce(currency, kept_currency) is not distinct from kept_currency) as price_min,
        max(price_max) filter (where coalesce(currency, kept_currency) is not distinct from kept_currency) as price_max,
        bool_and(coalesce(status = 'draft', false)) as is_draft,
        count(distinct source) as source_count,
        max(updated_at) as updated_at
    from placed
    group by entity_id
),

genres as (
    select
        p.entity_id,
        array_agg(distinct lower(g.genre)) as genres
    from placed as p
    cross join lateral unnest(p.genres) as g (genre)
    group by p.entity_id
)

select
    e.id,
    m.event_key,
    m.name,
    m.description,
    venue.id as venue_id,
    organizer.id as organizer_id,
    m.starts_at,
    m.local_date,
    m.ends_at,
    case
        when m.is_draft then 'draft'
        when m.status in ('cancelled', 'moved') then m.status
        else 'scheduled'
    end as status,
    coalesce(g.genres, '{}'::text[]) as genres,
    m.ticket_url,
    m.price_min,
    m.price_max,
    m.currency,
    m.source_count,
    venue.metadata ->> 'city' as city,
    m.updated_at
from {{ ref('entities') }} as e
inner join merged as m on e.id = m.entity_id
left join genres as g on e.id = g.entity_id
left join {{ ref('entities') }} as venue on m.venue_id = venue.id
left join {{ ref('entities') }} as organizer on m.organizer_id = organizer.id
where e.entity_type = 'event'
