{#
    What says that an anonymous visitor is a known user: the profile lists it, or the visitor signed in. Of the sign-ins
    those at which the user changed, and all of one instant: the others say nothing new.
#}
with signed_in as (
    select anonymous_id, user_id, at, max(changed_at) as changed_at
    from {{ ref('stg_mongo__engagement') }}
    where kind = 'sign_in' and anonymous_id is not null and user_id is not null and at is not null
    group by anonymous_id, user_id, at
),

in_order as (
    select
        *,
        lag(user_id) over (partition by anonymous_id order by at, user_id) as previous,
        count(*) over (partition by anonymous_id, at) as at_once
    from signed_in
)

select
    v.anonymous_id,
    u.record_id as user_record,
    'profile' as method,
    coalesce(u.created_at, u.updated_at, u.first_seen_at) as evidence_at,
    u.changed_at
from {{ ref('stg_mongo__users') }} as u
cross join lateral unnest(u.anonymous_ids) as v (anonymous_id)
where v.anonymous_id is not null
union all
select
    anonymous_id,
    user_id,
    'sign_in',
    at,
    changed_at
from in_order
where previous is distinct from user_id or at_once > 1
