select
    record_id,
    {{ mongo('transactionId') }} as transaction_id,
    {{ mongo('userId') }} as user_id,
    {{ mongo('eventId') }} as event_record_id,
    {{ label(text("tier")) }} as tier,
    {{ money(mongo_typed('price', 'numeric')) }} as price,
    {{ mongo_typed('checkedInAt', 'timestamptz') }} as checked_in_at,
    source_updated_at as updated_at
from {{ source('raw_mongo', 'tickets') }}
where {{ live() }}
