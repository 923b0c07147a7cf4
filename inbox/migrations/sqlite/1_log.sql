-- The log has one row: the highest number given, and up to which number events were pruned.
CREATE TABLE log (
    id BIGINT PRIMARY KEY,
    head BIGINT NOT NULL,
    pruned BIGINT NOT NULL
);
INSERT INTO log (id, head, pruned) VALUES (1, 0, 0);

-- Times are microseconds since 1970.
CREATE TABLE events (
    identity TEXT PRIMARY KEY,
    seq BIGINT NOT NULL UNIQUE,
    order_id TEXT,
    status TEXT,
    time_of_origin TEXT,
    body BLOB NOT NULL,
    first_received BIGINT NOT NULL,
    last_received BIGINT NOT NULL,
    delivery_count BIGINT NOT NULL,
    last_delivery TEXT NOT NULL,
    relay TEXT NOT NULL,
    answer_status BIGINT,
    answer_body BLOB
);
CREATE INDEX events_order_id ON events (order_id);

CREATE TABLE readers (
    name TEXT PRIMARY KEY,
    passed BIGINT NOT NULL,
    event TEXT,
    read_at BIGINT NOT NULL
);

-- Events that were erased on request: a reader that stands at one is not told that the log was rewound.
CREATE TABLE erased (
    identity TEXT PRIMARY KEY,
    seq BIGINT NOT NULL
);
