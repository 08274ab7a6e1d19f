-- Immutable versions of policy stores, and which one is active (policy-lifecycle.md 2).
CREATE TABLE policy_versions (
    store         TEXT    NOT NULL,
    number        INTEGER NOT NULL,
    digest        TEXT    NOT NULL,
    semver        TEXT    NOT NULL,
    parent        INTEGER,
    author        TEXT    NOT NULL,
    message       TEXT    NOT NULL,
    git_commit    TEXT,
    git_dirty     INTEGER CHECK (git_dirty IN (0, 1)),
    bundle        BLOB    NOT NULL,
    check_report  TEXT    NOT NULL,
    test_report   TEXT    NOT NULL,
    created_at_ms INTEGER NOT NULL,
    PRIMARY KEY (store, number),
    UNIQUE (store, digest)
) STRICT;

-- Every switch of the active version; the last one of a store is what is live.
CREATE TABLE policy_activations (
    store       TEXT    NOT NULL,
    seq         INTEGER NOT NULL,
    from_number INTEGER,
    to_number   INTEGER NOT NULL,
    actor       TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    at_ms       INTEGER NOT NULL,
    PRIMARY KEY (store, seq),
    FOREIGN KEY (store, to_number) REFERENCES policy_versions (store, number)
) STRICT;
