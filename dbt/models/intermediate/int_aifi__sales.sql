{#- The orders that were paid, with their day in the store's time zone. An order without a draft date counts when it was created. -#}
{%- set sold_at = 'coalesce(o.draft_created_at, o.created_at)' -%}
select
    o.visit_key,
    o.order_id,
    o.session_id,
    o.store_id,
    o.status,
    {{ sold_at }} as sold_at,
    coalesce(z.time_zone, '{{ var("aifi_time_zone", "UTC") }}') as time_zone,
    {{ aifi.local_day(sold_at, "coalesce(z.time_zone, '" ~ var('aifi_time_zone', 'UTC') ~ "')") }} as sold_on,
    o.subtotal_price,
    o.total_tax,
    o.total_price
from {{ ref('aifi', 'orders_current') }} o
left join {{ ref('aifi', 'int_aifi__store_time_zones') }} z on o.store_id = z.store_id
where o.status in ({% for status in var('aifi_sale_statuses', ['paid', 'contested', 'reviewed']) %}'{{ status }}'{{ ', ' if not loop.last }}{% endfor %})
