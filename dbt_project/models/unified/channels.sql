{{ config(unique_key="id", post_hook=["{{ constrain('channels_pkey', 'primary key (id)') }}"]) }}
{# Every channel that engagement or a campaign names. #}
with named as (
    select lower(channel) as platform from {{ ref('stg_mongo__engagement') }}
    where channel is not null
    union
    select lower(channel) from {{ ref('stg_directus__campaigns') }}
    where channel is not null
)

select
    {{ row_id('sonik', 'channels', 'platform') }} as id,
    platform as name,
    case when platform in ('organic', 'direct', 'search') then 'organic'
        when platform = 'paid' or platform like '%ads%' then 'paid' else 'social' end as type,
    platform
from named
