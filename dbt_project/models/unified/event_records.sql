{{ config(materialized="view") }}
{# Every record that describes a live event, with the night that identity gave it and who it says is involved. #}
select
    t.entity_id,
    r.source,
    r.table_name,
    r.record_id,
    r.trust,
    r.updated_at,
    r.said,
    t.event_key,
    t.starts_at,
    t.ends_at,
    t.local_date,
    venue.entity_id as venue_id,
    organizer.entity_id as organizer_id
from {{ source('identity', 'event_times') }} as t
inner join {{ ref('source_records') }} as r
    on t.source = r.source and t.table_name = r.table_name and t.record_id = r.record_id
left join {{ ref('live_map') }} as venue
    on
        t.source = venue.source
        and case t.source when 'directus' then 'venues' else 'event_listings.venue' end = venue.table_name
        and case t.source when 'directus' then r.said ->> 'venue_record' else t.record_id end = venue.record_id
left join {{ ref('live_map') }} as organizer
    on t.source = organizer.source and t.table_name || '.organizer' = organizer.table_name
        and t.record_id = organizer.record_id
