-- The boundary that no data crosses (R97). The first tenant is the installation's own.
CREATE TABLE tenants (
    id            TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name          TEXT COLLATE "C" NOT NULL,
    status        TEXT COLLATE "C" NOT NULL CHECK (status IN ('active', 'suspended')),
    token_epoch   BIGINT NOT NULL DEFAULT 0,
    created_at_ms BIGINT NOT NULL
);

INSERT INTO tenants (id, name, status, token_epoch, created_at_ms)
VALUES ('ten_00000000000070008000000000000001', 'default', 'active', 0, 0);
