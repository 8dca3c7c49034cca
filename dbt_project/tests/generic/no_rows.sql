{# Every row of the model is something to look at. #}
{% test no_rows(model) %}
    select * from {{ model }}
{% endtest %}
