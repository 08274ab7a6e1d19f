-- The news of what ended, for other services too (R105): of every kind, with the tenant that it concerns (all of them
-- where it is none), and with a `seq` that is given when it is told, so that whoever reads on from one misses nothing.
ALTER TABLE revocations RENAME COLUMN seq TO number;
ALTER TABLE revocations ADD COLUMN seq BIGINT UNIQUE;
ALTER TABLE revocations ADD COLUMN tenant_id TEXT COLLATE "C";
ALTER TABLE revocations DROP CONSTRAINT revocations_kind_check;
ALTER TABLE revocations ADD CONSTRAINT revocations_kind_check
    CHECK (kind IN ('session', 'user', 'device', 'tenant', 'api_key', 'oauth_client', 'oauth_token', 'signing_key',
                    'gone'));

UPDATE revocations
SET tenant_id = CASE kind WHEN 'session' THEN (SELECT tenant_id FROM sessions WHERE id = subject)
                          ELSE (SELECT tenant_id FROM users WHERE id = subject) END;

CREATE INDEX revocations_untold ON revocations (number) WHERE seq IS NULL;
