{# ISO 3166 code of a country that a source wrote as a code or as a name; null for what is neither. #}
{% macro country_code(expression) -%}
    {%- set names = {
        "argentina": "AR", "bolivia": "BO", "brasil": "BR", "brazil": "BR", "chile": "CL", "colombia": "CO",
        "costa rica": "CR", "cuba": "CU", "ecuador": "EC", "el salvador": "SV", "guatemala": "GT", "honduras": "HN",
        "mexico": "MX", "nicaragua": "NI", "panama": "PA", "paraguay": "PY", "peru": "PE", "puerto rico": "PR",
        "republica dominicana": "DO", "dominican republic": "DO", "uruguay": "UY", "venezuela": "VE",
        "espana": "ES", "spain": "ES", "united states": "US", "estados unidos": "US",
    } -%}
    case
        when {{ expression }} ~* '^[a-z]{2}$' then upper({{ expression }})
        else case {{ folded(expression) }}
            {% for name, code in names.items() -%}
                when '{{ name }}' then '{{ code }}'
            {% endfor %}
        end
    end
{%- endmacro %}
