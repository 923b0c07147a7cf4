{#- The orders with money taken, at the day of the store. -#}
select
    o.visit_key,
    o.order_id,
    o.session_id,
    o.store_id,
    o.status,
    o.draft_created_at,
    coalesce(z.time_zone, '{{ var("aifi_time_zone", "UTC") }}') as time_zone,
    {{ aifi.local_day('o.draft_created_at', "coalesce(z.time_zone, '" ~ var('aifi_time_zone', 'UTC') ~ "')") }} as sold_on,
    o.subtotal_price,
    o.total_tax,
    o.total_price
from {{ ref('orders_current') }} o
left join {{ ref('int_aifi__store_time_zones') }} z on o.store_id = z.store_id
where o.status in ({% for status in var('aifi_sale_statuses', ['paid', 'contested', 'reviewed']) %}'{{ status }}'{{ ', ' if not loop.last }}{% endfor %})
