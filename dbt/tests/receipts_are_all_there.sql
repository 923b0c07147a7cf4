{{ config(enabled=aifi.uses('sync_audit')) }}
-- Syncs of which a receipt is missing.
select started_at
from {{ ref('stg_aifi__sync_audit') }}
group by started_at
having min(slice) <> 1 or max(slice) <> count(*)
