-- Roles of a tenant; a role inherits all that its parent may do (R119). Bindings grant them.
CREATE TABLE roles (
    tenant_id     TEXT    NOT NULL REFERENCES tenants (id),
    name          TEXT    NOT NULL,
    description   TEXT    NOT NULL,
    inherits      TEXT,
    builtin       INTEGER NOT NULL CHECK (builtin IN (0, 1)),
    created_at_ms INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, name),
    FOREIGN KEY (tenant_id, inherits) REFERENCES roles (tenant_id, name)
) STRICT;

CREATE TABLE role_bindings (
    id            TEXT    NOT NULL PRIMARY KEY,
    tenant_id     TEXT    NOT NULL,
    user_id       TEXT    NOT NULL,
    role          TEXT    NOT NULL,
    created_by    TEXT    NOT NULL,
    created_at_ms INTEGER NOT NULL,
    UNIQUE (tenant_id, user_id, role),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, role) REFERENCES roles (tenant_id, name)
) STRICT;

INSERT INTO roles (tenant_id, name, description, inherits, builtin, created_at_ms) VALUES
    ('ten_00000000000070008000000000000001', 'user', 'signs in and asks about itself', NULL, 1, 0),
    ('ten_00000000000070008000000000000001', 'manager', 'reads policies and asks about others', 'user', 1, 0),
    ('ten_00000000000070008000000000000001', 'admin', 'manages roles and application policies', 'manager', 1, 0),
    ('ten_00000000000070008000000000000001', 'super_admin', 'may do everything, and grant it', 'admin', 1, 0);
