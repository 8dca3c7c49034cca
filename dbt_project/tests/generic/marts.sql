{# Rows whose column is not between two numbers, both included. #}
{% test lies_within(model, column_name, low, high) %}
    select {{ column_name }} from {{ model }}
    where {{ column_name }} < {{ low }} or {{ column_name }} > {{ high }}
{% endtest %}

{# Models of attribution, with their currency, whose sums are not the paid purchases and their money, to the digit. #}
{% test adds_up(model, touchpoints) %}
    with sold as (
        select currency, count(*) as conversions, sum(amount) as revenue
        from {{ touchpoints }}
        where position <= 1  -- one row a purchase
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
