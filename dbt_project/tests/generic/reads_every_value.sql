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
        {% for column, path in fields.items() -%}
            -- reading it is dear: only where something is told
            select '{{ column }}' as field, told.value as told
            from (select btrim(raw.payload #>> '{ {{- path -}} }')) as told (value)
            where told.value not in ('', '[]', '{}') and coalesce(typed.{{ column }}::text, '{}') = '{}'
            {{- " union all" if not loop.last }}
        {% endfor -%}
    ) as value
{% endtest %}
