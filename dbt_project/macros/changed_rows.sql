{#
    Incremental strategy `changed_rows`: makes the table equal to the model and rewrites only rows whose content
    differs, deletes included. A run without changes writes no tuple. What a model says of itself in `meta`:

    guard_empty  nothing in place of something stops the build: a broken source is likelier than the truth.
    not_ours     columns that others write: set once by their default, never compared, never updated.
    scope        a temporary table with the values of `scope_key` (id) that the model speaks for in this run; rows of
                 others stay as they are.
#}
{% macro get_incremental_changed_rows_sql(arg_dict) %}
    {%- set target, source = arg_dict["target_relation"], arg_dict["temp_relation"] -%}
    {%- set meta = config.get("meta", {}) -%}
    {%- set not_ours = meta.get("not_ours", []) -%}
    {%- set columns = arg_dict["dest_columns"] | rejectattr("name", "in", not_ours) | map(attribute="quoted") | list -%}
    {%- set keys = [arg_dict["unique_key"]] if arg_dict["unique_key"] is string else arg_dict["unique_key"] -%}
    {% if meta.get("guard_empty") %}{{ guard_empty(target, source, meta) }}{% endif %}
    {% if meta.get("scope") %}
    {%- set scope_key = meta.get("scope_key", "id") %}
    delete from {{ target }} as t using {{ meta["scope"] }} as scope
    where t.{{ scope_key }} = scope.{{ scope_key }} and not exists (
        select from {{ source }} as s where {% for key in keys %}t.{{ key }} = s.{{ key }}{{ " and " if not loop.last }}{% endfor %}
    );
    {% endif %}
    merge into {{ target }} as t using {{ source }} as s
    on {% for key in keys %}t.{{ key }} = s.{{ key }}{{ " and " if not loop.last }}{% endfor %}
    when matched and
        (t.{{ columns | join(", t.") }}) is distinct from (s.{{ columns | join(", s.") }})
        then update set {% for column in columns %}{{ column }} = s.{{ column }}{{ ", " if not loop.last }}{% endfor %}
    when not matched then insert ({{ columns | join(", ") }}) values (s.{{ columns | join(", s.") }})
    {% if not meta.get("scope") %}when not matched by source then delete{% endif %}
{% endmacro %}

{% macro guard_empty(target, source, meta) %}
    {%- if execute and not var("allow_empty") -%}
        {%- set kept -%}
            {%- if meta.get("scope") -%}
            exists (select from {{ target }} where {{ meta.get("scope_key", "id") }} not in (
                select {{ meta.get("scope_key", "id") }} from {{ meta["scope"] }}
            ))
            {%- else -%} false {%- endif -%}
        {%- endset -%}
        {%- set query = "select exists (select from " ~ source ~ ") or " ~ kept ~ ", exists (select from " ~ target ~ ")" -%}
        {%- set counts = run_query(query) -%}
        {%- if not counts.rows[0][0] and counts.rows[0][1] -%}
            {{ exceptions.raise_compiler_error(
                target ~ " would lose all its rows: its sources are empty. If that is right, "
                ~ "run dbt with --vars 'allow_empty: true'"
            ) }}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}

{# Whole tables are joined: a planner that cannot count what is inside of payloads must not take them for a few rows. #}
{% macro in_sets() -%}
    {% if model.config.materialized == "incremental" %}set local enable_nestloop = off; set local work_mem = '64MB'{% endif %}
{%- endmacro %}
