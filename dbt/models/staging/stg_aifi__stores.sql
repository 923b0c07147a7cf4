{#- Made by dbt/generate from spec/stores.json: change that, and run dbt/generate --write. -#}
{{ config(enabled=aifi.uses('stores')) }}

select
    {{ aifi.text('id') }} as store_id,
    {{ aifi.text('aifiUniqueStoreId') }} as aifi_unique_store_id,
    {{ aifi.text('thirdPartyId') }} as third_party_id,
    {{ aifi.text('name') }} as name,
    {{ aifi.text('displayableName') }} as displayable_name,
    {{ aifi.text('status') }} as status,
    {{ aifi.text('deploymentStatus') }} as deployment_status,
    {{ aifi.text('addressLine1') }} as address_line1,
    {{ aifi.text('addressCity') }} as address_city,
    {{ aifi.text('addressRegion') }} as address_region,
    {{ aifi.text('addressCountry') }} as address_country,
    {{ aifi.text('addressPostalCode') }} as address_postal_code,
    {{ aifi.text('storeUrl') }} as store_url,
    {{ aifi.integer('maxPeople') }} as max_people,
    {{ aifi.nested('store') }} as store,
    {{ aifi.nested('additionalFields') }} as additional_fields,
    {{ aifi.inside('store', 'oasisApiStoreId', 'integer') }} as oasis_api_store_id,
    {{ aifi.moment('_airbyte_extracted_at') }} as extracted_at
from {{ source('aifi', 'stores') }}
