{# When a raw table was last read to the end of a window. Not the newest `changed_at`: reading a source in which nothing
   changed writes no row. #}
{% macro last_read() -%}
    select max(finished_at) from raw.extracts
    where 'raw_' || source = '{{ this.schema }}' and table_name = '{{ this.identifier }}'
{%- endmacro %}
