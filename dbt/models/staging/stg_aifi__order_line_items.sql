{#- Made by dbt/generate from spec/order_line_items.json: change that, and run dbt/generate --write. -#}

select
    {{ aifi.integer('orderId') }} as order_id,
    {{ aifi.integer('orderVersion') }} as order_version,
    {{ aifi.moment('orderDraftCreatedAt') }} as order_draft_created_at,
    {{ aifi.moment('orderUpdatedAt') }} as order_updated_at,
    {{ aifi.text('storeId') }} as store_id,
    {{ aifi.integer('id') }} as order_line_id,
    {{ aifi.text('productId') }} as product_id,
    {{ aifi.text('name') }} as name,
    {{ aifi.text('barcode') }} as barcode,
    {{ aifi.text('category') }} as category,
    {{ aifi.text('thumbnail') }} as thumbnail,
    {{ aifi.text('sku') }} as sku,
    {{ aifi.text('externalId') }} as external_id,
    {{ aifi.text('taxCode') }} as tax_code,
    {{ aifi.amount('price') }} as price,
    {{ aifi.amount('weight') }} as weight,
    {{ aifi.moment('createdAt') }} as created_at,
    {{ aifi.moment('updatedAt') }} as updated_at,
    {{ aifi.flag('isExternallyAdded') }} as is_externally_added,
    {{ aifi.text('orderProductExternalId') }} as order_product_external_id,
    {{ aifi.amount('quantity') }} as quantity,
    {{ aifi.amount('subtotalPrice') }} as subtotal_price,
    {{ aifi.amount('totalPrice') }} as total_price,
    {{ aifi.amount('totalTax') }} as total_tax,
    {{ aifi.text('taxRates') }} as tax_rates,
    {{ aifi.nested('additionalFields') }} as additional_fields,
    {{ aifi.moment('_airbyte_extracted_at') }} as extracted_at
from {{ source('aifi', 'order_line_items') }}
{{ aifi.where_not_deleted() }}
