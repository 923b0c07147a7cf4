-- Visits that the incremental model has passed over, or has too many.
select coalesce(s.visit_key, o.visit_key) as visit_key
from (select distinct visit_key from {{ ref('stg_aifi__orders') }}) s
full outer join {{ ref('orders_current') }} o on s.visit_key = o.visit_key
where s.visit_key is null or o.visit_key is null
