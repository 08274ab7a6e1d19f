-- The second factor: an app's secret, recovery codes, and sign-ins that wait for one of them.
CREATE TABLE totp_factors (
    user_id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant_id       TEXT COLLATE "C" NOT NULL,
    secret_sealed   BYTEA NOT NULL,
    confirmed_at_ms BIGINT,
    last_step       BIGINT NOT NULL,
    created_at_ms   BIGINT NOT NULL,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);

CREATE TABLE recovery_codes (
    user_id    TEXT COLLATE "C" NOT NULL,
    tenant_id  TEXT COLLATE "C" NOT NULL,
    digest     BYTEA NOT NULL,
    used_at_ms BIGINT,
    PRIMARY KEY (user_id, digest),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);

CREATE TABLE mfa_steps (
    digest        BYTEA NOT NULL PRIMARY KEY,
    tenant_id     TEXT COLLATE "C" NOT NULL,
    user_id       TEXT COLLATE "C" NOT NULL,
    device_id     TEXT COLLATE "C",
    epoch         BIGINT NOT NULL,
    tries         BIGINT NOT NULL,
    expires_at_ms BIGINT NOT NULL,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);

CREATE INDEX mfa_steps_by_end ON mfa_steps (expires_at_ms);
