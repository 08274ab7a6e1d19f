-- Wrong passwords in a row, by user, by known device, or by an identifier that is nobody's.
CREATE TABLE login_failures (
    tenant_id       TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    subject         TEXT COLLATE "C" NOT NULL,
    failures        BIGINT NOT NULL,
    locks           BIGINT NOT NULL,
    locked_until_ms BIGINT NOT NULL,
    forget_at_ms    BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, subject)
);

CREATE INDEX login_failures_by_end ON login_failures (forget_at_ms);
