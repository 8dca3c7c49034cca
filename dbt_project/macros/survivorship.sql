{#
    Which value of an attribute survives (docs/survivorship.md). An edit goes before every record, the newest of two (a
    merged entity can have two records with an edit each). Then, by the rule of
    the attribute: `trusted`, the most trusted source, of equals the newer record; `newest`, whatever the source;
    `fullest`, the longest value. What is left equal goes by the record's name, so that it is the same in every run.
#}
{% macro attribute_rules() %}
    {{ return({"followers": "newest", "job_title": "newest", "bio": "fullest", "description": "fullest",
               "genres": "fullest", "line_up": "fullest"}) }}
{% endmacro %}

{# 0: edited here. 1: our own users and the CMS. 2: the CRM. 3: scrapers. 4: what another record says in passing. #}
{% macro trust(source, embedded) -%}
    case when {{ embedded }} then 4 when {{ source }} in ('directus', 'mongo') then 1 when {{ source }} = 'twenty' then 2
    else 3 end
{%- endmacro %}

{% macro survival_order() -%}
    trust > 0,
    case
        when trust = 0 or attribute in ({{ attribute_names("newest") }}) then 0
        when attribute in ({{ attribute_names("fullest") }}) then -length(value::text)
        else trust
    end,
    updated_at desc nulls last, trust, source, table_name, record_id
{%- endmacro %}

{% macro attribute_names(rule) -%}
    {%- for name, its_rule in attribute_rules().items() if its_rule == rule %}'{{ name }}'{{ ", " if not loop.last }}{% endfor -%}
{%- endmacro %}
