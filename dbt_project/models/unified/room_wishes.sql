{{ config(materialized="view") }}
{#
    When events take the one room of their venue: until their end, where no end is told for an hour. Places with several
    stages (stadiums, parks, fairs) hold several events at once, and a festival of over twelve hours is not in a room.
    Where only the day is told, nobody knows when: midnight is no begin.
    `place`: who comes first where two want it: what more sources tell of, then the one that was there first.
#}
select
    e.id as event_id,
    e.venue_id,
    tstzrange(
        e.starts_at, greatest(coalesce(e.ends_at, e.starts_at + interval '1 hour'), e.starts_at + interval '1 minute')
    ) as during,
    row_number() over (partition by e.venue_id order by e.source_count desc, i.first_seen_at, e.id) as place
from {{ ref('events') }} as e
inner join {{ ref('entities') }} as i on e.id = i.id
inner join {{ ref('entities') }} as v on e.venue_id = v.id
where e.starts_at is not null and e.status = 'scheduled' and not e.is_draft
    and coalesce(e.ends_at, e.starts_at) - e.starts_at between interval '0' and interval '12 hours'
    and exists (
        select from {{ source('identity', 'event_times') }} as t
        where e.id = t.entity_id and e.starts_at = t.starts_at and t.has_time
    )
    and coalesce(v.metadata ->> 'category', '')
    !~* (
        'stadium|arena|park|fair|festival|convention|cultural_cent|museum|mall|shopping|university|garden|beach|plaza'
        || '|outdoor'
    )
