{#- Made by dbt/generate from spec/contests.json: change that, and run dbt/generate --write. -#}
{{ config(enabled=aifi.uses('contests')) }}

select
    {{ aifi.visit_key('sessionId', 'orderId') }} as visit_key,
    {{ aifi.integer('id') }} as contest_id,
    {{ aifi.integer('orderId') }} as order_id,
    {{ aifi.integer('orderVersion') }} as order_version,
    {{ aifi.text('sessionId') }} as session_id,
    {{ aifi.text('status') }} as status,
    {{ aifi.text('message') }} as message,
    {{ aifi.flag('fromOperator') }} as from_operator,
    {{ aifi.amount('originalTotalPrice') }} as original_total_price,
    {{ aifi.amount('contestedTotalPrice') }} as contested_total_price,
    {{ aifi.amount('reviewedTotalPrice') }} as reviewed_total_price,
    {{ aifi.moment('createdAt') }} as created_at,
    {{ aifi.moment('updatedAt') }} as updated_at,
    {{ aifi.moment('deletedAt') }} as deleted_at,
    {{ aifi.nested('contestedOrder') }} as contested_order,
    {{ aifi.nested('additionalFields') }} as additional_fields,
    {{ aifi.inside('contestedOrder', 'storeId', 'text') }} as store_id,
    {{ aifi.moment('_airbyte_extracted_at') }} as extracted_at
from {{ source('aifi', 'contests') }}
