{{ config(unique_key="id", indexes=[{"columns": ["organizer_id", "model"]}, {"columns": ["event_id"]}]) }}
{#
    Paid purchases and their money by what led to them, under six models. Shares have 12 decimals, cut and not rounded,
    and the last touchpoint takes what is left of 1: so each model's sums are the purchases and the money, to the digit.
#}
with weighed as (
    select
        t.*,
        t.touchpoints <= 1 or t.position = t.touchpoints as is_last,
        0.5 ^ (
            extract(epoch from t.purchased_at - t.at)::float8 / {{ var("attribution_half_life_days") * 86400 }}
        ) as decay,
        e.removal_effect / count(*) over (partition by t.purchase_id, t.channel) as effect
    from {{ ref('touchpoints') }} as t
    left join {{ ref('channel_effects') }} as e on t.channel = e.channel
),

cut as (
    select
        *,
        trunc(1.0 / greatest(touchpoints, 1), 12) as linear,
        trunc(
            case
                when touchpoints <= 2 then 1.0 / greatest(touchpoints, 1)
                when position = 1 then 0.4
                else 0.2 / (touchpoints - 2)
            end,
            12
        ) as by_position,
        trunc((decay / sum(decay) over journey)::numeric, 12) as time_decay,
        trunc((effect / sum(effect) over journey)::numeric, 12) as markov
    from weighed
    window journey as (
        partition by purchase_id order by position rows between unbounded preceding and unbounded following
    )
),

shares as (
    select
        organizer_id,
        event_id,
        campaign_id,
        channel,
        currency,
        amount,
        case when position <= 1 then 1 else 0 end as first_touch,
        case when is_last then 1 else 0 end as last_touch,
        {% for model in ["linear", "time_decay", "by_position", "markov"] -%}
            case
                when not is_last then {{ model }}
                else 1 - coalesce(sum({{ model }}) over before, 0)
            end as {{ model }}{{ "," if not loop.last }}
        {% endfor %}
    from cut
    window before as (partition by purchase_id order by position rows between unbounded preceding and 1 preceding)
),

summed as (
    select
        organizer_id,
        event_id,
        campaign_id,
        channel,
        currency,
        {% for model in ["first_touch", "last_touch", "linear", "time_decay", "by_position", "markov"] -%}
            sum({{ model }})::numeric as {{ model }},
            sum({{ model }} * amount) as {{ model }}_money{{ "," if not loop.last }}
        {% endfor %}
    from shares
    group by organizer_id, event_id, campaign_id, channel, currency
)

select
    md5(jsonb_build_array(m.model, organizer_id, event_id, campaign_id, currency, channel)::text)::uuid as id,
    m.model,
    organizer_id,
    event_id,
    campaign_id,
    channel,
    currency,
    trim_scale(m.conversions) as conversions,
    trim_scale(m.revenue) as revenue
from summed
cross join lateral (
    values
    ('first', first_touch, first_touch_money),
    ('last', last_touch, last_touch_money),
    ('linear', linear, linear_money),
    ('time_decay', time_decay, time_decay_money),
    ('position', by_position, by_position_money),
    ('markov', markov, markov_money)
) as m (model, conversions, revenue)
where m.conversions > 0
