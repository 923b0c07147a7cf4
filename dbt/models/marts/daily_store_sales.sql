select
    {{ dbt.concat(['store_id', "'/'", aifi.read('text', 'sold_on')]) }} as store_day_key,
    store_id,
    sold_on,
    count(*) as orders,
    sum(case when status = 'contested' then 1 else 0 end) as orders_under_review,
    sum(subtotal_price) as net_revenue,
    sum(total_tax) as tax,
    sum(total_price) as revenue
from {{ ref('aifi', 'int_aifi__sales') }}
group by store_id, sold_on
