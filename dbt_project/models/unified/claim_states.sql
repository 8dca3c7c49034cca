{{ config(materialized="view") }}
{#
    Where each entity with an open claim stands. The database itself says so, from the log, and sets the columns of
    unified.entities by it.
#}
-- depends_on: {{ source('ops', 'claims') }}
-- depends_on: {{ source('identity', 'entity_map') }}
select
    entity_id,
    claim_status,
    claimed_by,
    method,
    at
from ops.claim_states()
