{{ config(
    unique_key="id",
    indexes=[{"columns": ["kind", "day", "score desc"]}, {"columns": [folded("city"), "day"]}],
) }}
{#
    Articles worth writing: the best clubs of a city, of every genre and of each, and what is on there in one night.
    Every night has its row; which of them is tonight is asked, never stored. A club is what hosts nights, whatever its
    source calls it.
#}
with nights as (
    select
        w.event_id, w.venue_id, w.local_date, w.starts_at, w.genres, w.city, {{ folded("w.city") }} as city_key,
        {{ country_code("w.country") }} as country, t.views, t.clicks, t.purchases
    from {{ ref('whats_on') }} as w
    inner join {{ ref('event_traffic') }} as t on w.event_id = t.event_id
    where w.city is not null and w.status <> 'cancelled'
),

cities as (
    select city_key, mode() within group (order by country) as country
    from nights
    group by city_key
),

placed as (
    select n.*, coalesce(n.country, c.country, '') as in_country
    from nights as n
    inner join cities as c on n.city_key = c.city_key
),

spellings as (
    select city_key, in_country, mode() within group (order by city) as city
    from placed
    group by city_key, in_country
),

venue_nights as (
    select p.city_key, p.in_country, g.genre, p.venue_id, p.views, p.clicks, p.purchases
    from placed as p
    cross join lateral unnest(p.genres || null::text) as g (genre)  -- null: of every genre
    where p.venue_id is not null
),

clubs as (
    select
        city_key, in_country, genre, venue_id,
        1 + {{ interest("sum(views)::float8", "sum(clicks)::float8", "sum(purchases)::float8") }} as score
    from venue_nights
    group by city_key, in_country, genre, venue_id
),

mentions as (
    select
        'best_clubs' as kind, city_key, in_country, genre, null::date as day, venue_id, null::uuid as event_id, score,
        null::timestamptz as starts_at
    from clubs
    union all
    select
        'tonight', city_key, in_country, null, local_date, venue_id, event_id,
        1 + {{ interest("views::float8", "clicks::float8", "purchases::float8") }}, starts_at
    from placed
),

ranked as (
    select
        *,
        row_number() over (
            partition by kind, city_key, in_country, genre, day
            order by score desc, starts_at, coalesce(event_id, venue_id)
        ) as place
    from mentions
),

ideas as (
    select
        kind, city_key, in_country, genre, day,
        count(*) as candidates,
        sum(score order by place) filter (where place <= 10) as score,
        array_agg(venue_id order by place) filter (where place <= 10 and kind = 'best_clubs') as venue_ids,
        array_agg(event_id order by place) filter (where place <= 10 and kind = 'tonight') as event_ids
    from ranked
    group by kind, city_key, in_country, genre, day
    having count(*) >= 3
),

genres as (
    select distinct genre
    from clubs
    where genre is not null
),

articles as (
    select
        id, published_at, {{ folded("city") }} as city_key, {{ folded("title") }} as title,
        ' ' || {{ words("title") }} || ' ' as title_words
    from {{ ref('content') }}
),

article_genres as (
    select a.id, a.city_key, g.genre
    from articles as a
    left join genres as g on strpos(a.title_words, ' ' || {{ words("g.genre") }} || ' ') > 0
    where a.title ~ '\m(best|top|mejores|melhores|donde bailar|donde escuchar|onde ouvir|onde dancar)\M'
),

written as (
    select i.kind, i.city_key, i.in_country, i.genre, i.day, a.id, a.published_at
    from ideas as i
    inner join article_genres as g on i.city_key = g.city_key and i.genre is not distinct from g.genre
    inner join articles as a on g.id = a.id
    where i.kind = 'best_clubs'
    union all
    select i.kind, i.city_key, i.in_country, i.genre, i.day, a.id, a.published_at
    from ideas as i
    inner join articles as a
        on
            i.city_key = a.city_key
            and a.published_at >= i.day - interval '7 days' and a.published_at < i.day + interval '1 day'
    where i.kind = 'tonight'
        and a.title ~ '\m(tonight|esta noche|esta noite|hoy|hoje|weekend|fin de semana|fim de semana|noches|festas)\M'
),

newest as (
    select kind, city_key, in_country, genre, day, (array_agg(id order by published_at desc nulls last, id))[1] as id
    from written
    group by kind, city_key, in_country, genre, day
)

select
    md5(jsonb_build_array(i.kind, i.city_key, i.in_country, i.genre, i.day)::text)::uuid as id,
    i.kind,
    s.city,
    nullif(i.in_country, '') as country,
    m.id as market_id,
    i.genre,
    i.day,
    case i.kind
        when 'tonight' then 'Things to do tonight in ' || s.city
        else 'Best ' || coalesce(i.genre || ' ', '') || 'clubs in ' || s.city
    end as title,
    {{ rounded("i.score", 4) }} as score,
    i.candidates,
    coalesce(i.venue_ids, '{}'::uuid[]) as venue_ids,
    coalesce(i.event_ids, '{}'::uuid[]) as event_ids,
    n.id as article_id
from ideas as i
inner join spellings as s on i.city_key = s.city_key and i.in_country = s.in_country
left join {{ ref('markets') }} as m on i.city_key = {{ folded("m.name") }} and i.in_country = m.country
left join newest as n
    on
        i.kind = n.kind and i.city_key = n.city_key and i.in_country = n.in_country
        and i.genre is not distinct from n.genre and i.day is not distinct from n.day
