-- Immutable versions of policy stores, and which one is active (policy-lifecycle.md 2).
CREATE TABLE policy_versions (
    store         TEXT COLLATE "C" NOT NULL,
    number        BIGINT NOT NULL,
    digest        TEXT COLLATE "C" NOT NULL,
    semver        TEXT COLLATE "C" NOT NULL,
    parent        BIGINT,
    author        TEXT COLLATE "C" NOT NULL,
    message       TEXT COLLATE "C" NOT NULL,
    git_commit    TEXT COLLATE "C",
    git_dirty     BOOLEAN,
    bundle        BYTEA NOT NULL,
    check_report  TEXT COLLATE "C" NOT NULL,
    test_report   TEXT COLLATE "C" NOT NULL,
    created_at_ms BIGINT NOT NULL,
    PRIMARY KEY (store, number),
    UNIQUE (store, digest)
);

-- Every switch of the active version; the last one of a store is what is live.
CREATE TABLE policy_activations (
    store       TEXT COLLATE "C" NOT NULL,
    seq         BIGINT NOT NULL,
    from_number BIGINT,
    to_number   BIGINT NOT NULL,
    actor       TEXT COLLATE "C" NOT NULL,
    reason      TEXT COLLATE "C" NOT NULL,
    at_ms       BIGINT NOT NULL,
    PRIMARY KEY (store, seq),
    FOREIGN KEY (store, to_number) REFERENCES policy_versions (store, number)
);
