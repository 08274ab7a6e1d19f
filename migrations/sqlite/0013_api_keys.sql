-- Keys of programs (identity.md 2.5). Of the secret only its SHA-256 is kept: it has 256 random bits.
CREATE TABLE api_keys (
    id              TEXT    NOT NULL PRIMARY KEY,
    tenant_id       TEXT    NOT NULL REFERENCES tenants (id),
    owner_user_id   TEXT,
    slot            TEXT    NOT NULL CHECK (slot IN ('primary', 'secondary', 'none')),
    name            TEXT    NOT NULL,
    env             TEXT    NOT NULL,
    secret_hash     BLOB    NOT NULL,
    scopes          TEXT    NOT NULL,
    roles           TEXT    NOT NULL,
    ip_allowlist    TEXT    NOT NULL,
    rate_rps        INTEGER,
    rate_burst      INTEGER,
    created_by      TEXT    NOT NULL,
    created_at_ms   INTEGER NOT NULL,
    expires_at_ms   INTEGER,
    last_used_at_ms INTEGER,
    last_used_ip    TEXT,
    revoked_at_ms   INTEGER,
    revoke_reason   TEXT,
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, owner_user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE INDEX api_keys_by_owner ON api_keys (tenant_id, owner_user_id, id);

-- A tenant has one primary and one secondary key at most.
CREATE UNIQUE INDEX api_keys_by_slot ON api_keys (tenant_id, slot) WHERE slot <> 'none' AND revoked_at_ms IS NULL;
