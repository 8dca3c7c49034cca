{{ config(
    unique_key=["source", "table_name", "record_id"],
    meta={"scope": "changed_records", "scope_key": "record"},
    indexes=[{"columns": ["record"]}],
    pre_hook="{{ find_changed_records() }}",
    post_hook="{{ remember_records() }}",
) }}
{#
    What every record says of the thing that it mentions, read once when it changes. `record` is the raw record: several
    mentions can be inside of one. Coordinates are one value: two halves of different records are no place.
#}
with things as (
    select
        source, table_name, record_id,
        concat_ws('/', source, split_part(table_name, '.', 1), case
            when table_name = 'event_listings.artists' then regexp_replace(record_id, '#[0-9]+$', '') else record_id
        end) as record,
        {{ trust("source", "embedded") }} as trust, updated_at,
        jsonb_strip_nulls(
            attributes || jsonb_build_object(
                'name', name, 'address', address, 'city', city, 'country', country, 'website', website,
                'instagram', instagram, 'phone', phone,
                'coordinates', case
                    when latitude is not null and longitude is not null
                        then jsonb_build_object('latitude', latitude, 'longitude', longitude)
                end
            )
        ) as said
    from {{ ref('mentions') }}
    where changed_at >= (select since from records_period)
),

cms_events as (
    select
        'directus' as source, 'events' as table_name, record_id, 'directus/events/' || record_id as record,
        {{ trust("'directus'", "false") }} as trust, updated_at,
        jsonb_strip_nulls(jsonb_build_object(
            'name', name, 'description', description, 'genres', nullif(genres, '{}'), 'ticket_url', ticket_url,
            'price_min', price_min, 'price_max', price_max, 'currency', upper(currency), 'status', status,
            'venue_record', venue_record_id
        )) as said
    from {{ ref('stg_directus__events') }}
    where changed_at >= (select since from records_period)
),

listings as (
    select
        'scraper' as source, 'event_listings' as table_name, record_id,
        'scraper/event_listings/' || record_id as record,
        {{ trust("'scraper'", "false") }} as trust, updated_at,
        jsonb_strip_nulls(jsonb_build_object(
            'name', name, 'description', description, 'genres', nullif(genres, '{}'), 'ticket_url', ticket_url,
            'price_min', price, 'price_max', price, 'currency', upper(currency), 'city', city
        )) as said
    from {{ ref('stg_scraper__event_listings') }}
    where changed_at >= (select since from records_period)
)

select * from things
union all
select * from cms_events
union all
select * from listings
