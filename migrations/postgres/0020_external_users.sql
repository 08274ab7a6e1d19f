-- Users whom a tenant's own server names (R99 to R103): by its id of them, and with no address and no password.
-- Who has no such id has an address.
ALTER TABLE users ALTER COLUMN email DROP NOT NULL;
ALTER TABLE users ALTER COLUMN email_norm DROP NOT NULL;

ALTER TABLE users ADD COLUMN external_id TEXT COLLATE "C"
    CHECK ((email IS NULL) = (email_norm IS NULL) AND (email IS NOT NULL OR external_id IS NOT NULL));
ALTER TABLE users ADD COLUMN external_data BYTEA;

CREATE UNIQUE INDEX users_by_external_id ON users (tenant_id, external_id);

-- The key that opened a session for such a user, and the web origin that its tokens are for.
ALTER TABLE sessions ADD COLUMN api_key_id TEXT COLLATE "C";
ALTER TABLE sessions ADD COLUMN origin TEXT COLLATE "C";

CREATE INDEX sessions_by_api_key ON sessions (tenant_id, api_key_id);
