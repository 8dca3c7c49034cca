{#
    Views are replaced in place. The adapter's own materialization drops the old one, and with it every view on top and
    every grant; so does this one, but only where PostgreSQL cannot replace it (a column gone, renamed or retyped). Row
    policies are those of whoever asks, not of the view's owner (security_invoker).
#}
{% materialization view, adapter="postgres" %}
    {%- set target = this.incorporate(type="view") -%}
    {%- set existing = load_cached_relation(this) -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- if existing is not none and existing.type != "view" -%}{{ adapter.drop_relation(existing) }}{%- endif -%}
    {%- if config.get("contract").enforced -%}{{ get_assert_columns_equivalent(sql) }}{%- endif -%}
    {% call statement("main") -%}
        do $make$ begin
            begin
                {{ replace_view(target, sql) }};
            exception when invalid_table_definition then
                drop view {{ target }} cascade;
                {{ replace_view(target, sql) }};
            end;
        end $make$
    {%- endcall %}
    {%- do persist_docs(target, model) -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({"relations": [target]}) }}
{% endmaterialization %}

{% macro replace_view(target, sql) -%}
    create or replace view {{ target }} with (security_invoker = true) as (
    {{ sql }}
    )
{%- endmacro %}
