{{ config(enabled=aifi.uses('contests'), severity=var('aifi_severity_of_guesses', 'warn')) }}
-- Orders that were contested but have no contest.
select o.order_id
from {{ ref('aifi', 'orders_current') }} o
left join {{ ref('aifi', 'stg_aifi__contests') }} c on o.visit_key = c.visit_key
where o.status in ('contested', 'reviewed') and c.contest_id is null
