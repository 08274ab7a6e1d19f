-- Running servers and the policy version that each one answers from.
CREATE TABLE nodes (
    id            TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name          TEXT COLLATE "C" NOT NULL,
    started_at_ms BIGINT NOT NULL,
    seen_at_ms    BIGINT NOT NULL
);

CREATE TABLE node_policies (
    node_id      TEXT COLLATE "C" NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    store        TEXT COLLATE "C" NOT NULL,
    number       BIGINT NOT NULL,
    seq          BIGINT NOT NULL,
    loaded_at_ms BIGINT NOT NULL,
    PRIMARY KEY (node_id, store)
);
