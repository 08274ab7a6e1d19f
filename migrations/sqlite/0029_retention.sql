-- What is forgotten is found without reading everything.
CREATE INDEX sessions_by_idle_end ON sessions (idle_expires_at_ms);
CREATE INDEX devices_by_last_use ON devices (last_seen_at_ms);
