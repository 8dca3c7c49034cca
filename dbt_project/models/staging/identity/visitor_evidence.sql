{# What says that an anonymous visitor is a known user: the profile lists it, or the visitor signed in. #}
select
    v.anonymous_id,
    u.record_id as user_record,
    'profile' as method,
    coalesce(u.created_at, u.updated_at, u.first_seen_at) as evidence_at
from {{ ref('stg_mongo__users') }} as u
cross join lateral unnest(u.anonymous_ids) as v (anonymous_id)
where v.anonymous_id is not null
union all
select
    anonymous_id,
    user_id,
    'sign_in',
    min(at)
from {{ ref('stg_mongo__engagement') }}
where kind = 'sign_in' and anonymous_id is not null and user_id is not null
group by anonymous_id, user_id
