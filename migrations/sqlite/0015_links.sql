-- Links that work once: to prove an address, to choose a password. What is stored of their token is its digest.
CREATE TABLE links (
    digest        BLOB NOT NULL PRIMARY KEY,
    tenant_id     TEXT    NOT NULL,
    user_id       TEXT    NOT NULL,
    purpose       TEXT    NOT NULL CHECK (purpose IN ('verify_email', 'change_email', 'reset_password')),
    epoch         INTEGER NOT NULL,
    address       TEXT    NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    used_at_ms    INTEGER,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE INDEX links_by_end ON links (expires_at_ms);
