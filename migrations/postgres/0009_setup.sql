-- The one-time token that lets the first administrator in; at most one row.
CREATE TABLE setup_token (
    id            BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    digest        BYTEA NOT NULL,
    created_at_ms BIGINT NOT NULL,
    used_at_ms    BIGINT 
);
