-- What happened, for whoever acts on it: written in the transaction that does it.
CREATE TABLE outbox (
    number          INTEGER PRIMARY KEY,
    id              TEXT    NOT NULL UNIQUE,
    seq             INTEGER UNIQUE,
    tenant_id       TEXT    NOT NULL REFERENCES tenants (id),
    type            TEXT    NOT NULL,
    subject         TEXT    NOT NULL,
    data            TEXT    NOT NULL,
    request_id      TEXT,
    created_at_ms   INTEGER NOT NULL,
    attempts        INTEGER NOT NULL,
    due_at_ms       INTEGER NOT NULL,
    published_at_ms INTEGER
) STRICT;

CREATE INDEX outbox_waiting ON outbox (due_at_ms, number) WHERE published_at_ms IS NULL;
CREATE INDEX outbox_of_subject ON outbox (tenant_id, subject, number) WHERE published_at_ms IS NULL;
CREATE INDEX outbox_published ON outbox (published_at_ms, seq);

-- Who has acted on what already.
CREATE TABLE inbox (
    event_id      TEXT    NOT NULL REFERENCES outbox (id) ON DELETE CASCADE,
    consumer      TEXT    NOT NULL,
    handled_at_ms INTEGER NOT NULL,
    PRIMARY KEY (event_id, consumer)
) STRICT;
