-- Visits that the incremental model lacks, or should no longer have.
select coalesce(s.visit_key, o.visit_key) as visit_key
from (select distinct visit_key from {{ ref('aifi', 'stg_aifi__orders') }}) s
full outer join {{ ref('aifi', 'orders_current') }} o on s.visit_key = o.visit_key
where s.visit_key is null or o.visit_key is null
