-- What people say of themselves (R110 to R115): sealed, each column bound to itself and to its user.
CREATE TABLE profiles (
    user_id             TEXT    NOT NULL PRIMARY KEY,
    tenant_id           TEXT    NOT NULL,
    claims_sealed       BLOB    NOT NULL,
    metadata_sealed     BLOB    NOT NULL,
    key_id              TEXT    NOT NULL,
    revision            INTEGER NOT NULL,
    last_activity_at_ms INTEGER,
    created_at_ms       INTEGER NOT NULL,
    updated_at_ms       INTEGER NOT NULL,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
) STRICT;
