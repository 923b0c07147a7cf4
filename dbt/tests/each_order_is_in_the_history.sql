{{ config(enabled=aifi.uses('order_versions')) }}
-- Orders whose version of now is not the newest of the history.
select o.order_id
from {{ ref('orders_current') }} o
left join {{ ref('order_history') }} h
    on o.order_id = h.order_id and o.version is not distinct from h.version and h.is_current
where h.order_id is null or h.total_price is distinct from o.total_price
