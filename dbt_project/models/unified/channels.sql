{{ config(unique_key="id") }}
{# Every channel that engagement or a campaign names. #}
with named as (
    select channel as platform from {{ ref('interactions') }}
    where channel is not null
    group by channel
    union
    select channel from {{ ref('campaigns') }}
    where channel is not null
)

select
    {{ row_id('sonik', 'channels', 'platform') }} as id,
    platform as name,
    case when platform in ('organic', 'direct', 'search') then 'organic'
        when platform = 'paid' or platform like '%ads%' then 'paid' else 'social' end as type,
    platform
from named
