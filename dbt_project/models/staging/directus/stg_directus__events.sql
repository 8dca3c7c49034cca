{# The line-up is what the API folded into the event, corrected by what the junction's log has told since: writing the
   junction directly does not touch the event. #}
with event as (
    select * from {{ source('raw_directus', 'events') }}
    where {{ live() }}
),

folded as (
    select
        event.record_id,
        coalesce(a.value ->> 'artists_id', a.value #>> '{}') as artist_record_id,
        a.place
    from event
    cross join lateral jsonb_array_elements(
        case jsonb_typeof(event.payload -> 'artists') when 'array' then event.payload -> 'artists' end
    ) with ordinality as a (value, place)
),

link as (
    select
        e.record_id,
        j.artist_record_id,
        bool_or(j.deleted_at is null) as is_linked,
        coalesce(bool_or(j.deleted_at > e.source_updated_at), false) as is_removed,
        -- What the event's own version cannot know yet; a link that has no clock is as old as the event.
        coalesce(bool_or(
            j.deleted_at is null
            and (j.updated_at > e.source_updated_at or jsonb_typeof(e.payload -> 'artists') is distinct from 'array')
        ), false) as is_added,
        min(j.sort) as sort,
        min(j.updated_at) as updated_at,
        max(j.changed_at) as changed_at
    from event as e
    inner join {{ ref('stg_directus__events_artists') }} as j on e.record_id = j.event_record_id
    where j.artist_record_id is not null
    group by e.record_id, j.artist_record_id
),

listed as (
    select f.record_id, f.artist_record_id, f.place, null::timestamptz as updated_at
    from folded as f
    left join link as l on f.record_id = l.record_id and f.artist_record_id = l.artist_record_id
    where f.artist_record_id is not null and (l.is_linked is null or l.is_linked or not l.is_removed)
    union all
    select record_id, artist_record_id, 1000000 + coalesce(sort, 0), updated_at
    from link
    where is_added
),

line_up as (
    select
        record_id,
        array_agg(artist_record_id order by place, updated_at, artist_record_id) as artist_record_ids
    from (
        select distinct on (record_id, artist_record_id) record_id, artist_record_id, place, updated_at
        from listed
        order by record_id, artist_record_id, place, updated_at
    ) as once
    group by record_id
),

told as (
    select record_id, max(changed_at) as changed_at
    from link
    group by record_id
)

select
    event.record_id,
    {{ text('name') }} as name,
    {{ text('description') }} as description,
    {{ text('date_start') }} as date_start,
    {{ text('date_end') }} as date_end,
    {{ text('venue') }} as venue_record_id,
    coalesce(line_up.artist_record_ids, '{}'::text[]) as artist_record_ids,
    {{ text('organizer_name') }} as organizer_name,
    {{ text('organizer_instagram') }} as organizer_instagram,
    {{ text('organizer_website') }} as organizer_website,
    {{ texts('genres') }} as genres,
    {{ text('ticket_url') }} as ticket_url,
    {{ money(amount('price_min')) }} as price_min,
    {{ money(amount('price_max')) }} as price_max,
    {{ label(text("currency")) }} as currency,
    {{ label(text("status")) }} as status,
    {{ text('source_url') }} as url,
    event.source_updated_at as updated_at,
    event.first_seen_at,
    greatest(event.changed_at, told.changed_at) as changed_at
from event
left join line_up on event.record_id = line_up.record_id
left join told on event.record_id = told.record_id
