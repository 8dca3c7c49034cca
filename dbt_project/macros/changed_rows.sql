{#
    Incremental strategy `changed_rows`: one MERGE that makes the table equal to the model and rewrites only
    rows whose content differs, deletes included. A run without changes writes no tuple.
    Where a model says `meta: {guard_empty: true}`, nothing in place of something stops the build: a broken source is
    likelier than the truth.
#}
{% macro get_incremental_changed_rows_sql(arg_dict) %}
    {%- set target, source = arg_dict["target_relation"], arg_dict["temp_relation"] -%}
    {%- set columns = arg_dict["dest_columns"] | map(attribute="quoted") | list -%}
    {%- set keys = [arg_dict["unique_key"]] if arg_dict["unique_key"] is string else arg_dict["unique_key"] -%}
    {% if config.get("meta", {}).get("guard_empty") %}{{ guard_empty(target, source) }}{% endif %}
    merge into {{ target }} as t using {{ source }} as s
    on {% for key in keys %}t.{{ key }} = s.{{ key }}{{ " and " if not loop.last }}{% endfor %}
    when matched and
        (t.{{ columns | join(", t.") }}) is distinct from (s.{{ columns | join(", s.") }})
        then update set {% for column in columns %}{{ column }} = s.{{ column }}{{ ", " if not loop.last }}{% endfor %}
    when not matched then insert ({{ columns | join(", ") }}) values (s.{{ columns | join(", s.") }})
    when not matched by source then delete
{% endmacro %}

{% macro guard_empty(target, source) %}
    {%- if execute and not var("allow_empty") -%}
        {%- set counts = run_query("select exists (select from " ~ source ~ "), exists (select from " ~ target ~ ")") -%}
        {%- if not counts.rows[0][0] and counts.rows[0][1] -%}
            {{ exceptions.raise_compiler_error(
                target ~ " would lose all its rows: its sources are empty. If that is right, "
                ~ "run dbt with --vars 'allow_empty: true'"
            ) }}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}

{# Adds a constraint to the model's table once; a post-hook. Deferrable: rows may swap values in one MERGE. #}
{% macro constrain(name, definition) %}
    do $$ begin
        if not exists (select from pg_constraint where conname = '{{ name }}' and conrelid = '{{ this }}'::regclass) then
            alter table {{ this }} add constraint {{ name }} {{ definition }};
        end if;
    end $$
{% endmacro %}

{# The next model joins this one at once, long before autovacuum would count its rows. #}
{% macro count_rows() -%}
    {% if model.config.materialized == "incremental" %}analyze {{ this }}{% endif %}
{%- endmacro %}
