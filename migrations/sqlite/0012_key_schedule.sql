-- When a published key is to sign, and when one was dropped before its time.
ALTER TABLE signing_keys ADD COLUMN not_before_ms INTEGER;
ALTER TABLE signing_keys ADD COLUMN revoked_at_ms INTEGER;
