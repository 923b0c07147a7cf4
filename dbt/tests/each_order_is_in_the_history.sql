{{ config(enabled=aifi.uses('order_versions')) }}
-- Orders whose current version is not the newest in the history.
select o.order_id
from {{ ref('aifi', 'orders_current') }} o
left join {{ ref('aifi', 'order_history') }} h
    on o.order_id = h.order_id and o.version is not distinct from h.version and h.is_current
where h.order_id is null or h.total_price is distinct from o.total_price
