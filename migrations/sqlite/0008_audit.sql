-- Who did what: written in the transaction that does it.
CREATE TABLE audit_log (
    id         TEXT    NOT NULL PRIMARY KEY,
    tenant_id  TEXT    NOT NULL REFERENCES tenants (id),
    at_ms      INTEGER NOT NULL,
    actor      TEXT    NOT NULL,
    action     TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    detail     TEXT    NOT NULL,
    request_id TEXT
) STRICT;

CREATE INDEX audit_log_by_time ON audit_log (tenant_id, at_ms, id);
