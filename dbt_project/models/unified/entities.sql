{{ config(
    unique_key="id",
    meta={"guard_empty": true, "scope": "entities_scope", "not_ours": ["claim_status", "claimed_by"]},
    pre_hook="{{ find_changed_entities() }}",
    post_hook=[
        "{{ remember_entities() }}",
        "select ops.guard_entities()",
        {"sql": "select ops.settle_claims()", "transaction": false},
    ],
) }}
{#
    The one truth: a row a live entity. `metadata` has what survived of its attributes and, under `provenance`, which
    record each value is from and when that said it. What an event is made of is in unified.events; here is where it is
    from. Claims write their two columns themselves (ops.settle_claims).
#}
with survived as (
    select distinct on (entity_id, attribute)
        entity_id, attribute, value,
        jsonb_build_object(
            'source', case trust when 0 then 'edit' else source end,
            'record', concat_ws('/', source, table_name, record_id), 'at', updated_at
        ) as provenance
    from {{ of_scope(ref("told_attributes"), "entities_scope") }} as told
    where
        -- Which entity a venue is, and the key made of it, can change without any record of the event.
        not (entity_type = 'event' and attribute in ('venue', 'organizer', 'event_key'))
    order by entity_id, attribute, {{ survival_order() }}
),

described as (
    select
        entity_id,
        max(value #>> '{}') filter (where attribute = 'name') as name,
        jsonb_object_agg(attribute, value) filter (where attribute not in ('name', 'coordinates')) as attributes,
        jsonb_object_agg(attribute, provenance) as provenance,
        (array_agg(value) filter (where attribute = 'coordinates'))[1] as coordinates
    from survived
    group by entity_id
),

records as (
    select m.entity_id, count(*) as records, max(r.updated_at) as updated_at
    from {{ source('identity', 'entity_map') }} as m
    inner join {{ ref('source_records') }} as r
        on m.source = r.source and m.table_name = r.table_name and m.record_id = r.record_id
    where m.entity_id in (select id from entities_scope)
    group by m.entity_id
)

select
    e.entity_id as id,
    e.entity_type,
    coalesce(d.name, e.canonical_id) as name,
    e.canonical_scheme,
    e.canonical_id,
    'unclaimed' as claim_status,
    null::uuid as claimed_by,
    case
        when e.entity_type = 'event' then '{}'::jsonb
        else coalesce(d.attributes, '{}') || coalesce(d.coordinates, '{}')
    end
        || jsonb_build_object('records', r.records, 'provenance', coalesce(d.provenance, '{}')) as metadata,
    e.first_seen_at,
    coalesce(r.updated_at, e.first_seen_at) as updated_at
from {{ source('identity', 'entities') }} as e
inner join records as r on e.entity_id = r.entity_id
left join described as d on e.entity_id = d.entity_id
