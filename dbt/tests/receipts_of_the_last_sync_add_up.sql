{{ config(enabled=aifi.uses('sync_audit')) }}
-- What the last sync wrote is in the table: the number of orders, the sum of their totals to the last decimal, and the sum of
-- their ids. Of the ids the first fifteen digits count, because PyAirbyte keeps no more in PostgreSQL. A failed sync leaves
-- orders without a receipt until the next successful one. Orders without a draft date have no receipt.
with last_sync as (
    select max(started_at) as started_at from {{ ref('aifi', 'stg_aifi__sync_audit') }}
),

receipts as (
    select
        sum(a.orders_written) as orders,
        sum(a.total_price) as total_price,
        sum(a.id_sum) as id_sum
    from {{ ref('aifi', 'stg_aifi__sync_audit') }} a
    join last_sync on a.started_at = last_sync.started_at
),

in_table as (
    select
        count(*) as orders,
        coalesce(sum(o.total_price), 0) as total_price,
        coalesce(sum({{ aifi.read('whole', 'o.order_id') }}), 0) as id_sum
    from {{ ref('aifi', 'stg_aifi__orders') }} o
    join last_sync on o.extracted_at >= last_sync.started_at
    where o.draft_created_at is not null
)

select
    receipts.orders as orders_written,
    in_table.orders as orders_in_table,
    receipts.total_price as total_price_written,
    in_table.total_price as total_price_in_table
from receipts
cross join in_table
where receipts.orders <> in_table.orders
    or receipts.total_price <> in_table.total_price
    or abs(cast(receipts.id_sum - in_table.id_sum as {{ dbt.type_float() | lower }}))
    > 1e-15 * cast(receipts.id_sum as {{ dbt.type_float() | lower }})
