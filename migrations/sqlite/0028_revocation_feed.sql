-- The news of what ended, for other services too (R105): of every kind, with the tenant that it concerns (all of them
-- where it is none), and with a `seq` that is given when it is told, so that whoever reads on from one misses nothing.
-- Made anew, because SQLite cannot change the list of kinds.
DROP INDEX revocations_by_time;
ALTER TABLE revocations RENAME TO revocations_before;

CREATE TABLE revocations (
    number    INTEGER PRIMARY KEY,
    seq       INTEGER UNIQUE,
    tenant_id TEXT,
    kind      TEXT    NOT NULL CHECK (kind IN ('session', 'user', 'device', 'tenant', 'api_key', 'oauth_client',
                                               'oauth_token', 'signing_key', 'gone')),
    subject   TEXT    NOT NULL,
    epoch     INTEGER NOT NULL,
    at_ms     INTEGER NOT NULL
) STRICT;

INSERT INTO revocations (number, tenant_id, kind, subject, epoch, at_ms)
SELECT seq, CASE kind WHEN 'session' THEN (SELECT tenant_id FROM sessions WHERE id = subject)
                      ELSE (SELECT tenant_id FROM users WHERE id = subject) END, kind, subject, epoch, at_ms
FROM revocations_before;

DROP TABLE revocations_before;

CREATE INDEX revocations_by_time ON revocations (at_ms, number);
CREATE INDEX revocations_untold ON revocations (number) WHERE seq IS NULL;
