{{ config(
    unique_key="subject_id",
    indexes=[{"columns": ["organizer_id"]}, {"columns": ["scope", "k_factor desc nulls last"]}],
) }}
{#
    How things spread: one row an event and a piece of content that anybody shared or brought somebody to, and one for
    the platform. K = invitations a user sends * those who come and act for each invitation.
#}
with sharers as (
    select s.subject_id, {{ visitor("i") }} as visitor_id, count(*) as shares
    from {{ ref('interactions') }} as i
    cross join lateral (values ({{ platform() }}), (i.event_id), (i.content_id)) as s (subject_id)
    where i.kind = 'share' and s.subject_id is not null
    group by s.subject_id, visitor_id
),

readers as (
    select i.content_id, {{ visitor("i") }} as visitor_id
    from {{ ref('interactions') }} as i
    where i.content_id is not null
    group by i.content_id, visitor_id
),

everybody as (
    select {{ visitor("i") }} as visitor_id
    from {{ ref('interactions') }} as i
    group by visitor_id
),

-- Summed, not joined: the planner takes what is not in a table for a single row, and joins ten thousand by loops.
measures (subject_id, users, shares, sharers, referred, acted, trees, largest_tree, depth) as (
    select {{ platform() }}, count(visitor_id), 0, 0, 0, 0, 0, 0, 0 from everybody
    union all
    select event_id, visitors, 0, 0, 0, 0, 0, 0, 0 from {{ ref('event_traffic') }}
    union all
    select content_id, count(visitor_id), 0, 0, 0, 0, 0, 0, 0 from readers
    group by content_id
    union all
    select subject_id, 0, sum(shares), count(visitor_id), 0, 0, 0, 0, 0 from sharers
    group by subject_id
    union all
    select subject_id, 0, 0, 0, count(*), count(*) filter (where acted), 0, 0, 0 from {{ ref('referrals') }}
    group by subject_id
    union all
    select
        subject_id, 0, 0, 0, 0, 0,
        count(*) filter (where referred > 0), coalesce(max(reached) filter (where reached > 0) + 1, 0), max(generations)
    from {{ ref('spreaders') }}
    where brought_by is null
    group by subject_id
),

subjects as (
    select
        subject_id,
        {% for measure in ["users", "shares", "sharers", "referred", "acted", "trees", "largest_tree", "depth"] -%}
            sum({{ measure }})::bigint as {{ measure }}{{ "," if not loop.last }}
        {% endfor %}
    from measures
    group by subject_id
    having subject_id = {{ platform() }} or sum(shares) + sum(referred) > 0
),

top_spreaders as (
    select subject_id, array_agg(person_id order by place) as top_spreaders
    from (
        select
            subject_id,
            person_id,
            row_number() over (
                partition by subject_id order by reached desc, shares desc, person_id
            ) as place
        from {{ ref('spreaders') }}
    ) as placed
    where place <= 10
    group by subject_id
)

select
    s.subject_id,
    case
        when s.subject_id = {{ platform() }} then 'platform' when e.id is not null then 'event' else 'content'
    end as scope,
    e.id as event_id,
    c.id as content_id,
    e.organizer_id,
    coalesce(e.name, c.title, 'Sonik') as name,
    s.users,
    s.shares,
    s.sharers,
    s.referred,
    s.acted,
    {{ rounded("s.shares / nullif(s.users, 0)::float8", 6) }} as invitations_per_user,
    {{ rounded("s.acted / nullif(s.shares, 0)::float8", 6) }} as acted_per_invitation,
    {{ rounded("s.acted / nullif(s.users, 0)::float8", 6) }} as k_factor,
    s.trees,
    s.largest_tree,
    s.depth,
    coalesce(p.top_spreaders, '{}'::uuid[]) as top_spreaders
from subjects as s
left join {{ ref('events') }} as e on s.subject_id = e.id
left join {{ ref('content') }} as c on s.subject_id = c.id
left join top_spreaders as p on s.subject_id = p.subject_id
