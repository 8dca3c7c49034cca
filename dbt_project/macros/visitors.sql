{# Who did it: the person, else the browser; null where a record names neither. #}
{% macro visitor(interaction) -%}
    coalesce({{ interaction }}.person_id, md5({{ interaction }}.anonymous_id)::uuid)
{%- endmacro %}

{# Kinds of interaction that bring somebody; the others are what people do once they are there. #}
{% macro is_touch(kind) -%}
    {{ kind }} in ('page_view', 'ticket_click', 'referral')
{%- endmacro %}

{# The channel that brought somebody: the one recorded, else the campaign's, else that of an invitation; else none is
   known, which web analytics calls direct. #}
{% macro touch_channel(interaction, campaign) -%}
    coalesce(
        {{ interaction }}.channel, {{ campaign }}.channel,
        case {{ interaction }}.kind when 'referral' then 'referral' else 'direct' end
    )
{%- endmacro %}

{# Kinds of interaction by which somebody who was invited does something of their own. #}
{% macro is_act(kind) -%}
    {{ kind }} in ('ticket_click', 'rsvp', 'check_in', 'share')
{%- endmacro %}

{# A text without accents, case and outer blanks. The same expression as in the read side, which asks by it: the index
   on it serves only that. #}
{% macro folded(expression) -%}
    btrim(regexp_replace(normalize(lower({{ expression }}), nfd), '[\u0300-\u036f]', '', 'g'))
{%- endmacro %}

{# The id of the whole platform among the things that people spread. #}
{% macro platform() -%}
    '00000000-0000-0000-0000-000000000000'::uuid
{%- endmacro %}
