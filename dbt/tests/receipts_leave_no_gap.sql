{{ config(enabled=aifi.uses('sync_audit')) }}
-- Periods that no receipt covers.
with pieces as (
    select
        started_at,
        slice,
        from_draft_created_at,
        max(until_draft_created_at) over (
            order by started_at, slice rows between unbounded preceding and 1 preceding
        ) as read_until
    from {{ ref('aifi', 'stg_aifi__sync_audit') }}
    where part = 'range'
)

select *
from pieces
where from_draft_created_at > read_until
