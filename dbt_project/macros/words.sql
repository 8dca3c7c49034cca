{# A text as words without accents and case, one blank between: "Café  Ñandú!" is "cafe nandu". #}
{% macro words(expression) -%}
    btrim(regexp_replace(
        regexp_replace(normalize(lower({{ expression }}), nfd), '[\u0300-\u036f]', '', 'g'), '[^[:alnum:]]+', ' ', 'g'
    ))
{%- endmacro %}
