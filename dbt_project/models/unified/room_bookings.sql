{{ config(unique_key="event_id") }}
{# Which event has the room of its venue, and when: one at a time, which the table itself enforces (WITHOUT OVERLAPS).
   Events that another one keeps out are in `double_bookings`. #}
with wishes as materialized (  -- once: its pattern is read for every event
    select * from {{ ref('room_wishes') }}
)

select w.event_id, w.venue_id, ops.uuid_range(w.venue_id, w.venue_id, '[]') as room, w.during
from wishes as w
where not exists (
    select from wishes as earlier
    where w.venue_id = earlier.venue_id and w.during && earlier.during and earlier.place < w.place
)
