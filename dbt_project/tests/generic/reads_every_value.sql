{#
    Values that the source told and the model could not read: of each column in `fields` (the column, and the path of
    its field in the payload of `of`) the records where there is something in the payload and nothing in the column.
    Nothing is lost (the payload stays), nothing stops: somebody should look at the source, or at how it is read.
#}
{% test reads_every_value(model, of, fields) %}
    {{ config(severity="warn") }}
    select raw.record_id, value.field, value.told
    from {{ model }} as typed
    inner join {{ of }} as raw on typed.record_id = raw.record_id
    cross join lateral (
        values
        {% for column, path in fields.items() -%}
            ('{{ column }}', typed.{{ column }}::text, btrim(raw.payload #>> '{ {{- path -}} }'))
            {{- "," if not loop.last }}
        {% endfor -%}
    ) as value (field, read, told)
    where coalesce(value.read, '{}') = '{}' and value.told not in ('', '[]', '{}')
{% endtest %}
