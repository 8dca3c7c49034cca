{# A purchase counts as money unless it failed, is open or was given back. #}
{% macro is_paid(status) -%}
    coalesce({{ status }}, 'paid') not in ('failed', 'pending', 'refunded', 'cancelled', 'canceled', 'expired', 'chargeback', 'declined')
{%- endmacro %}
