{#- Made by dbt/generate from spec/sync_audit.json: change that, and run dbt/generate --write. -#}
{{ config(enabled=aifi.uses('sync_audit')) }}

select
    {{ aifi.moment('startedAt') }} as started_at,
    {{ aifi.integer('slice') }} as slice,
    {{ aifi.text('part') }} as part,
    {{ aifi.moment('fromDraftCreatedAt') }} as from_draft_created_at,
    {{ aifi.moment('untilDraftCreatedAt') }} as until_draft_created_at,
    {{ aifi.integer('ordersRead') }} as orders_read,
    {{ aifi.integer('ordersWritten') }} as orders_written,
    {{ aifi.amount('totalPrice') }} as total_price,
    {{ aifi.integer('ordersWithoutTotalPrice') }} as orders_without_total_price,
    {{ aifi.integer('ordersWhoseAmountsDoNotAddUp') }} as orders_whose_amounts_do_not_add_up,
    {{ aifi.whole('idSum') }} as id_sum,
    {{ aifi.text('digest') }} as digest,
    {{ aifi.integer('ordersVanished') }} as orders_vanished,
    {{ aifi.integer('requests') }} as requests,
    {{ aifi.integer('refused') }} as refused,
    {{ aifi.integer('repeated') }} as repeated,
    {{ aifi.moment('_airbyte_extracted_at') }} as extracted_at
from {{ source('aifi', 'sync_audit') }}
