{{ config(
    unique_key=["subject_id", "person_id"],
    indexes=[{"columns": ["subject_id", "reached desc", "shares desc"]}, {"columns": ["organizer_id"]}],
) }}
{#
    Everybody who shared something or brought somebody to it. `reached` counts the whole tree below a person, up to 32
    generations: `referrals` has no rings, but nothing bounds its branches.
#}
with recursive reach (subject_id, person_id, visitor_id, acted, generation) as (
    select subject_id, referrer_id, visitor_id, acted, 1
    from {{ ref('referrals') }}
    union all
    select r.subject_id, up.referrer_id, r.visitor_id, r.acted, r.generation + 1
    from reach as r
    inner join {{ ref('referrals') }} as up on r.subject_id = up.subject_id and r.person_id = up.visitor_id
    where r.generation < 32
),

reached as (
    select
        subject_id,
        person_id,
        count(*) filter (where generation = 1) as referred,
        count(*) filter (where generation = 1 and acted) as acted,
        count(*) as reached,
        max(generation) as generations
    from reach
    group by subject_id, person_id
),

shared as (
    select s.subject_id, i.person_id, count(*) as shares
    from {{ ref('interactions') }} as i
    cross join lateral (values ({{ platform() }}), (i.event_id), (i.content_id)) as s (subject_id)
    where i.kind = 'share' and i.person_id is not null and s.subject_id is not null
    group by s.subject_id, i.person_id
),

spread as (
    select
        coalesce(r.subject_id, s.subject_id) as subject_id,
        coalesce(r.person_id, s.person_id) as person_id,
        coalesce(s.shares, 0) as shares,
        coalesce(r.referred, 0) as referred,
        coalesce(r.acted, 0) as acted,
        coalesce(r.reached, 0) as reached,
        coalesce(r.generations, 0) as generations
    from reached as r
    full join shared as s on r.subject_id = s.subject_id and r.person_id = s.person_id
)

select
    s.subject_id,
    s.person_id,
    case
        when s.subject_id = {{ platform() }} then 'platform'
        when e.id is not null then 'event'
        else 'content'
    end as scope,
    e.id as event_id,
    e.organizer_id,
    s.shares,
    s.referred,
    s.acted,
    s.reached,
    s.generations,
    brought.referrer_id as brought_by
from spread as s
left join {{ ref('events') }} as e on s.subject_id = e.id
left join {{ ref('referrals') }} as brought on s.subject_id = brought.subject_id and s.person_id = brought.visitor_id
