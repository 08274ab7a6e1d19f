-- Users whom a tenant's own server names (R99 to R103): by its id of them, and with no address and no password.
-- Who has no such id has an address.
--
-- SQLite cannot take NOT NULL off a column, and a table that others refer to is not made anew without deleting what
-- refers to it. So the text of the table is changed where it stands, which SQLite allows for constraints that change
-- nothing on the disk (https://sqlite.org/lang_altertable.html, section 7).
PRAGMA writable_schema = ON;

UPDATE sqlite_schema
SET sql = replace(replace(sql,
        '    email          TEXT    NOT NULL,', '    email          TEXT,'),
        '    email_norm     TEXT    NOT NULL,', '    email_norm     TEXT,')
WHERE type = 'table' AND name = 'users';

PRAGMA writable_schema = RESET;

ALTER TABLE users ADD COLUMN external_id TEXT
    CHECK ((email IS NULL) = (email_norm IS NULL) AND (email IS NOT NULL OR external_id IS NOT NULL));
ALTER TABLE users ADD COLUMN external_data BLOB;

CREATE UNIQUE INDEX users_by_external_id ON users (tenant_id, external_id);

-- The key that opened a session for such a user, and the web origin that its tokens are for.
ALTER TABLE sessions ADD COLUMN api_key_id TEXT;
ALTER TABLE sessions ADD COLUMN origin TEXT;

CREATE INDEX sessions_by_api_key ON sessions (tenant_id, api_key_id);
