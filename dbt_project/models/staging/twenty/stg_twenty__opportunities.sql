select
    record_id,
    {{ text('name') }} as name,
    {{ money(safe("payload #>> '{amount,amountMicros}'", 'numeric') ~ " / 1000000") }} as amount,
    {{ label("nullif(payload #>> '{amount,currencyCode}', '')") }} as currency,
    {{ label(text("stage")) }} as stage,
    {{ typed('closeDate', 'timestamptz') }} as close_date,
    {{ text('companyId') }} as company_id,
    {{ text('pointOfContactId') }} as person_id,
    source_updated_at as updated_at
from {{ source('raw_twenty', 'opportunities') }}
where {{ live() }}
