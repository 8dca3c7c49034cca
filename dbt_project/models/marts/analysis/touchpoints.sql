{{ config(unique_key=["purchase_id", "position"], indexes=[{"columns": ["organizer_id"]}]) }}
{#
    The way to each paid purchase: visits of the buyer in the look-back before it that concern the event bought, or no
    event at all (an article, an invitation). What the buyer did before signing in is the buyer's. A visit is what came
    over one channel without a pause; its campaign is the first that it names. A purchase that nothing led to has one
    row at position 0, channel `direct`.
#}
with sales as (
    select
        p.id as purchase_id, p.person_id, p.event_id, e.organizer_id, p.at as purchased_at,
        coalesce(p.amount, 0) as amount, p.currency
    from {{ ref('purchases') }} as p
    left join {{ ref('events') }} as e on p.event_id = e.id
    where {{ is_paid('p.status') }}
        -- What led to an older one is not kept any more: it would look as if nothing had.
        and p.at >= {{ kept_since() }} + interval '{{ var("attribution_lookback_days") }} days'
),

touches as (
    select s.purchase_id, i.id, i.at, i.campaign_id, {{ touch_channel("i", "c") }} as channel
    from sales as s
    inner join {{ ref('interactions') }} as i
        on
            s.person_id = i.person_id
            and i.at <= s.purchased_at
            and i.at > s.purchased_at - interval '{{ var("attribution_lookback_days") }} days'
            and (i.event_id = s.event_id or coalesce(i.event_id::text, i.event_key) is null)
    left join {{ ref('campaigns') }} as c on i.campaign_id = c.id
    where {{ is_touch("i.kind") }}
),

begun as (
    select
        *,
        not coalesce(
            channel = lag(channel) over earlier
            and at <= lag(at) over earlier + interval '{{ var("visit_minutes") }} minutes',
            false
        ) as begins
    from touches
    window earlier as (partition by purchase_id order by at, id)
),

numbered as (
    select *, count(*) filter (where begins) over (partition by purchase_id order by at, id) as position
    from begun
),

visits as (
    select
        purchase_id,
        position,
        min(channel) as channel,
        (array_agg(campaign_id order by at, id) filter (where campaign_id is not null))[1] as campaign_id,
        min(at) as at,
        count(*) over (partition by purchase_id) as touchpoints
    from numbered
    group by purchase_id, position
)

select
    s.purchase_id,
    coalesce(v.position, 0)::int as position,
    coalesce(v.touchpoints, 0)::int as touchpoints,
    s.person_id,
    s.organizer_id,
    s.event_id,
    v.campaign_id,
    coalesce(v.channel, 'direct') as channel,
    v.at,
    s.purchased_at,
    s.amount,
    s.currency
from sales as s
left join visits as v on s.purchase_id = v.purchase_id
