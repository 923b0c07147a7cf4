{{ config(enabled=aifi.uses('contests')) }}

with contests as (
    {{ aifi.first_of('*', ref('aifi', 'stg_aifi__contests'), ['contest_id'], ['updated_at', 'extracted_at']) | indent(4) }}
)

select
    c.contest_id,
    c.order_id,
    c.visit_key,
    coalesce(o.store_id, c.store_id) as store_id,
    c.status,
    c.from_operator,
    c.created_at as contested_at,
    c.updated_at,
    c.original_total_price,
    c.contested_total_price,
    c.reviewed_total_price,
    c.original_total_price - c.contested_total_price as asked_for,
    case when c.status = 'reviewed' then c.original_total_price - c.reviewed_total_price end as refunded,
    o.status as order_status,
    o.version as order_version,
    o.total_price as order_total_price,
    o.payment_refunded
from contests c
left join {{ ref('aifi', 'orders_current') }} o on c.visit_key = o.visit_key
where c.deleted_at is null
