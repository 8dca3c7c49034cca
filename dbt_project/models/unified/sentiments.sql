{{ config(unique_key="id") }}
{# What feedback says: the three moods that a score of -1 to 1 falls into. #}
select
    {{ row_id('sonik', 'sentiments', 'mood.name') }} as id,
    mood.name
from (values ('positive'), ('neutral'), ('negative')) as mood (name)
