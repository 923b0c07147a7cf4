-- Stores whose days do not add up to their orders, to the last decimal.
with days as (
    select store_id, sum(orders) as orders, sum(revenue) as revenue
    from {{ ref('aifi', 'daily_store_sales') }}
    group by store_id
),

sales as (
    select store_id, count(*) as orders, sum(total_price) as revenue
    from {{ ref('aifi', 'orders_current') }}
    where status in ({% for status in var('aifi_sale_statuses', ['paid', 'contested', 'reviewed']) %}'{{ status }}'{{ ', ' if not loop.last }}{% endfor %})
    group by store_id
)

select sales.store_id
from sales
left join days on sales.store_id = days.store_id
where days.orders is distinct from sales.orders or days.revenue is distinct from sales.revenue
