select
    record_id,
    {{ label(text("kind")) }} as kind,
    {{ mongo('anonymousId') }} as anonymous_id,
    {{ mongo('userId') }} as user_id,
    {{ mongo('referrerUserId') }} as referrer_user_id,
    {{ mongo('eventId') }} as event_record_id,
    {{ mongo('contentId') }} as content_record_id,
    {{ mongo('campaignId') }} as campaign_record_id,
    {{ label(text("channel")) }} as channel,
    {{ mongo_typed('at', 'timestamptz') }} as at,
    case when jsonb_typeof(payload -> 'properties') = 'object' then payload -> 'properties' else '{}'::jsonb
    end as properties,
    changed_at
from {{ source('raw_mongo', 'engagement') }}
where {{ live() }}
