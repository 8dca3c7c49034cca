{#
    What the models that read only changes look at. `ops.seen` has, a model, up to when it has seen everything and by
    which of its own texts: another text looks at everything again, and so does `dbt build --full-refresh`.
#}
{% macro since(name) -%}
    {%- if flags.FULL_REFRESH -%} '-infinity'::timestamptz
    {%- else -%}
    coalesce(
        (select until from ops.seen where model = '{{ name }}' and rules = {{ rules() }}), '-infinity'::timestamptz
    )
    {%- endif -%}
{%- endmacro %}

{#
    A hash of what the model does: its own text, and the views that it reads as they are in the database; for those that are
    made of source records, also by what these were read.
#}
{% macro rules() -%}
    (
        select md5(concat('{{ local_md5(model.raw_code ~ survival_order() ~ attributed_link("page")) }}', string_agg(
            pg_get_viewdef(to_regclass(v.name)), '' order by v.name
        ), (
            select s.rules from ops.seen as s
            where s.model = 'source_records' and '{{ model.name }}' in ('entities', 'events')
        )))
        from unnest(array[{% for name in views_behind(model) %}'{{ name }}'{{ ", " if not loop.last }}{% endfor %}]::text[]) as v (name)
    )
{%- endmacro %}

{% macro views_behind(node) %}
    {%- set found = [] -%}
    {%- if execute -%}
        {%- for id in node.depends_on.nodes if id in graph.nodes and graph.nodes[id].config.materialized == "view" -%}
            {%- do found.append(graph.nodes[id].relation_name) -%}
            {%- do found.extend(views_behind(graph.nodes[id])) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(found | unique | list) }}
{% endmacro %}

{% macro remember(name, until) -%}
    insert into ops.seen (model, until, rules) values ('{{ name }}', {{ until }}, {{ rules() }})
    on conflict (model) do update set until = excluded.until, rules = excluded.rules
{%- endmacro %}

{# The raw tables that mentions and events are made of. #}
{% macro mentioning() %}
    {{ return([
        ("directus", "venues"), ("directus", "artists"), ("directus", "brands"), ("directus", "events"),
        ("directus", "events_artists"), ("directus", "campaigns"), ("twenty", "people"), ("twenty", "companies"),
        ("mongo", "users"), ("scraper", "venue_info"), ("scraper", "artist_profiles"), ("scraper", "event_listings"),
    ]) }}
{% endmacro %}

{# `records_period` (since, until) and `changed_records` (record): the raw records that changed, deleted ones included. #}
{% macro find_changed_records() %}
    create temporary table records_period on commit drop as
    select {{ since(this.identifier) }} as since, ops.horizon() as until;
    create temporary table changed_records on commit drop as
    {% for source_name, table in mentioning() -%}
        select '{{ source_name }}/{{ table }}/' || record_id as record from {{ source("raw_" ~ source_name, table) }}
        where changed_at >= (select since from records_period)
        {{ "union all" if not loop.last }}
    {% endfor %};
    analyze changed_records
{% endmacro %}

{% macro remember_records() %}
    {{ remember(this.identifier, "(select until from records_period)") }}
{% endmacro %}

{#
    `entities_scope` (id, elsewhere): entities of records that changed, that were edited, or (`elsewhere`) of records that
    went elsewhere, or that are not as identity has them, as where a record is gone.
#}
{% macro find_changed_entities() %}
    -- What came since the source records were read comes with them in the next run.
    create temporary table entities_period on commit drop as
    select
        {{ since(this.identifier) }} as since,
        least(ops.horizon(), (select until from ops.seen where model = 'source_records')) as until;
    create temporary table entities_scope on commit drop as
    with changed as (
        {% for source_name, table in mentioning() -%}
            select '{{ source_name }}/{{ table }}/' || record_id as record
            from {{ source("raw_" ~ source_name, table) }}
            where changed_at >= (select since from entities_period)
            {{ "union all" if not loop.last }}
        {% endfor %}
    )
    select id, bool_or(elsewhere) as elsewhere
    from (
        select m.entity_id as id, false as elsewhere
        from changed as c
        inner join {{ ref("source_records") }} as r on c.record = r.record
        inner join {{ source("identity", "entity_map") }} as m
            on r.source = m.source and r.table_name = m.table_name and r.record_id = m.record_id
        union all
        -- Events of the CMS name its venues: one that is gone, or back, takes them along.
        select m.entity_id, true
        from {{ source("raw_directus", "venues") }} as v
        inner join {{ source("identity", "entity_map") }} as m
            on m.source = 'directus' and m.table_name = 'venues' and v.record_id = m.record_id
        where v.changed_at >= (select since from entities_period)
        union all
        select entity_id, true from {{ source("identity", "entity_map") }}
        where linked_at >= (select since from entities_period)
        union all
        select unnest(array[old_id, new_id]), true from {{ source("identity", "moves") }}
        where at >= (select since from entities_period)
        union all
        select m.entity_id, false
        from {{ source("ops", "edits") }} as e
        inner join {{ source("identity", "entity_map") }} as m
            on split_part(e.entity_ref, '/', 1) = m.source and split_part(e.entity_ref, '/', 2) = m.table_name
                and regexp_replace(e.entity_ref, '^[^/]*/[^/]*/', '') = m.record_id
        where e.at >= (select since from entities_period)
        {% if is_incremental() %}
        union all
        select coalesce(i.entity_id, e.id), true
        from {{ source("identity", "entities") }} as i
        full join {{ this }} as e on i.entity_id = e.id
        where (i.entity_type, i.canonical_scheme, i.canonical_id, i.first_seen_at)
            is distinct from (e.entity_type, e.canonical_scheme, e.canonical_id, e.first_seen_at)
        union all
        -- A mention that stands for nothing any more leaves no trace in the map.
        select e.id, true
        from {{ this }} as e
        left join (
            select m.entity_id, count(*) as records
            from {{ source("identity", "entity_map") }} as m
            inner join {{ ref("source_records") }} as r
                on m.source = r.source and m.table_name = r.table_name and m.record_id = r.record_id
            group by m.entity_id
        ) as n on e.id = n.entity_id
        where (e.metadata ->> 'records')::bigint <> coalesce(n.records, 0)
        {% endif %}
    ) as each
    group by id;
    create unique index on entities_scope (id);
    analyze entities_scope;
    {{ by_keys_if_few("entities_scope") }}
{% endmacro %}

{% macro remember_entities() %}
    {{ remember(this.identifier, "(select until from entities_period)") }};
    insert into ops.touched as t select id, elsewhere from entities_scope
    on conflict (id) do update set elsewhere = true where excluded.elsewhere and not t.elsewhere
{% endmacro %}

{#
    The rows of a view whose entity is in the scope. The planner does not carry `in` into a view of several parts: of few
    entities each is looked up, of many the whole is made and filtered; all of it where there is no table yet.
#}
{% macro of_scope(view, scope) -%}
    {%- if not is_incremental() -%} {{ view }}
    {%- else -%}
    (
        select told.*
        from {{ scope }} as s
        cross join lateral (select * from {{ view }} as v where v.entity_id = s.id offset 0) as told
        where {{ few(scope) }}
        union all
        select * from {{ view }} where entity_id in (select id from {{ scope }}) and not {{ few(scope) }}
    )
    {%- endif -%}
{%- endmacro %}

{% macro few(scope) %}(select count(*) < 2000 from {{ scope }}){% endmacro %}

{# After `in_sets`: few entities are found by their keys. #}
{% macro by_keys_if_few(scope) %}
    select set_config('enable_nestloop', case when {{ few(scope) }} then 'on' else 'off' end, true)
{% endmacro %}

{#
    `events_scope` (id): events that unified.entities has looked at since this model did; those whose venue or organizer may
    be another, or whose venue's city is; whose time is another; that come or go. Other ids do no harm.
#}
{% macro find_changed_events() %}
    create temporary table events_period on commit drop as
    select {{ since(this.identifier) }} as since, ops.horizon() as until;
    create temporary table events_touched on commit drop as select id, elsewhere from ops.touched;
    create temporary table events_scope on commit drop as
    select id from events_touched
    union
    select entity_id from {{ source("identity", "event_times") }}
    where changed_at >= (select since from events_period)
    union
    select t.entity_id
    from {{ source("identity", "event_times") }} as t
    inner join {{ source("identity", "entity_map") }} as m
        on t.venue_ref = concat_ws('/', m.source, m.table_name, m.record_id)
    where m.entity_type = 'venue' and m.entity_id in (select id from events_touched where elsewhere)
    union
    select t.entity_id
    from {{ source("identity", "event_times") }} as t
    inner join {{ source("identity", "entity_map") }} as m
        on t.source = m.source and t.table_name || '.organizer' = m.table_name and t.record_id = m.record_id
    where m.entity_id in (select id from events_touched where elsewhere)
    {% if is_incremental() %}
    union
    select id from {{ this }}
    where venue_id in (select id from events_touched where elsewhere)
        or organizer_id in (select id from events_touched where elsewhere)
    union
    select there.id
    from {{ this }} as there
    inner join {{ ref("entities") }} as venue on there.venue_id = venue.id
    where venue.id in (select id from events_touched) and there.city is distinct from venue.metadata ->> 'city'
    union
    -- Two with one key, which a blocking check finds: written wrongly, and made again.
    select id from {{ this }}
    where event_key in (select event_key from {{ this }} group by event_key having count(*) > 1)
    union
    select coalesce(e.id, there.id)
    from (select id from {{ ref("entities") }} where entity_type = 'event') as e
    full join {{ this }} as there on e.id = there.id
    where e.id is null or there.id is null or (select since from events_period) = '-infinity'
    {% endif %};
    create unique index on events_scope (id);
    analyze events_scope;
    {{ by_keys_if_few("events_scope") }}
{% endmacro %}

{% macro remember_events() %}
    {{ remember(this.identifier, "(select until from events_period)") }};
    delete from ops.touched as t using events_touched as seen where t.id = seen.id
{% endmacro %}

{#
    `mentions_read` (rules): a hash of all that unified.content_mentions is made of. `mentions_scope` (content_id): every
    article, those that are gone too, where that is another than last time; none where it is the same.
#}
{% macro find_changed_mentions() %}
    create temporary table mentions_read on commit drop as
    select concat_ws(
        ' ', {{ rules() }}, '{{ local_md5(words("told")) }}',
        (select sum(hashtextextended((id, title, city, body, url)::text, 0)) from {{ ref("content") }}),
        (
            select sum(hashtextextended((id, entity_type, name, metadata ->> 'city')::text, 0))
            from {{ ref("entities") }} where entity_type in ('venue', 'artist', 'organization', 'brand')
        ),
        (
            select sum(hashtextextended((m.table_name, m.record_id, m.entity_id)::text, 0))
            from {{ source("identity", "entity_map") }} as m
            inner join {{ ref("entities") }} as e on m.entity_id = e.id
            where m.source = 'directus' and m.table_name in ('venues', 'artists', 'events', 'brands')
        )
    ) as rules;
    create temporary table mentions_scope on commit drop as
    select content_id
    from (
        select id as content_id from {{ ref("content") }}
        {% if is_incremental() %}union select content_id from {{ this }}{% endif %}
    ) as articles
    {% if not flags.FULL_REFRESH -%}
    where not exists (
        select from ops.seen where model = '{{ this.identifier }}' and rules = (select rules from mentions_read)
    )
    {%- endif %};
    analyze mentions_scope
{% endmacro %}

{% macro remember_mentions() %}
    insert into ops.seen (model, until, rules)
    select '{{ this.identifier }}', now(), rules from mentions_read
    on conflict (model) do update set until = excluded.until, rules = excluded.rules where seen.rules <> excluded.rules
{% endmacro %}
