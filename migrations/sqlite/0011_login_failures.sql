-- Wrong passwords in a row, by user, by known device, or by an identifier that is nobody's.
CREATE TABLE login_failures (
    tenant_id       TEXT    NOT NULL REFERENCES tenants (id),
    subject         TEXT    NOT NULL,
    failures        INTEGER NOT NULL,
    locks           INTEGER NOT NULL,
    locked_until_ms INTEGER NOT NULL,
    forget_at_ms    INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, subject)
) STRICT;

CREATE INDEX login_failures_by_end ON login_failures (forget_at_ms);
