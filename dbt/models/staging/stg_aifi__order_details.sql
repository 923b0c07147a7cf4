{#- Made by dbt/generate from spec/order_details.json: change that, and run dbt/generate --write. -#}
{{ config(enabled=aifi.uses('order_details')) }}

select
    {{ aifi.integer('id') }} as order_id,
    {{ aifi.integer('version') }} as version,
    {{ aifi.flag('isLatest') }} as is_latest,
    {{ aifi.moment('draftCreatedAt') }} as draft_created_at,
    {{ aifi.moment('createdAt') }} as created_at,
    {{ aifi.moment('updatedAt') }} as updated_at,
    {{ aifi.moment('completedAt') }} as completed_at,
    {{ aifi.moment('paidAt') }} as paid_at,
    {{ aifi.moment('notificationSentAt') }} as notification_sent_at,
    {{ aifi.text('status') }} as status,
    {{ aifi.text('externalStatus') }} as external_status,
    {{ aifi.text('storeId') }} as store_id,
    {{ aifi.text('customerId') }} as customer_id,
    {{ aifi.text('sessionId') }} as session_id,
    {{ aifi.integer('customerShoppingSessionId') }} as customer_shopping_session_id,
    {{ aifi.integer('transactionId') }} as transaction_id,
    {{ aifi.text('externalId') }} as external_id,
    {{ aifi.amount('subtotalPrice') }} as subtotal_price,
    {{ aifi.amount('totalPrice') }} as total_price,
    {{ aifi.amount('totalTax') }} as total_tax,
    {{ aifi.text('extraText') }} as extra_text,
    {{ aifi.nested('transaction') }} as transaction,
    {{ aifi.nested('paymentTransaction') }} as payment_transaction,
    {{ aifi.nested('products') }} as products,
    {{ aifi.nested('lineItems') }} as line_items,
    {{ aifi.text('taxRates') }} as tax_rates,
    {{ aifi.nested('session') }} as session,
    {{ aifi.nested('additionalFields') }} as additional_fields,
    {{ aifi.inside('paymentTransaction', 'paymentStatus', 'text') }} as payment_status,
    {{ aifi.inside('paymentTransaction', 'refunded', 'flag') }} as payment_refunded,
    {{ aifi.inside('paymentTransaction', 'tryRefundTimes', 'integer') }} as payment_refund_attempts,
    {{ aifi.inside('paymentTransaction', 'paymentTransactionId', 'text') }} as payment_transaction_id,
    {{ aifi.moment('_airbyte_extracted_at') }} as extracted_at
from {{ source('aifi', 'order_details') }}
{{ aifi.where_not_deleted() }}
