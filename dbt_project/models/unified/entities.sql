{{ config(
    unique_key="id",
    meta={"guard_empty": true},
    post_hook=[
        "{{ constrain('entities_pkey', 'primary key (id)') }}",
        "{{ constrain('entities_canonical_key', 'unique (entity_type, canonical_scheme, canonical_id) deferrable initially deferred') }}",
    ],
) }}
{#
    Survivorship: for each attribute the first value present, by trust in the source (own users and the CMS, then
    the CRM, then scrapers, then what other records say in passing), then the newer record.
#}
with mentions as (
    select
        map.entity_id,
        m.*,
        case
            when m.embedded then 4
            when m.source in ('directus', 'mongo') then 1
            when m.source = 'twenty' then 2
            else 3
        end as trust
    from {{ source('identity', 'entity_map') }} as map
    inner join {{ ref('mentions') }} as m
        on map.source = m.source and map.table_name = m.table_name and map.record_id = m.record_id
),

things as (
    select
        entity_id,
        {% for attribute in ["name", "address", "city", "country", "latitude", "longitude", "website", "instagram",
                             "phone"] %}
            (array_agg({{ attribute }} order by trust, updated_at desc nulls last, record_id)
                filter (where {{ attribute }} is not null))[1] as {{ attribute }},
        {% endfor %}
        max(updated_at) as updated_at,
        count(*) as records
    from mentions
    group by entity_id
),

attributes as (
    select
        entity_id,
        -- jsonb_object_agg keeps the last value of a key, so the most trusted comes last
        jsonb_object_agg(key, value order by trust desc, updated_at asc nulls first, record_id) as attributes
    from (
        select m.entity_id, m.trust, m.updated_at, m.record_id, a.key, a.value
        from mentions as m
        cross join lateral jsonb_each(m.attributes) as a
        where a.value <> 'null'::jsonb
    ) as each_attribute
    group by entity_id
),

events as (
    select
        t.entity_id,
        (array_agg(m.name order by m.source, m.updated_at desc nulls last, m.record_id)
            filter (where m.name is not null))[1] as name,
        max(m.updated_at) as updated_at,
        count(*) as records
    from {{ source('identity', 'event_times') }} as t
    inner join {{ ref('event_mentions') }} as m
        on t.source = m.source and t.table_name = m.table_name and t.record_id = m.record_id
    group by t.entity_id
),

described as (
    select
        t.entity_id,
        t.name,
        t.updated_at,
        jsonb_strip_nulls(jsonb_build_object(
            'address', t.address, 'city', t.city, 'country', t.country, 'latitude', t.latitude,
            'longitude', t.longitude, 'website', t.website, 'instagram', t.instagram, 'phone', t.phone,
            'records', t.records
        )) || coalesce(a.attributes, '{}'::jsonb) as metadata
    from things as t
    left join attributes as a on t.entity_id = a.entity_id
    union all
    select entity_id, name, updated_at, jsonb_build_object('records', records)
    from events
)

select
    e.entity_id as id,
    e.entity_type,
    coalesce(d.name, e.canonical_id) as name,
    e.canonical_scheme,
    e.canonical_id,
    coalesce(c.claim_status, 'unclaimed') as claim_status,
    c.claimed_by,
    d.metadata,
    e.first_seen_at,
    coalesce(d.updated_at, e.first_seen_at) as updated_at
from {{ source('identity', 'entities') }} as e
inner join described as d on e.entity_id = d.entity_id
left join {{ ref('claim_states') }} as c on e.entity_id = c.entity_id
