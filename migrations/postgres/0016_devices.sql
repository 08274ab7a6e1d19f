-- What users sign in from (R51), and what a session's browser or program looked like (R49).
CREATE TABLE devices (
    id              TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant_id       TEXT COLLATE "C" NOT NULL,
    user_id         TEXT COLLATE "C" NOT NULL,
    name            TEXT COLLATE "C",
    platform        TEXT COLLATE "C",
    public_key      TEXT COLLATE "C",
    trusted_at_ms   BIGINT,
    created_at_ms   BIGINT NOT NULL,
    last_seen_at_ms BIGINT NOT NULL,
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);

CREATE INDEX devices_by_user ON devices (tenant_id, user_id, id);

ALTER TABLE sessions ADD COLUMN agent_tag BYTEA;
ALTER TABLE sessions ADD COLUMN platform_tag BYTEA;
