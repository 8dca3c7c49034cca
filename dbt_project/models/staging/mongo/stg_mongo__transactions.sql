select
    record_id,
    {{ mongo('userId') }} as user_id,
    {{ mongo('eventId') }} as event_record_id,
    {{ mongo('campaignId') }} as campaign_record_id,
    {{ money(mongo_typed('amount', 'numeric')) }} as amount,
    {{ label(text("currency")) }} as currency,
    {{ label(text("status")) }} as status,
    coalesce({{ mongo_typed('createdAt', 'timestamptz') }}, source_updated_at) as at
from {{ source('raw_mongo', 'transactions') }}
where {{ live() }}
