{{ config(enabled=aifi.uses('sync_audit')) }}
-- Times of which no receipt tells that their orders were read.
with pieces as (
    select
        started_at,
        slice,
        from_draft_created_at,
        max(until_draft_created_at) over (
            order by started_at, slice rows between unbounded preceding and 1 preceding
        ) as read_until
    from {{ ref('stg_aifi__sync_audit') }}
    where part = 'range'
)

select *
from pieces
where from_draft_created_at > read_until
