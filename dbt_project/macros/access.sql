{#
    Row-level security and grants, as `ops.access` has them (migration 0008), in the transaction that builds the
    relation: nobody sees it before. One that is as it should be is only looked at.
#}
{% macro protect() -%}
    {% if model.config.materialized in ("incremental", "view") %}select ops.protect('{{ this }}'){% endif %}
{%- endmacro %}
