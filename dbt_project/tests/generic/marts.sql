{# Rows whose column is not between two numbers, both included. #}
{% test lies_within(model, column_name, low, high) %}
    select {{ column_name }} from {{ model }}
    where {{ column_name }} < {{ low }} or {{ column_name }} > {{ high }}
{% endtest %}

{# Models of attribution, with their currency, whose sums are not the paid purchases and their money, to the digit. #}
{% test adds_up_to_purchases(model) %}
    with sold as (
        select currency, count(*) as conversions, sum(coalesce(amount, 0)) as revenue
        from {{ ref('purchases') }}
        where {{ is_paid('status') }}
        group by currency
    ),

    told as (
        select model, currency, sum(conversions) as conversions, sum(revenue) as revenue
        from {{ model }}
        group by model, currency
    ),

    models as (
        select distinct model from {{ model }}
    )

    select m.model, s.currency, s.conversions, t.conversions as told_conversions, s.revenue, t.revenue as told_revenue
    from models as m
    cross join sold as s
    full join told as t on m.model = t.model and s.currency is not distinct from t.currency
    where (s.conversions, s.revenue) is distinct from (t.conversions, t.revenue)
{% endtest %}
