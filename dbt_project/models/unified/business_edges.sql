{{ config(materialized="view") }}
{# Who owns, manages, performs, hosts, promotes and works where: facts, so weight 1. #}
with emails as (
    select distinct i.value as email, m.entity_id as person_id
    from {{ source('identity', 'identifiers') }} as i
    inner join {{ source('identity', 'entity_map') }} as m
        on i.source = m.source and i.table_name = m.table_name and i.record_id = m.record_id
    inner join {{ ref('entities') }} as e on m.entity_id = e.id
    where i.scheme = 'email' and m.entity_type = 'person' and i.valid_to is null and not i.weak
),

managed as (
    select 'venues' as table_name, record_id, lower(manager_email) as email, updated_at
    from {{ ref('stg_directus__venues') }}
    union all
    select 'artists', record_id, lower(manager_email), updated_at
    from {{ ref('stg_directus__artists') }}
),

owns as (
    select
        'Person' as from_label, c.claimed_by as from_id, 'OWNS' as type, initcap(e.entity_type) as to_label,
        e.id as to_id, c.at as at, 'claims' as source, 1.0::float8 as confidence,
        jsonb_build_object('method', c.method) as properties
    from {{ ref('claim_states') }} as c
    inner join {{ ref('entities') }} as e on c.entity_id = e.id
    inner join {{ ref('entities') }} as owner on c.claimed_by = owner.id
    where c.claim_status = 'claimed' and e.entity_type in ('venue', 'organization', 'brand')
),

manages as (
    select
        'Person', p.person_id, 'MANAGES', initcap(e.entity_type),
        e.id, max(m.updated_at), 'directus', 0.9::float8, '{}'::jsonb
    from managed as m
    inner join emails as p on m.email = p.email
    inner join {{ source('identity', 'entity_map') }} as em
        on em.source = 'directus' and m.table_name = em.table_name and m.record_id = em.record_id
    inner join {{ ref('entities') }} as e on em.entity_id = e.id
    group by p.person_id, e.id, e.entity_type
),

performs as (
    select
        'Artist', ea.artist_id, 'PERFORMS_AT', 'Event', ea.event_id, e.starts_at, 'events', 1.0::float8,
        jsonb_build_object('local_date', e.local_date)
    from {{ ref('event_artists') }} as ea
    inner join {{ ref('events') }} as e on ea.event_id = e.id
),

hosted as (
    select
        'Event', id, 'HOSTED_BY', 'Venue', venue_id, starts_at, 'events', 1.0::float8,
        jsonb_build_object('local_date', local_date)
    from {{ ref('events') }}
),

promoted as (
    select
        'Event', id, 'PROMOTED_BY', 'Organization', organizer_id, starts_at, 'events', 1.0::float8,
        jsonb_build_object('local_date', local_date)
    from {{ ref('events') }}
),

works as (
    select
        'Person', pm.entity_id, 'WORKS_FOR', 'Organization', cm.entity_id, max(p.updated_at), 'twenty', 1.0::float8,
        jsonb_build_object('job_title', max(p.job_title))
    from {{ ref('stg_twenty__people') }} as p
    inner join {{ source('identity', 'entity_map') }} as pm
        on pm.source = 'twenty' and pm.table_name = 'people' and p.record_id = pm.record_id
    inner join {{ source('identity', 'entity_map') }} as cm
        on cm.source = 'twenty' and cm.table_name = 'companies' and p.company_id = cm.record_id
    inner join {{ ref('entities') }} as person on pm.entity_id = person.id
    inner join {{ ref('entities') }} as company on cm.entity_id = company.id
    group by pm.entity_id, cm.entity_id
),

facts as (
    select * from owns
    union all
    select * from manages
    union all
    select * from performs
    union all
    select * from hosted
    union all
    select * from promoted
    union all
    select * from works
)

select
    from_label, from_id, type, to_label, to_id, '' as discriminator, 1.0::float8 as weight,
    coalesce(at, '1970-01-01Z'::timestamptz) as at, source, confidence, properties
from facts
