{{ config(enabled=aifi.uses('sync_audit')) }}
-- Syncs that lack a receipt.
select started_at
from {{ ref('aifi', 'stg_aifi__sync_audit') }}
group by started_at
having min(slice) <> 1 or max(slice) <> count(distinct slice)
