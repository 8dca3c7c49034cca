{#
    What `unified.interactions` looks at in a run: raw records that changed since it last looked, and its own rows one of
    whose keys has come to mean something else. Two temporary tables: `changed_keys` (what the key means now; id null:
    nothing) and `interactions_scope` (id, record_id; record_id null: no need to read the record again). What the model
    then joins is `ops.seen_keys`, in the same transaction.
#}
{% macro find_changed_engagement() %}
    -- Few records of many: each is found by its key.
    set local enable_nestloop = on;
    create temporary table interactions_until on commit drop as select ops.horizon() as until;
    create temporary table changed_keys on commit drop as
    select
        coalesce(known.kind, seen.kind) as kind, coalesce(known.key, seen.key) as key,
        known.id, coalesce(known.valid_from, seen.valid_from) as valid_from, known.valid_to
    from {{ ref('engagement_keys') }} as known
    full join ops.seen_keys as seen
        on known.kind = seen.kind and known.key = seen.key and known.valid_from is not distinct from seen.valid_from
    where (known.id, known.valid_to) is distinct from (seen.id, seen.valid_to);
    analyze changed_keys;
    delete from ops.seen_keys as seen using changed_keys as changed
    where seen.kind = changed.kind and seen.key = changed.key and seen.valid_from is not distinct from changed.valid_from;
    insert into ops.seen_keys select * from changed_keys where id is not null;
    select ops.count_rows('ops.seen_keys');
    create temporary table interactions_scope on commit drop as
    select {{ row_id('mongo', 'engagement', 'record_id') }} as id, record_id
    from {{ source('raw_mongo', 'engagement') }}
    where changed_at >= {{ since(this.identifier) }};
    create unique index on interactions_scope (id);
    insert into interactions_scope (id)
    select i.id from {{ this }} as i
    where exists (select from changed_keys)
        and (
            {% for kind, column in engagement_keys().items() %}
            {{ column }} in (select key from changed_keys where kind = '{{ kind }}'){{ " or" if not loop.last }}
            {% endfor %}
        )
    on conflict (id) do nothing;
    analyze interactions_scope
{% endmacro %}

{# The kinds of keys that engagement is written with, and the column of unified.interactions that keeps each. #}
{% macro engagement_keys() %}
    {{ return({
        "user": "user_key", "visitor": "anonymous_id", "event": "event_key", "content": "content_key",
        "campaign": "campaign_key", "referrer": "referrer_key",
    }) }}
{% endmacro %}

{# From when interactions are kept: whole months, in UTC. #}
{% macro kept_since() -%}
    (date_trunc('month', now(), 'UTC') - interval '{{ var("interaction_months") }} months')
{%- endmacro %}

{# Months that are too old go, months of what is new come. Far-off clocks go to the default partition (migration 0003). #}
{% macro make_months() %}
    select ops.drop_months('{{ this }}', {{ kept_since() }});
    select ops.ensure_months('{{ this }}', min(e.at), max(e.at))
    from interactions_scope as s
    inner join {{ ref('stg_mongo__engagement') }} as e on s.record_id = e.record_id
{% endmacro %}

{% macro remember_engagement() %}
    {{ remember(this.identifier, "(select until from interactions_until)") }}
{% endmacro %}
