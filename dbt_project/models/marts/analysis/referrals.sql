{{ config(
    unique_key=["subject_id", "visitor_id"],
    indexes=[{"columns": ["subject_id", "referrer_id"]}, {"columns": ["organizer_id"]}],
) }}
{#
    Who was brought by whom: to an event, to a piece of content, and to the platform as a whole. The first to bring
    somebody counts. Who has brought others before is not brought any more: that makes trees of what else could be
    rings, since along each branch the times only grow.
#}
with invitations as (
    select
        s.scope,
        s.subject_id,
        {{ visitor("i") }} as visitor_id,
        i.person_id,
        i.event_id,
        i.content_id,
        i.referrer_id,
        i.channel,
        i.at,
        i.id
    from {{ ref('interactions') }} as i
    cross join lateral (
        values ('platform', {{ platform() }}), ('event', i.event_id), ('content', i.content_id)
    ) as s (scope, subject_id)
    where i.referrer_id is not null
        and s.subject_id is not null
        and (i.person_id is not null or i.anonymous_id is not null)
        and i.person_id is distinct from i.referrer_id
),

given as (
    select distinct on (subject_id, referrer_id) subject_id, referrer_id, at, id
    from invitations
    order by subject_id, referrer_id, at, id
),

taken as (
    select distinct on (subject_id, visitor_id) *
    from invitations
    order by subject_id, visitor_id, at, id
),

acts as (
    select {{ visitor("i") }} as visitor_id, i.event_id, i.content_id, i.at
    from {{ ref('interactions') }} as i
    where {{ is_act("i.kind") }}
    union all
    select person_id, event_id, null, at
    from {{ ref('purchases') }}
    where person_id is not null and {{ is_paid('status') }}
),

last_acts as (
    select a.visitor_id, s.subject_id, max(a.at) as at
    from acts as a
    cross join lateral (values ({{ platform() }}), (a.event_id), (a.content_id)) as s (subject_id)
    where a.visitor_id in (select t.visitor_id from taken as t) and s.subject_id is not null
    group by a.visitor_id, s.subject_id
)

select
    t.subject_id,
    t.visitor_id,
    t.scope,
    case when t.scope = 'event' then t.event_id end as event_id,
    case when t.scope = 'content' then t.content_id end as content_id,
    e.organizer_id,
    t.person_id,
    t.referrer_id,
    t.channel,
    t.at,
    coalesce(l.at >= t.at, false) as acted
from taken as t
left join given as g on t.subject_id = g.subject_id and t.visitor_id = g.referrer_id
left join last_acts as l on t.subject_id = l.subject_id and t.visitor_id = l.visitor_id
left join {{ ref('events') }} as e on t.scope = 'event' and t.subject_id = e.id
where g.id is null or (t.at, t.id) < (g.at, g.id)
