-- Mail that waits to be written and sent. It holds what a mail is about, no text and no token.
CREATE TABLE mails (
    id            TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant_id     TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    kind          TEXT COLLATE "C" NOT NULL,
    user_id       TEXT COLLATE "C",
    address       TEXT COLLATE "C",
    tries         BIGINT NOT NULL,
    due_at_ms     BIGINT NOT NULL,
    created_at_ms BIGINT NOT NULL
);

CREATE INDEX mails_by_due ON mails (due_at_ms, id);
