{{ config(materialized="view") }}
{# Events for which the room is taken: twice the same event, a wrong time, or a venue with more rooms than we know. #}
with wishes as materialized (  -- once: its pattern is read for every event
    select * from {{ ref('room_wishes') }}
)

select w.event_id, earlier.event_id as other_event_id, w.venue_id, w.during * earlier.during as during
from wishes as w
inner join wishes as earlier
    on w.venue_id = earlier.venue_id and w.during && earlier.during and earlier.place < w.place
