{# A ticket link that tells the ticket page who sent the visitor: UTM parameters, and the one of the ticket seller where
   it has its own. A parameter that the link has already stays as it is; so a link that was given its parameters once is
   left alone. The query goes before the fragment; what is no web address (tel:, mailto:) has no query. #}
{% macro attributed_link(url, source="sonik", medium="referral") -%}
    {%- set sellers = {"eventbrite": "aff"} -%}
    {%- set page = "split_part(" ~ url ~ ", '#', 1)" -%}
    case
        when {{ url }} !~* '^https?://' then {{ url }}
        else rtrim({{ page }}, '?&')
            || coalesce(
                case when rtrim({{ page }}, '?&') ~ '\?' then '&' else '?' end || nullif(
                    concat_ws(
                        '&',
                        case when {{ page }} !~* '[?&;]utm_source='
                            then 'utm_source={{ source }}&utm_medium={{ medium }}' end
                        {%- for host, parameter in sellers.items() %},
                        case when {{ page }} ~* '^https?://([^/?]*\.)?{{ host }}\.' and {{ page }} !~* '[?&;]{{ parameter }}='
                            then '{{ parameter }}={{ source }}' end
                        {%- endfor %}
                    ),
                    ''
                ),
                substr({{ page }}, length(rtrim({{ page }}, '?&')) + 1)
            )
            || substr({{ url }}, length({{ page }}) + 1)
    end
{%- endmacro %}
