-- A model of the retailer's that has the name of one of the package.
select visit_key, 'of the retailer' as note
from {{ ref('aifi', 'orders_current') }}
