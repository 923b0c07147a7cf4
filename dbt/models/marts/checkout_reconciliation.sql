{#- Everything is compared with what the orders say, and both sides are given time to arrive: an order is a finding only if it was
drafted `aifi_checkout_settle_hours` before the newest order was read, an event likewise. -#}
{{ config(enabled=aifi.uses('checkout_events')) }}

with events as (
    {{ aifi.first_of(
        '*', ref('aifi', 'stg_aifi__checkout_events'), ['event_id'], ['seq', 'extracted_at']
    ) | indent(4) }}
),

orders as (
    select
        o.*,
        case
            when o.payment_status is not null then o.payment_status
            when o.status in ('paid', 'contested', 'reviewed') then 'success'
            when o.status = 'unpaid' then 'failure'
            else 'processing'
        end as shown_payment_status
    from {{ ref('aifi', 'orders_current') }} o
),

bounds as (
    select
        {{ aifi.hours_before('max(extracted_at)', var('aifi_checkout_settle_hours', 2)) }} as settled_at,
        min(draft_created_at) as first_order_at
    from orders
),

-- Orders from before the inbox was there have no events.
inbox as (
    select min(time_of_origin) as first_event_at from events where recognised
),

visits as (
    select distinct visit_key from events where visit_key is not null
),

recognised as (
    select * from events where recognised and visit_key is not null
),

reviewed as (
    select * from recognised where status = 'reviewed'
),

answered as (
    select * from recognised where relay = 'answered' and relay_payment_status in ('success', 'failure')
),

newest as (
    {{ aifi.first_of('*', 'recognised', ['visit_key'], ['time_of_origin', 'first_received_at', 'seq']) | indent(4) }}
),

newest_reviewed as (
    {{ aifi.first_of('*', 'reviewed', ['visit_key'], ['time_of_origin', 'first_received_at', 'seq']) | indent(4) }}
),

newest_answered as (
    {{ aifi.first_of('*', 'answered', ['visit_key'], ['time_of_origin', 'first_received_at', 'seq']) | indent(4) }}
),

findings as (
    select
        'order_without_event' as finding,
        o.visit_key,
        o.draft_created_at as occurred_at,
        cast(null as {{ aifi.type_of('text') }}) as event_id
    from orders o
    cross join bounds b
    cross join inbox i
    left join visits v on o.visit_key = v.visit_key
    where v.visit_key is null and o.draft_created_at >= i.first_event_at and o.draft_created_at <= b.settled_at

    union all

    select 'event_without_order', e.visit_key, e.time_of_origin, e.event_id
    from newest e
    cross join bounds b
    left join orders o on e.visit_key = o.visit_key
    where o.visit_key is null and e.time_of_origin >= b.first_order_at and e.first_received_at <= b.settled_at

    union all

    select 'total_differs', e.visit_key, e.time_of_origin, e.event_id
    from newest_reviewed e
    cross join bounds b
    join orders o on e.visit_key = o.visit_key
    where o.status = 'reviewed' and e.total_price is distinct from o.total_price
        and e.first_received_at <= b.settled_at and coalesce(o.updated_at, o.draft_created_at) <= b.settled_at

    union all

    select 'payment_differs', e.visit_key, e.time_of_origin, e.event_id
    from newest_answered e
    cross join bounds b
    join orders o on e.visit_key = o.visit_key
    where e.relay_payment_status <> o.shown_payment_status
        and e.last_received_at <= b.settled_at and coalesce(o.updated_at, o.draft_created_at) <= b.settled_at
)

select
    {{ dbt.concat(['f.finding', "'-'", 'f.visit_key']) }} as finding_key,
    f.finding,
    f.visit_key,
    f.occurred_at,
    f.event_id,
    coalesce(o.order_id, e.order_id) as order_id,
    coalesce(o.store_id, e.store_id) as store_id,
    o.status as order_status,
    e.status as event_status,
    o.total_price as order_total_price,
    e.total_price as event_total_price,
    o.shown_payment_status,
    e.relay_payment_status as answered_payment_status
from findings f
left join orders o on f.visit_key = o.visit_key
left join events e on f.event_id = e.event_id
