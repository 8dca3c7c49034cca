{# In place of the adapter's, which calls every array `ARRAY`: no type that a unit test could cast to, and a change from
   text[] to uuid[] would pass unseen. #}
{% macro postgres__get_columns_in_relation(relation) -%}
    {% call statement('get_columns_in_relation', fetch_result=True) %}
        select
            a.attname as column_name,
            format_type(a.atttypid, a.atttypmod) as data_type,
            null::int as character_maximum_length,
            null::int as numeric_precision,
            null::int as numeric_scale
        from pg_attribute as a
        inner join pg_class as c on a.attrelid = c.oid
        inner join pg_namespace as n on c.relnamespace = n.oid
        where c.relname = '{{ relation.identifier }}'
            {% if relation.schema %}and n.nspname = '{{ relation.schema }}'{% endif %}
            and a.attnum > 0 and not a.attisdropped
        order by a.attnum
    {% endcall %}
    {{ return(sql_convert_columns_in_relation(load_result('get_columns_in_relation').table)) }}
{%- endmacro %}
