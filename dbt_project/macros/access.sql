{#
    What every relation goes through in the transaction that builds it, in one statement:

    - a table is counted: the next model joins it at once, long before autovacuum would. A share that changes nothing of
      the plans is left alone.
    - a table of unified is carried by the change feed.
    - row-level security and grants, as `ops.access` has them (migration 0008): nobody sees the relation before. One that
      is as it should be is only looked at.
#}
{% macro settle(published=false) -%}
    {% if model.config.materialized == "incremental" -%}
    select ops.count_rows('{{ this }}'){% if published %}, ops.publish('{{ this }}'){% endif %}, ops.protect('{{ this }}')
    {%- elif model.config.materialized == "view" -%}
    select ops.protect('{{ this }}')
    {%- endif %}
{%- endmacro %}
