{#- Made by dbt/generate from spec/unreadable_rows.json: change that, and run dbt/generate --write. -#}
{{ config(enabled=aifi.uses('unreadable_rows')) }}

select
    {{ aifi.text('id') }} as unreadable_row_id,
    {{ aifi.moment('seenAt') }} as seen_at,
    {{ aifi.text('stream') }} as stream,
    {{ aifi.text('request') }} as request,
    {{ aifi.integer('position') }} as position,
    {{ aifi.text('reason') }} as reason,
    {{ aifi.text('previousId') }} as previous_id,
    {{ aifi.text('nextId') }} as next_id,
    {{ aifi.text('rawItem') }} as raw_item,
    {{ aifi.moment('_airbyte_extracted_at') }} as extracted_at
from {{ source('aifi', 'unreadable_rows') }}
