{#- Made by dbt/generate from spec/products.json: change that, and run dbt/generate --write. -#}
{{ config(enabled=aifi.uses('products')) }}

select
    {{ aifi.text('id') }} as product_id,
    {{ aifi.integer('productId') }} as product_number,
    {{ aifi.text('name') }} as name,
    {{ aifi.text('barcode') }} as barcode,
    {{ aifi.text('sku') }} as sku,
    {{ aifi.text('externalId') }} as external_id,
    {{ aifi.text('category') }} as category,
    {{ aifi.text('thumbnail') }} as thumbnail,
    {{ aifi.flag('invalidThumbnail') }} as invalid_thumbnail,
    {{ aifi.amount('price') }} as price,
    {{ aifi.text('taxCode') }} as tax_code,
    {{ aifi.amount('weight') }} as weight,
    {{ aifi.amount('quantity') }} as quantity,
    {{ aifi.integer('inventoryItemId') }} as inventory_item_id,
    {{ aifi.flag('restricted') }} as restricted,
    {{ aifi.moment('createdAt') }} as created_at,
    {{ aifi.moment('updatedAt') }} as updated_at,
    {{ aifi.nested('storePrices') }} as store_prices,
    {{ aifi.nested('variants') }} as variants,
    {{ aifi.nested('additionalFields') }} as additional_fields,
    {{ aifi.moment('_airbyte_extracted_at') }} as extracted_at
from {{ source('aifi', 'products') }}
