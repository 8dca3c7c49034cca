{# Reading a verbatim payload: a value that does not parse is null here; the contract of the raw stage has already
   put wrong kinds among the dead letters, so what is left is a number that does not fit (350.5 seats). #}
{% macro text(field) -%}
    nullif(btrim(payload ->> '{{ field }}'), '')
{%- endmacro %}

{# Times are dates of a calendar: PostgreSQL also reads `now` and `tomorrow`, which mean something else in every run. #}
{% macro safe(expression, type) -%}
    case
        when pg_input_is_valid({{ expression }}, '{{ type }}')
            {%- if type in ("timestamptz", "date") %} and {{ expression }} ~ '^\s*\d{4}-'{% endif %}
            then ({{ expression }})::{{ type }}
    end
{%- endmacro %}

{# A name of a kind (a city, a channel, a genre): short, because it is grouped by and indexed; longer is no such name. #}
{% macro label(expression) -%}
    case when length({{ expression }}) <= 200 then {{ expression }} end
{%- endmacro %}

{# Money that can be added up: an amount of 10^15 or more is a mistake of its source. #}
{% macro money(expression) -%}
    case when abs({{ expression }}) < 1e15 then {{ expression }} end
{%- endmacro %}

{% macro typed(field, type) -%}
    {{ safe("payload ->> '" ~ field ~ "'", type) }}
{%- endmacro %}

{# MongoDB relaxed extended JSON: {"$oid": ..}, {"$date": ..}, {"$numberDecimal": ..} or the plain value. #}
{% macro mongo(field) -%}
    case jsonb_typeof(payload -> '{{ field }}')
        when 'object' then coalesce(
            {% for type in ["oid", "date", "numberDecimal", "numberLong", "numberInt", "numberDouble", "uuid"] -%}
                payload -> '{{ field }}' ->> '${{ type }}'{{ ", " if not loop.last }}
            {%- endfor %}
        )
        else nullif(payload ->> '{{ field }}', '')
    end
{%- endmacro %}

{% macro mongo_typed(field, type) -%}
    {{ safe(mongo(field), type) }}
{%- endmacro %}

{% macro texts(field) -%}
    case jsonb_typeof(payload -> '{{ field }}')
        when 'array' then array(
            select e.value from jsonb_array_elements_text(payload -> '{{ field }}') as e
            {%- if field == "genres" %} where length(e.value) <= 200{% endif %}
        )
        else '{}'::text[]
    end
{%- endmacro %}

{# A record the stages work with: present in its source, and not archived by its editors. #}
{% macro live() -%}
    deleted_at is null and coalesce(payload ->> 'status', '') <> 'archived'
{%- endmacro %}

{# Id of a row that is not a resolved entity. #}
{% macro row_id(source, table, record_id) -%}
    ops.name_uuid('{{ source }}/{{ table }}/' || {{ record_id }})
{%- endmacro %}

{# A number as people write it: "45.000,00", "1,200", "12.3k" (migration 0004). #}
{% macro amount(field) -%}
    case jsonb_typeof(payload -> '{{ field }}')
        when 'number' then (payload ->> '{{ field }}')::numeric
        when 'string' then ops.amount(payload ->> '{{ field }}')
    end
{%- endmacro %}

{# A coordinate: swapped or misplaced ones are outside the globe, and no place at all. #}
{% macro degrees(expression, limit) -%}
    case when {{ expression }} between -{{ limit }} and {{ limit }} then {{ expression }} end
{%- endmacro %}
