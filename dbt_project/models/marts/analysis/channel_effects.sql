{{ config(unique_key="channel") }}
{#
    How much each channel does for sales, by the Markov chain of all journeys: those of `touchpoints`, and as lost ones
    those of every person and browser that never paid. Only the order of channels counts, so pauses do not matter.
    Beyond the 50 busiest, channels are one state: a feed that makes up names must not make the chain grow.
#}
with won as (
    select
        channel,
        lead(channel) over journey as next_channel,
        row_number() over journey = 1 as is_first
    from {{ ref('touchpoints') }}
    where touchpoints > 0
    window journey as (partition by purchase_id order by position)
),

touches as (
    select {{ visitor("i") }} as visitor_id, {{ touch_channel("i", "c") }} as channel, i.at, i.id
    from {{ ref('interactions') }} as i
    left join {{ ref('campaigns') }} as c on i.campaign_id = c.id
    where {{ is_touch("i.kind") }}
        and (i.person_id is not null or i.anonymous_id is not null)
        and not exists (
            select from {{ ref('purchases') }} as p
            where i.person_id = p.person_id and {{ is_paid("p.status") }}
        )
),

lost as (
    select
        channel,
        lead(channel) over journey as next_channel,
        row_number() over journey = 1 as is_first
    from touches
    window journey as (partition by visitor_id order by at, id)
),

steps as materialized (
    select channel, next_channel, true as is_won, count(*) as times, count(*) filter (where is_first) as starts
    from won
    group by channel, next_channel
    union all
    select channel, next_channel, false, count(*), count(*) filter (where is_first)
    from lost
    group by channel, next_channel
),

channels as (
    select
        channel,
        coalesce(sum(times) filter (where is_won), 0) as won_touches,
        coalesce(sum(times) filter (where not is_won), 0) as lost_touches,
        least(row_number() over (order by sum(times) desc, channel), 51)::int as state
    from steps
    group by channel
),

numbered as (
    select
        c.state as from_state, coalesce(n.state, case when s.is_won then -1 else -2 end) as to_state, s.times, s.starts
    from steps as s
    inner join channels as c on s.channel = c.channel
    left join channels as n on s.next_channel = n.channel
),

transitions as materialized (
    select from_state, to_state, sum(times) as times
    from numbered
    where from_state <> to_state
    group by from_state, to_state
    union all
    select 0, from_state, sum(starts)
    from numbered
    group by from_state
    having sum(starts) > 0
),

effects as (
    {{ removal_effects("transitions") }}
)

select
    c.channel,
    c.won_touches::bigint as won_touches,
    c.lost_touches::bigint as lost_touches,
    {{ rounded("e.removal_effect", 12) }} as removal_effect
from channels as c
inner join effects as e on c.state = e.state
