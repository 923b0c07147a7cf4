{#- Made by dbt/generate from spec/sessions.json: change that, and run dbt/generate --write. -#}
{{ config(enabled=aifi.uses('sessions')) }}

select
    {{ aifi.integer('id') }} as customer_shopping_session_id,
    {{ aifi.text('sessionId') }} as session_id,
    {{ aifi.text('sessionToken') }} as session_token,
    {{ aifi.text('referencedSessionId') }} as referenced_session_id,
    {{ aifi.text('storeId') }} as store_id,
    {{ aifi.integer('storeIdScannableAt') }} as store_id_scannable_at,
    {{ aifi.text('locationId') }} as location_id,
    {{ aifi.text('customerId') }} as customer_id,
    {{ aifi.integer('customerPaymentInstrumentId') }} as customer_payment_instrument_id,
    {{ aifi.text('status') }} as status,
    {{ aifi.text('code') }} as code,
    {{ aifi.integer('groupSize') }} as group_size,
    {{ aifi.integer('visitors') }} as visitors,
    {{ aifi.integer('priority') }} as priority,
    {{ aifi.moment('createdAt') }} as created_at,
    {{ aifi.moment('updatedAt') }} as updated_at,
    {{ aifi.moment('expiresAt') }} as expires_at,
    {{ aifi.moment('codeFirstSuccesfullyScannedAt') }} as code_first_succesfully_scanned_at,
    {{ aifi.moment('codeLastSuccesfullyScannedAt') }} as code_last_succesfully_scanned_at,
    {{ aifi.moment('customerFirstEnteredAt') }} as customer_first_entered_at,
    {{ aifi.moment('customerLastEnteredAt') }} as customer_last_entered_at,
    {{ aifi.moment('customerFirstExitedAt') }} as customer_first_exited_at,
    {{ aifi.moment('customerLastExitedAt') }} as customer_last_exited_at,
    {{ aifi.amount('customerSatisfaction') }} as customer_satisfaction,
    {{ aifi.flag('customerSatisfactionSubmitted') }} as customer_satisfaction_submitted,
    {{ aifi.flag('suspectedFraud') }} as suspected_fraud,
    {{ aifi.nested('metadata') }} as metadata,
    {{ aifi.nested('additionalFields') }} as additional_fields,
    {{ aifi.moment('_airbyte_extracted_at') }} as extracted_at
from {{ source('aifi', 'sessions') }}
