{# A purchase counts as money unless it failed, is open or was given back. #}
{% macro is_paid(status) -%}
    coalesce({{ status }}, 'paid') not in (
        'failed', 'pending', 'processing', 'refunded', 'cancelled', 'canceled', 'voided', 'expired', 'chargeback',
        'charged_back', 'disputed', 'declined', 'error'
    )
{%- endmacro %}
