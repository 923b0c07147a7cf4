{{ config(enabled=aifi.uses('order_versions')) }}
-- Versions that end before they begin.
select order_version_key
from {{ ref('aifi', 'order_history') }}
where valid_until < valid_from
