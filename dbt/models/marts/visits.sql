{{ config(enabled=aifi.uses('sessions')) }}

with sessions as (
    {{ aifi.first_of(
        '*', ref('aifi', 'stg_aifi__sessions'), ['customer_shopping_session_id'], ['updated_at', 'extracted_at']
    ) | indent(4) }}
),

newest as (
    select max(draft_created_at) as draft_created_at from {{ ref('aifi', 'orders_current') }}
)

select
    v.customer_shopping_session_id,
    v.session_id,
    v.store_id,
    v.customer_id,
    v.status,
    v.group_size,
    v.visitors,
    v.created_at,
    {{ aifi.local_day('v.created_at', "coalesce(z.time_zone, '" ~ var('aifi_time_zone', 'UTC') ~ "')") }} as visited_on,
    v.customer_first_entered_at,
    v.customer_last_exited_at,
    {{ aifi.seconds_between('v.customer_first_entered_at', 'v.customer_last_exited_at') }} as seconds_inside,
    coalesce(
        v.customer_first_entered_at is not null and v.customer_last_exited_at <= n.draft_created_at, false
    ) as is_complete,
    o.order_id is not null as has_order,
    coalesce(o.total_price > 0, false) as is_purchase,
    o.order_id,
    o.status as order_status,
    o.total_price
from sessions v
cross join newest n
left join {{ ref('aifi', 'int_aifi__store_time_zones') }} z on v.store_id = z.store_id
left join {{ ref('aifi', 'orders_current') }} o on v.session_id = o.session_id
