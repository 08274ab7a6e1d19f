-- The second factor: an app's secret, recovery codes, and sign-ins that wait for one of them.
CREATE TABLE totp_factors (
    user_id         TEXT    NOT NULL PRIMARY KEY,
    tenant_id       TEXT    NOT NULL,
    secret_sealed   BLOB    NOT NULL,
    confirmed_at_ms INTEGER,
    last_step       INTEGER NOT NULL,
    created_at_ms   INTEGER NOT NULL,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE TABLE recovery_codes (
    user_id    TEXT    NOT NULL,
    tenant_id  TEXT    NOT NULL,
    digest     BLOB    NOT NULL,
    used_at_ms INTEGER,
    PRIMARY KEY (user_id, digest),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE TABLE mfa_steps (
    digest        BLOB    NOT NULL PRIMARY KEY,
    tenant_id     TEXT    NOT NULL,
    user_id       TEXT    NOT NULL,
    device_id     TEXT,
    epoch         INTEGER NOT NULL,
    tries         INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE INDEX mfa_steps_by_end ON mfa_steps (expires_at_ms);
