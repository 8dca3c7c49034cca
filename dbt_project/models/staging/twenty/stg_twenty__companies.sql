select
    record_id,
    {{ text('name') }} as name,
    nullif(payload #>> '{domainName,primaryLinkUrl}', '') as website,
    nullif(payload #>> '{address,addressStreet1}', '') as address,
    {{ label("nullif(payload #>> '{address,addressCity}', '')") }} as city,
    {{ label("nullif(payload #>> '{address,addressCountry}', '')") }} as country,
    {{ degrees(safe("payload #>> '{address,addressLat}'", 'float8'), 90) }} as latitude,
    {{ degrees(safe("payload #>> '{address,addressLng}'", 'float8'), 180) }} as longitude,
    {{ safe(
        "coalesce(payload #>> '{annualRevenue,amountMicros}', payload #>> '{annualRecurringRevenue,amountMicros}')",
        'numeric'
    ) }} / 1000000 as annual_revenue,
    coalesce(
        nullif(payload #>> '{annualRevenue,currencyCode}', ''),
        nullif(payload #>> '{annualRecurringRevenue,currencyCode}', '')
    ) as annual_revenue_currency,
    source_updated_at as updated_at,
    first_seen_at,
    changed_at
from {{ source('raw_twenty', 'companies') }}
where {{ live() }}
