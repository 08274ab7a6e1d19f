-- The one-time token that lets the first administrator in; at most one row.
CREATE TABLE setup_token (
    id            INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    digest        BLOB    NOT NULL,
    created_at_ms INTEGER NOT NULL,
    used_at_ms    INTEGER
) STRICT;
