-- Orders whose lines do not add up to their total, to the last decimal. Where a discount is on the order and on none of
-- its lines, that is no error: set the severity of this test to warn.
select
    o.order_id,
    o.total_price,
    coalesce(sum(l.total_price), 0) as total_price_of_lines
from {{ ref('orders_current') }} o
left join {{ ref('order_lines_current') }} l on o.order_id = l.order_id
group by o.order_id, o.total_price
having coalesce(sum(l.total_price), 0) is distinct from o.total_price
