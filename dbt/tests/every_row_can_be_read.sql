{{ config(enabled=aifi.uses('unreadable_rows'), severity='warn') }}
-- Items that AiFi sent without an id that can be read, or that are not objects. They are in no other table: report them to AiFi.
select unreadable_row_id, seen_at, stream, request, position, reason
from {{ ref('aifi', 'stg_aifi__unreadable_rows') }}
