{{ config(materialized="view") }}
{# Code, features, flags and concepts. A module implements a feature that names it or a package above it. #}
with modules as (
    select m.id, m.path, m.importance, s.imports, s.changed_at
    from {{ ref('code_modules') }} as m
    inner join {{ ref('stg_sonik__code_modules') }} as s on m.path = s.path
),

depends as (
    select
        'CodeModule' as from_label, m.id as from_id, 'DEPENDS_ON' as type, 'CodeModule' as to_label,
        d.id as to_id, d.importance as weight, m.changed_at as at, 'code' as source, 1.0::float8 as confidence,
        jsonb_build_object('importance', d.importance) as properties
    from modules as m
    cross join lateral unnest(m.imports) as i (imported)
    inner join modules as d on i.imported = d.path
),

implements as (
    select
        'CodeModule', m.id, 'IMPLEMENTS', 'Feature', f.id, 1.0::float8, max(s.updated_at), 'directus', 1.0::float8,
        '{}'::jsonb
    from {{ ref('stg_directus__features') }} as s
    inner join {{ ref('features') }} as f on f.id = {{ row_id('directus', 'features', 's.record_id') }}
    cross join lateral unnest(s.modules) as named (module)
    inner join modules as m on m.path = named.module or m.path like named.module || '.%'
    group by m.id, f.id
),

-- engagement names a feature by its name or by its id
feature_keys as (
    select name as key, id as feature_id from {{ ref('features') }}
    union
    select s.record_id, f.id
    from {{ ref('stg_directus__features') }} as s
    inner join {{ ref('features') }} as f on f.id = {{ row_id('directus', 'features', 's.record_id') }}
),

uses as (
    select k.feature_id, i.kind, i.person_id, i.at, {{ safe("i.properties ->> 'score'", 'float8') }} as score
    from {{ ref('interactions') }} as i
    inner join feature_keys as k on i.properties ->> 'feature' = k.key
    where i.kind in ('feature_use', 'feedback')
),

users as (
    select feature_id, person_id, min(at) as since, max(at) as at
    from uses
    where kind = 'feature_use' and person_id is not null
    group by feature_id, person_id
),

-- weight: the share of a currency's revenue that people paid once they had used the feature
revenue as (
    select
        'Feature', u.feature_id, 'IMPACTS', 'Revenue', r.id,
        greatest(0.0, least(1.0, sum(p.amount)::float8 / nullif(r.amount, 0))), max(u.at), 'engagement', 0.5::float8,
        jsonb_build_object('users', count(distinct u.person_id), 'amount', sum(p.amount))
    from users as u
    inner join {{ ref('purchases') }} as p on u.person_id = p.person_id and p.at >= u.since
    inner join {{ ref('revenues') }} as r on p.currency = r.currency
    where {{ is_paid('p.status') }} and p.amount is not null
    group by u.feature_id, r.id, r.amount
),

feedback as (
    select
        feature_id, at,
        case when score > 0.2 then 'positive' when score < -0.2 then 'negative' else 'neutral' end as mood
    from uses
    where kind = 'feedback' and score is not null
),

-- weight: the share of the feature's feedback that falls into the mood
sentiment as (
    select
        'Feature', f.feature_id, 'IMPACTS', 'Sentiment', s.id,
        count(*)::float8 / sum(count(*)) over (partition by f.feature_id), max(f.at), 'engagement', 1.0::float8,
        jsonb_build_object('answers', count(*))
    from feedback as f
    inner join {{ ref('sentiments') }} as s on f.mood = s.name
    group by f.feature_id, s.id
),

enables as (
    select
        'FeatureFlag', flag.id, 'ENABLES', 'Feature', flag.feature_id,
        least(1.0, greatest(0.0, coalesce(flag.rollout_percentage, 100) / 100)), s.updated_at, 'directus',
        1.0::float8, jsonb_build_object('enabled', flag.enabled)
    from {{ ref('feature_flags') }} as flag
    inner join {{ ref('stg_directus__feature_flags') }} as s
        on flag.id = {{ row_id('directus', 'feature_flags', 's.record_id') }}
    where flag.feature_id is not null
),

relates as (
    select
        'Concept', a.id, 'RELATES_TO', 'Concept', b.id, 1.0::float8, max(s.updated_at), 'directus', 1.0::float8,
        '{}'::jsonb
    from {{ ref('stg_directus__concepts') }} as s
    inner join {{ ref('concepts') }} as a on a.id = {{ row_id('directus', 'concepts', 's.record_id') }}
    cross join lateral unnest(s.related) as r (record_id)
    inner join {{ ref('concepts') }} as b on b.id = {{ row_id('directus', 'concepts', 'r.record_id') }}
    where a.id <> b.id
    group by a.id, b.id
),

edges as (
    select * from depends
    union all
    select * from implements
    union all
    select * from revenue
    union all
    select * from sentiment
    union all
    select * from enables
    union all
    select * from relates
)

select
    from_label, from_id, type, to_label, to_id, '' as discriminator, coalesce(weight, 0.0) as weight,
    coalesce(at, '1970-01-01Z'::timestamptz) as at, source, confidence, properties
from edges
