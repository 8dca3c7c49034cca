{# A number as a reader needs it: further digits would only make rows change that say the same. #}
{% macro rounded(expression, digits) -%}
    round(({{ expression }})::numeric, {{ digits }})::float8
{%- endmacro %}

{# Lower end of the 95 % score interval of a rate (Wilson 1927): what the rate is at least, given how little was seen.
   1 of 1 is 0.21 and 50 of 100 is 0.40, so few trials never lead. Null without trials; successes above them count as
   all of them. #}
{% macro wilson_lower(successes, trials) -%}
    {%- set n = "nullif(" ~ trials ~ ", 0)::float8" -%}
    {%- set p = "(least(" ~ successes ~ ", " ~ trials ~ ") / " ~ n ~ ")" -%}
    {%- set z = 1.959964 -%}
    (
        {{ p }} + {{ z * z / 2 }} / {{ n }}
        - {{ z }} * sqrt({{ p }} * (1 - {{ p }}) / {{ n }} + {{ z * z / 4 }} / {{ n }} ^ 2)
    ) / (1 + {{ z * z }} / {{ n }})
{%- endmacro %}

{# What views, clicks and purchases say of how much people want something: logarithms, so that none drowns the others. #}
{% macro interest(views, clicks, purchases) -%}
    ln(1 + {{ views }}) + ln(1 + {{ clicks }}) + ln(1 + {{ purchases }})
{%- endmacro %}
