select
    store_id,
    max(time_zone) as time_zone
from {{ ref(var('aifi_store_time_zones', 'aifi_store_time_zones')) }}
group by store_id
