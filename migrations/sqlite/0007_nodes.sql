-- Running servers and the policy version that each one answers from.
CREATE TABLE nodes (
    id            TEXT    NOT NULL PRIMARY KEY,
    name          TEXT    NOT NULL,
    started_at_ms INTEGER NOT NULL,
    seen_at_ms    INTEGER NOT NULL
) STRICT;

CREATE TABLE node_policies (
    node_id      TEXT    NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    store        TEXT    NOT NULL,
    number       INTEGER NOT NULL,
    seq          INTEGER NOT NULL,
    loaded_at_ms INTEGER NOT NULL,
    PRIMARY KEY (node_id, store)
) STRICT;
