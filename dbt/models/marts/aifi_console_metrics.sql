{{ config(enabled=aifi.uses('sessions')) }}

with sessions as (
    {{ aifi.first_of(
        'session_id, created_at', ref('aifi', 'stg_aifi__sessions'), ['session_id'], ['updated_at', 'extracted_at']
    ) | indent(4) }}
),

sales as (
    select
        s.order_id,
        s.store_id,
        {{ aifi.local_day('coalesce(v.created_at, s.sold_at)', 's.time_zone') }} as visited_on
    from {{ ref('aifi', 'int_aifi__sales') }} s
    left join sessions v on s.session_id = v.session_id
),

lines as (
    select order_id, quantity, total_price
    from {{ ref('aifi', 'order_lines_current') }}
    where not coalesce(is_externally_added, false)
)

select
    {{ dbt.concat(['s.store_id', "'/'", aifi.read('text', 's.visited_on')]) }} as store_day_key,
    s.store_id,
    s.visited_on,
    count(distinct s.order_id) as orders,
    coalesce(sum(l.quantity), 0) as units,
    coalesce(sum(l.total_price), 0) as revenue
from sales s
left join lines l on s.order_id = l.order_id
group by s.store_id, s.visited_on
