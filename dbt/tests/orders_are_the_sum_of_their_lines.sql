-- Orders whose lines do not add up to their total, to the last decimal. If discounts are on the order but on none of its
-- lines, this is not an error: set the severity of this test to warn.
select
    o.order_id,
    o.total_price,
    coalesce(sum(l.total_price), 0) as total_price_of_lines
from {{ ref('aifi', 'orders_current') }} o
left join {{ ref('aifi', 'order_lines_current') }} l on o.order_id = l.order_id
group by o.order_id, o.total_price
having coalesce(sum(l.total_price), 0) is distinct from o.total_price
