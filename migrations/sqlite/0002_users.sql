-- People who sign in, and the hash of what they sign in with.
CREATE TABLE users (
    id             TEXT    NOT NULL PRIMARY KEY,
    tenant_id      TEXT    NOT NULL REFERENCES tenants (id),
    email          TEXT    NOT NULL,
    email_norm     TEXT    NOT NULL,
    username       TEXT,
    username_norm  TEXT,
    name           TEXT,
    status         TEXT    NOT NULL CHECK (status IN ('pending', 'active', 'locked', 'disabled')),
    email_verified INTEGER NOT NULL CHECK (email_verified IN (0, 1)),
    token_epoch    INTEGER NOT NULL DEFAULT 0,
    created_at_ms  INTEGER NOT NULL,
    updated_at_ms  INTEGER NOT NULL,
    UNIQUE (tenant_id, id),
    UNIQUE (tenant_id, email_norm),
    UNIQUE (tenant_id, username_norm)
) STRICT;

CREATE TABLE password_credentials (
    user_id       TEXT    NOT NULL PRIMARY KEY,
    tenant_id     TEXT    NOT NULL,
    phc           TEXT    NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
) STRICT;
