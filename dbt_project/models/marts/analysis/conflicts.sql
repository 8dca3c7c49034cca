{{ config(unique_key=["entity_id", "attribute"]) }}
{#
    Attributes on which records of one entity contradict each other, with the value that survives. Only what records say
    of themselves, not in passing; only attributes of which one value can be right (a description may be longer); nothing
    that somebody has edited: that is settled. What counts as the same: docs/survivorship.md.
#}
with records as (
    select m.entity_id, r.source, r.table_name, r.record_id, r.trust, r.updated_at, r.said
    from {{ source('identity', 'entity_map') }} as m
    inner join {{ ref('source_records') }} as r
        on m.source = r.source and m.table_name = r.table_name and m.record_id = r.record_id
    where r.trust < 4
),

several as (
    select entity_id
    from records
    group by entity_id
    having count(*) > 1
),

told as (
    select r.entity_id, r.source, r.table_name, r.record_id, r.trust, r.updated_at, a.attribute, a.value
    from records as r
    inner join several as s on r.entity_id = s.entity_id
    left join {{ source('identity', 'event_times') }} as t
        on r.source = t.source and r.table_name = t.table_name and r.record_id = t.record_id
    cross join lateral jsonb_each(
        case when t.starts_at is null then r.said
            else r.said || jsonb_strip_nulls(jsonb_build_object(
                'starts_at', case when t.has_time then t.starts_at end, 'ends_at', t.ends_at
            )) end
    ) as a (attribute, value)
    where a.attribute not in (
        'price_min', 'price_max', 'status', 'venue_record',
        {{ attribute_names("newest") }}, {{ attribute_names("fullest") }}
    )
),

-- Most records say the same in the same letters: no need to look closer.
differing as (
    select entity_id, attribute
    from told
    group by entity_id, attribute
    having min(value::text collate "C") <> max(value::text collate "C")
    except
    select m.entity_id, e.attribute
    from {{ source('ops', 'edits') }} as e
    inner join {{ source('identity', 'entity_map') }} as m
        on
            split_part(e.entity_ref, '/', 1) = m.source and split_part(e.entity_ref, '/', 2) = m.table_name
            and regexp_replace(e.entity_ref, '^[^/]*/[^/]*/', '') = m.record_id
    where
        e.value is not null
        and not exists (
            select from {{ source('ops', 'edits') }} as later
            where e.entity_ref = later.entity_ref and e.attribute = later.attribute and e.seq < later.seq
        )
),

written as (
    select t.*, t.value #>> '{}' as written
    from told as t
    inner join differing as d on t.entity_id = d.entity_id and t.attribute = d.attribute
),

compared as (
    select
        t.*,
        case
            when t.attribute in ('website', 'ticket_url')
                then substring(lower(t.written), '^(?:[a-z]+://)?(?:(?:www|m)\.)?([^/?#:]+)')
            when t.attribute = 'instagram'
                then substring(lower(t.written), '([a-z0-9_.]*[a-z0-9_])[./]*(?:[?#].*)?$')
            when t.attribute = 'phone' then right(nullif(regexp_replace(t.written, '[^0-9]+', '', 'g'), ''), 8)
            when t.attribute = 'address' and t.written ~ '[0-9]'
                then btrim(regexp_replace(t.written, '[^0-9]+', ' ', 'g'))
            when t.attribute = 'country' then coalesce({{ country_code("t.written") }}, {{ words("t.written") }})
            when t.attribute in ('coordinates', 'capacity', 'starts_at', 'ends_at') then t.written
            else {{ words("t.written") }}
        end as meant
    from written as t
),

kept as (
    select distinct on (entity_id, attribute) *
    from compared
    order by entity_id, attribute, {{ survival_order() }}
),

contradicting as (
    select
        k.entity_id, k.attribute, o.value, o.source, o.table_name, o.record_id, o.meant,
        row_number() over (
            partition by k.entity_id, k.attribute order by o.trust, o.updated_at desc nulls last, o.source, o.record_id
        ) as place
    from kept as k
    inner join compared as o on k.entity_id = o.entity_id and k.attribute = o.attribute and k.meant <> o.meant
    where case k.attribute
        -- metres; a degree of longitude shrinks with the cosine of the latitude
        when 'coordinates' then 111195 * sqrt(
            ((k.value ->> 'latitude')::float8 - (o.value ->> 'latitude')::float8) ^ 2
            + (
                cosd((k.value ->> 'latitude')::float8)
                * (180 - abs(180 - abs((k.value ->> 'longitude')::float8 - (o.value ->> 'longitude')::float8)))
            ) ^ 2
        ) > 200
        when 'capacity' then abs(k.written::numeric - o.written::numeric) > 0.1 * k.written::numeric
        when 'starts_at' then abs(extract(epoch from k.written::timestamptz - o.written::timestamptz)) > 3600
        when 'ends_at' then abs(extract(epoch from k.written::timestamptz - o.written::timestamptz)) > 3600
        else true
    end
)

select
    k.entity_id,
    k.attribute,
    e.entity_type,
    e.name,
    k.value as kept,
    k.source as kept_source,
    concat_ws('/', k.source, k.table_name, k.record_id) as kept_record,
    jsonb_agg(
        jsonb_build_object(
            'value', c.value, 'source', c.source, 'record', concat_ws('/', c.source, c.table_name, c.record_id)
        ) order by c.place
    ) filter (where c.place <= 20) as others,
    count(*)::int as other_records,
    count(distinct c.meant)::int as other_values
from kept as k
inner join contradicting as c on k.entity_id = c.entity_id and k.attribute = c.attribute
inner join {{ ref('entities') }} as e on k.entity_id = e.id
group by k.entity_id, k.attribute, e.entity_type, e.name, k.value, k.source, k.table_name, k.record_id
