{{ config(
    materialized='incremental',
    incremental_strategy='merge' if target.type == 'bigquery' else 'delete+insert',
    unique_key='order_version_key',
    on_schema_change='append_new_columns',
    enabled=aifi.uses('order_versions')
) }}

with versions as (
    select * from {{ ref('aifi', 'stg_aifi__order_versions') }}
    {%- if is_incremental() %}
    where visit_key in (
        select visit_key from {{ ref('aifi', 'stg_aifi__order_versions') }} where extracted_at >= {{ aifi.since() }}
    )
    {%- endif %}
),

newest as (
    {{ aifi.first_of('*', 'versions', ['order_id', 'version'], ['updated_at', 'extracted_at']) | indent(4) }}
),

compared as (
    select
        newest.*,
        lag(version) over (partition by visit_key order by version, order_id) as previous_version,
        lag(created_at) over (partition by visit_key order by version, order_id) as previous_created_at,
        lag(total_price) over (partition by visit_key order by version, order_id) as previous_total_price
    from newest
),

begun as (
    select
        compared.*,
        case
            when previous_version is null then coalesce(draft_created_at, created_at)
            when created_at > previous_created_at then created_at
            else updated_at
        end as valid_from
    from compared
),

ended as (
    select
        begun.*,
        lead(valid_from) over (partition by visit_key order by version, order_id) as valid_until
    from begun
)

select
    {{ dbt.concat([aifi.read('text', 'order_id'), "'/'", aifi.read('text', 'version')]) }} as order_version_key,
    visit_key,
    order_id,
    version,
    store_id,
    session_id,
    customer_id,
    status,
    payment_status,
    subtotal_price,
    total_tax,
    total_price,
    total_price - previous_total_price as total_price_change,
    draft_created_at,
    created_at,
    updated_at,
    paid_at,
    valid_from,
    valid_until,
    valid_until is null as is_current,
    extracted_at
from ended
