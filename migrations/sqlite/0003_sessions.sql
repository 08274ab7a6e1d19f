-- One row a sign-in; rotation is one compare-and-swap on rt_hash (identity.md 2.4).
CREATE TABLE sessions (
    id                 TEXT    NOT NULL PRIMARY KEY,
    tenant_id          TEXT    NOT NULL,
    user_id            TEXT    NOT NULL,
    device_id          TEXT    NOT NULL,
    kind               TEXT    NOT NULL CHECK (kind IN ('user', 'sdk', 'oauth')),
    version            INTEGER NOT NULL,
    epoch              INTEGER NOT NULL,
    rt_hash            BLOB    NOT NULL,
    prev_rt_hash       BLOB,
    grace_blob         BLOB,
    rotated_at_ms      INTEGER NOT NULL,
    ip_first           TEXT,
    ip_last            TEXT,
    user_agent         TEXT,
    device_name        TEXT,
    device_platform    TEXT,
    amr                TEXT    NOT NULL,
    auth_time_ms       INTEGER NOT NULL,
    created_at_ms      INTEGER NOT NULL,
    last_seen_at_ms    INTEGER NOT NULL,
    idle_expires_at_ms INTEGER NOT NULL,
    abs_expires_at_ms  INTEGER NOT NULL,
    revoked_at_ms      INTEGER,
    revoke_reason      TEXT,
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE INDEX sessions_by_user ON sessions (tenant_id, user_id, id);

-- What every node pulls when the bus said nothing (events-and-ha.md 7.2): the truth is above, this is its news.
CREATE TABLE revocations (
    seq     INTEGER PRIMARY KEY,
    kind    TEXT    NOT NULL CHECK (kind IN ('session', 'user')),
    subject TEXT    NOT NULL,
    epoch   INTEGER NOT NULL,
    at_ms   INTEGER NOT NULL
) STRICT;

CREATE INDEX revocations_by_time ON revocations (at_ms, seq);
