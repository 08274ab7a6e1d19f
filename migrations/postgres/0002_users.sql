-- People who sign in, and the hash of what they sign in with.
CREATE TABLE users (
    id             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant_id      TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    email          TEXT COLLATE "C" NOT NULL,
    email_norm     TEXT COLLATE "C" NOT NULL,
    username       TEXT COLLATE "C",
    username_norm  TEXT COLLATE "C",
    name           TEXT COLLATE "C",
    status         TEXT COLLATE "C" NOT NULL CHECK (status IN ('pending', 'active', 'locked', 'disabled')),
    email_verified BOOLEAN NOT NULL,
    token_epoch    BIGINT NOT NULL DEFAULT 0,
    created_at_ms  BIGINT NOT NULL,
    updated_at_ms  BIGINT NOT NULL,
    UNIQUE (tenant_id, id),
    UNIQUE (tenant_id, email_norm),
    UNIQUE (tenant_id, username_norm)
);

CREATE TABLE password_credentials (
    user_id       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant_id     TEXT COLLATE "C" NOT NULL,
    phc           TEXT COLLATE "C" NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
