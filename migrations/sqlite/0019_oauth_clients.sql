-- Programs that get tokens of their own (RFC 6749), with digests of their secrets or their public keys.
CREATE TABLE oauth_clients (
    id                    TEXT    NOT NULL PRIMARY KEY,
    tenant_id             TEXT    NOT NULL REFERENCES tenants (id),
    name                  TEXT    NOT NULL,
    auth_method           TEXT    NOT NULL CHECK (auth_method IN ('client_secret_basic', 'private_key_jwt')),
    jwks                  TEXT   ,
    secret_hash           BLOB,
    previous_secret_hash  BLOB,
    previous_until_ms     INTEGER,
    grants                TEXT    NOT NULL,
    scopes                TEXT    NOT NULL,
    audiences             TEXT    NOT NULL,
    roles                 TEXT    NOT NULL,
    status                TEXT    NOT NULL CHECK (status IN ('active', 'disabled')),
    epoch                 INTEGER NOT NULL,
    created_by            TEXT    NOT NULL,
    created_at_ms         INTEGER NOT NULL,
    updated_at_ms         INTEGER NOT NULL,
    UNIQUE (tenant_id, id)
) STRICT;

-- Tokens of clients that were revoked before their end, until that end.
CREATE TABLE revoked_tokens (
    tenant_id     TEXT    NOT NULL,
    client_id     TEXT    NOT NULL,
    jti           TEXT    NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    PRIMARY KEY (client_id, jti),
    FOREIGN KEY (tenant_id, client_id) REFERENCES oauth_clients (tenant_id, id) ON DELETE CASCADE
) STRICT;

-- Assertions that a client signed in with, until their end: each is good for once (RFC 7523 3).
CREATE TABLE spent_assertions (
    tenant_id     TEXT    NOT NULL,
    client_id     TEXT    NOT NULL,
    jti           TEXT    NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    PRIMARY KEY (client_id, jti),
    FOREIGN KEY (tenant_id, client_id) REFERENCES oauth_clients (tenant_id, id) ON DELETE CASCADE
) STRICT;
