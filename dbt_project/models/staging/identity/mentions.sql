{#
    Every mention of an entity other than an event: records of their own, and things named inside other records
    (`embedded`), which become an entity only where they carry a strong identifier.
#}
with venues as (
    select
        'directus' as source, 'venues' as table_name, record_id, 'venue' as entity_type, false as embedded,
        name, address, city, country, latitude, longitude, website, instagram, phone, null::text as email,
        google_place_id, null::text as user_id, updated_at, first_seen_at, changed_at,
        jsonb_build_object('capacity', capacity, 'category', category) as attributes
    from {{ ref('stg_directus__venues') }}
    union all
    select
        'scraper', 'venue_info', record_id, 'venue', false,
        name, address, city, country, latitude, longitude, website, instagram, phone, null,
        google_place_id, null, updated_at, first_seen_at, changed_at,
        jsonb_build_object('category', category)
    from {{ ref('stg_scraper__venue_info') }}
    union all
    select
        'scraper', 'event_listings.venue', record_id, 'venue', true,
        venue_name, venue_address, city, country, null, null, null, null, null, null,
        null, null, updated_at, first_seen_at, changed_at, '{}'::jsonb
    from {{ ref('stg_scraper__event_listings') }}
    where venue_name is not null
),

organizations as (
    select
        'twenty', 'companies', record_id, 'organization', false,
        name, address, city, country, latitude, longitude, website, null, null, null,
        null, null, updated_at, first_seen_at, changed_at, '{}'::jsonb
    from {{ ref('stg_twenty__companies') }}
    union all
    select
        'directus', 'events.organizer', record_id, 'organization', true,
        organizer_name, null, null, null, null, null, organizer_website, organizer_instagram, null, null,
        null, null, updated_at, first_seen_at, changed_at, '{}'::jsonb
    from {{ ref('stg_directus__events') }}
    where coalesce(organizer_name, organizer_instagram, organizer_website) is not null
    union all
    select
        'scraper', 'event_listings.organizer', record_id, 'organization', true,
        organizer_name, null, null, null, null, null, null, organizer_instagram, null, null,
        null, null, updated_at, first_seen_at, changed_at, '{}'::jsonb
    from {{ ref('stg_scraper__event_listings') }}
    where coalesce(organizer_name, organizer_instagram) is not null
    union all
    select
        'directus', 'campaigns.organizer', record_id, 'organization', true,
        null, null, null, null, null, null, null, organizer_instagram, null, null,
        null, null, updated_at, first_seen_at, changed_at, '{}'::jsonb
    from {{ ref('stg_directus__campaigns') }}
    where organizer_instagram is not null
),

artists as (
    select
        'directus', 'artists', record_id, 'artist', false,
        name, null, null, country, null::float8, null::float8, website, instagram, null, null,
        null, null, updated_at, first_seen_at, changed_at,
        jsonb_build_object('genres', to_jsonb(nullif(genres, '{}')), 'bio', bio)
    from {{ ref('stg_directus__artists') }}
    union all
    select
        'scraper', 'artist_profiles', record_id, 'artist', false,
        name, null, city, country, null, null, website, instagram, null, null,
        null, null, updated_at, first_seen_at, changed_at,
        jsonb_build_object('genres', to_jsonb(nullif(genres, '{}')), 'followers', followers)
    from {{ ref('stg_scraper__artist_profiles') }}
    union all
    select
        'scraper', 'event_listings.artists', l.record_id || '#' || a.position, 'artist', true,
        a.name, null, null, null, null, null, null, l.artist_instagrams[a.position], null, null,
        null, null, l.updated_at, l.first_seen_at, l.changed_at, '{}'::jsonb
    from {{ ref('stg_scraper__event_listings') }} as l
    cross join lateral unnest(l.artists) with ordinality as a (name, position)
    where a.name is not null
),

brands as (
    select
        'directus', 'brands', record_id, 'brand', false,
        name, null, null, null, null::float8, null::float8, website, instagram, null, null,
        null, null, updated_at, first_seen_at, changed_at, '{}'::jsonb
    from {{ ref('stg_directus__brands') }}
),

persons as (
    select
        'twenty', 'people', record_id, 'person', false,
        name, null, city, country, null::float8, null::float8, null, null, phone, email,
        null, null, updated_at, first_seen_at, changed_at, jsonb_build_object('job_title', job_title)
    from {{ ref('stg_twenty__people') }}
    union all
    select
        'mongo', 'users', record_id, 'person', false,
        name, null, null, null, null, null, null, instagram, phone, email,
        null, record_id, updated_at, first_seen_at, changed_at, '{}'::jsonb
    from {{ ref('stg_mongo__users') }}
),

everything as (
    select * from venues
    union all
    select * from organizations
    union all
    select * from artists
    union all
    select * from brands
    union all
    select * from persons
)

select
    *,
    attributes ->> 'category' as category,
    (
        select string_agg(g.genre, E'\n' order by g.genre)
        from jsonb_array_elements_text(
            case jsonb_typeof(attributes -> 'genres') when 'array' then attributes -> 'genres' end
        ) as g (genre)
    ) as genres
from everything
