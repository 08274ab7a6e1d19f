-- Mail that waits to be written and sent. It holds what a mail is about, no text and no token.
CREATE TABLE mails (
    id            TEXT    NOT NULL PRIMARY KEY,
    tenant_id     TEXT    NOT NULL REFERENCES tenants (id),
    kind          TEXT    NOT NULL,
    user_id       TEXT,
    address       TEXT,
    tries         INTEGER NOT NULL,
    due_at_ms     INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX mails_by_due ON mails (due_at_ms, id);
