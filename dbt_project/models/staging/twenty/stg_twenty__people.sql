select
    record_id,
    nullif(btrim(concat_ws(' ', payload #>> '{name,firstName}', payload #>> '{name,lastName}')), '') as name,
    nullif(payload #>> '{emails,primaryEmail}', '') as email,
    nullif(
        concat(payload #>> '{phones,primaryPhoneCallingCode}', payload #>> '{phones,primaryPhoneNumber}'), ''
    ) as phone,
    nullif(payload #>> '{phones,primaryPhoneCountryCode}', '') as country,
    {{ label(text("city")) }} as city,
    {{ text('jobTitle') }} as job_title,
    {{ text('companyId') }} as company_id,
    source_updated_at as updated_at,
    first_seen_at,
    changed_at
from {{ source('raw_twenty', 'people') }}
where {{ live() }}
