-- Keys of programs (identity.md 2.5). Of the secret only its SHA-256 is kept: it has 256 random bits.
CREATE TABLE api_keys (
    id              TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant_id       TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    owner_user_id   TEXT COLLATE "C",
    slot            TEXT COLLATE "C" NOT NULL CHECK (slot IN ('primary', 'secondary', 'none')),
    name            TEXT COLLATE "C" NOT NULL,
    env             TEXT COLLATE "C" NOT NULL,
    secret_hash     BYTEA    NOT NULL,
    scopes          TEXT COLLATE "C" NOT NULL,
    roles           TEXT COLLATE "C" NOT NULL,
    ip_allowlist    TEXT COLLATE "C" NOT NULL,
    rate_rps        BIGINT,
    rate_burst      BIGINT,
    created_by      TEXT COLLATE "C" NOT NULL,
    created_at_ms   BIGINT NOT NULL,
    expires_at_ms   BIGINT,
    last_used_at_ms BIGINT,
    last_used_ip    TEXT COLLATE "C",
    revoked_at_ms   BIGINT,
    revoke_reason   TEXT COLLATE "C",
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, owner_user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);

CREATE INDEX api_keys_by_owner ON api_keys (tenant_id, owner_user_id, id);

-- A tenant has one primary and one secondary key at most.
CREATE UNIQUE INDEX api_keys_by_slot ON api_keys (tenant_id, slot) WHERE slot <> 'none' AND revoked_at_ms IS NULL;
