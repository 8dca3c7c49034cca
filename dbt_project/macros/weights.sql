{# Weight of an edge by how often its evidence was seen: n / (n + scale), 0 to 1. `scale` is the count at which an
   edge of this type is half as strong as it can be. A pure function of the evidence, so an unchanged edge never
   changes. Scales: docs/weights.md. #}
{% macro frequency_weight(n, scale) -%}
    ({{ n }})::float8 / (({{ n }}) + {{ scale }})
{%- endmacro %}
