{{ config(enabled=aifi.uses('sync_audit')) }}
-- Pieces for which more orders were written than are in the table. An order stays in its piece, because its draft date is fixed.
select
    a.started_at,
    a.slice,
    a.orders_written,
    count(o.order_id) as orders_in_table
from {{ ref('aifi', 'stg_aifi__sync_audit') }} a
left join {{ ref('aifi', 'stg_aifi__orders') }} o
    on a.from_draft_created_at <= o.draft_created_at and a.until_draft_created_at > o.draft_created_at
where a.part = 'range'
group by a.started_at, a.slice, a.orders_written
having count(o.order_id) < a.orders_written
