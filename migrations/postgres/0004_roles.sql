-- Roles of a tenant; a role inherits all that its parent may do (R119). Bindings grant them.
CREATE TABLE roles (
    tenant_id     TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    name          TEXT COLLATE "C" NOT NULL,
    description   TEXT COLLATE "C" NOT NULL,
    inherits      TEXT COLLATE "C",
    builtin       BOOLEAN NOT NULL,
    created_at_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, name),
    FOREIGN KEY (tenant_id, inherits) REFERENCES roles (tenant_id, name)
);

CREATE TABLE role_bindings (
    id            TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant_id     TEXT COLLATE "C" NOT NULL,
    user_id       TEXT COLLATE "C" NOT NULL,
    role          TEXT COLLATE "C" NOT NULL,
    created_by    TEXT COLLATE "C" NOT NULL,
    created_at_ms BIGINT NOT NULL,
    UNIQUE (tenant_id, user_id, role),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, role) REFERENCES roles (tenant_id, name)
);

INSERT INTO roles (tenant_id, name, description, inherits, builtin, created_at_ms) VALUES
    ('ten_00000000000070008000000000000001', 'user', 'signs in and asks about itself', NULL, TRUE, 0),
    ('ten_00000000000070008000000000000001', 'manager', 'reads policies and asks about others', 'user', TRUE, 0),
    ('ten_00000000000070008000000000000001', 'admin', 'manages roles and application policies', 'manager', TRUE, 0),
    ('ten_00000000000070008000000000000001', 'super_admin', 'may do everything, and grant it', 'admin', TRUE, 0);
