-- What users sign in from (R51), and what a session's browser or program looked like (R49).
CREATE TABLE devices (
    id              TEXT    NOT NULL PRIMARY KEY,
    tenant_id       TEXT    NOT NULL,
    user_id         TEXT    NOT NULL,
    name            TEXT,
    platform        TEXT,
    public_key      TEXT,
    trusted_at_ms   INTEGER,
    created_at_ms   INTEGER NOT NULL,
    last_seen_at_ms INTEGER NOT NULL,
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE INDEX devices_by_user ON devices (tenant_id, user_id, id);

ALTER TABLE sessions ADD COLUMN agent_tag BLOB;
ALTER TABLE sessions ADD COLUMN platform_tag BLOB;
