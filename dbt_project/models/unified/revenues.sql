{{ config(unique_key="id") }}
{# What features have an impact on: the money of paid purchases, one row a currency. #}
select
    {{ row_id('sonik', 'revenues', 'currency') }} as id,
    'Revenue in ' || currency as name,
    currency,
    sum(amount)::float8 as amount
from {{ ref('purchases') }}
where currency is not null and amount is not null and {{ is_paid('status') }}
group by currency
