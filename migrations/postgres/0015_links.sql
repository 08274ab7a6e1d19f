-- Links that work once: to prove an address, to choose a password. What is stored of their token is its digest.
CREATE TABLE links (
    digest        BYTEA NOT NULL PRIMARY KEY,
    tenant_id     TEXT COLLATE "C" NOT NULL,
    user_id       TEXT COLLATE "C" NOT NULL,
    purpose       TEXT COLLATE "C" NOT NULL CHECK (purpose IN ('verify_email', 'change_email', 'reset_password')),
    epoch         BIGINT NOT NULL,
    address       TEXT COLLATE "C" NOT NULL,
    expires_at_ms BIGINT NOT NULL,
    used_at_ms    BIGINT,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);

CREATE INDEX links_by_end ON links (expires_at_ms);
