-- Programs that get tokens of their own (RFC 6749), with digests of their secrets or their public keys.
CREATE TABLE oauth_clients (
    id                    TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant_id             TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    name                  TEXT COLLATE "C" NOT NULL,
    auth_method           TEXT COLLATE "C" NOT NULL CHECK (auth_method IN ('client_secret_basic', 'private_key_jwt')),
    jwks                  TEXT COLLATE "C",
    secret_hash           BYTEA,
    previous_secret_hash  BYTEA,
    previous_until_ms     BIGINT,
    grants                TEXT COLLATE "C" NOT NULL,
    scopes                TEXT COLLATE "C" NOT NULL,
    audiences             TEXT COLLATE "C" NOT NULL,
    roles                 TEXT COLLATE "C" NOT NULL,
    status                TEXT COLLATE "C" NOT NULL CHECK (status IN ('active', 'disabled')),
    epoch                 BIGINT NOT NULL,
    created_by            TEXT COLLATE "C" NOT NULL,
    created_at_ms         BIGINT NOT NULL,
    updated_at_ms         BIGINT NOT NULL,
    UNIQUE (tenant_id, id)
);

-- Tokens of clients that were revoked before their end, until that end.
CREATE TABLE revoked_tokens (
    tenant_id     TEXT COLLATE "C" NOT NULL,
    client_id     TEXT COLLATE "C" NOT NULL,
    jti           TEXT COLLATE "C" NOT NULL,
    expires_at_ms BIGINT NOT NULL,
    PRIMARY KEY (client_id, jti),
    FOREIGN KEY (tenant_id, client_id) REFERENCES oauth_clients (tenant_id, id) ON DELETE CASCADE
);

-- Assertions that a client signed in with, until their end: each is good for once (RFC 7523 3).
CREATE TABLE spent_assertions (
    tenant_id     TEXT COLLATE "C" NOT NULL,
    client_id     TEXT COLLATE "C" NOT NULL,
    jti           TEXT COLLATE "C" NOT NULL,
    expires_at_ms BIGINT NOT NULL,
    PRIMARY KEY (client_id, jti),
    FOREIGN KEY (tenant_id, client_id) REFERENCES oauth_clients (tenant_id, id) ON DELETE CASCADE
);
