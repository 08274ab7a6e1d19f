-- What people say of themselves (R110 to R115): sealed, each column bound to itself and to its user.
CREATE TABLE profiles (
    user_id             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant_id           TEXT COLLATE "C" NOT NULL,
    claims_sealed       BYTEA NOT NULL,
    metadata_sealed     BYTEA NOT NULL,
    key_id              TEXT COLLATE "C" NOT NULL,
    revision            BIGINT NOT NULL,
    last_activity_at_ms BIGINT,
    created_at_ms       BIGINT NOT NULL,
    updated_at_ms       BIGINT NOT NULL,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
