-- Requests that carry an Idempotency-Key, and their sealed answers (identity.md 2.1). Keys and bodies are tags.
CREATE TABLE idempotency_keys (
    id               BLOB NOT NULL PRIMARY KEY,
    tenant_id        TEXT NOT NULL,
    body_tag         BLOB NOT NULL,
    request_id       TEXT NOT NULL,
    claimed_at_ms    INTEGER NOT NULL,
    lease_ends_at_ms INTEGER NOT NULL,
    expires_at_ms    INTEGER NOT NULL,
    answer           BLOB
) STRICT;

CREATE INDEX idempotency_keys_by_end ON idempotency_keys (expires_at_ms);

-- Whether a request changed something.
CREATE INDEX audit_log_by_request ON audit_log (request_id);
