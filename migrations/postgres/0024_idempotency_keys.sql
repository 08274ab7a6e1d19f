-- Requests that carry an Idempotency-Key, and their sealed answers (identity.md 2.1). Keys and bodies are tags.
CREATE TABLE idempotency_keys (
    id               BYTEA NOT NULL PRIMARY KEY,
    tenant_id        TEXT COLLATE "C" NOT NULL,
    body_tag         BYTEA NOT NULL,
    request_id       TEXT COLLATE "C" NOT NULL,
    claimed_at_ms    BIGINT NOT NULL,
    lease_ends_at_ms BIGINT NOT NULL,
    expires_at_ms    BIGINT NOT NULL,
    answer           BYTEA
);

CREATE INDEX idempotency_keys_by_end ON idempotency_keys (expires_at_ms);

-- Whether a request changed something.
CREATE INDEX audit_log_by_request ON audit_log (request_id);
