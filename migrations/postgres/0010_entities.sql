-- Entities that applications pushed into policy stores (authorize.md 2). Values and parents are JSON.
CREATE TABLE entities (
    store    TEXT COLLATE "C" NOT NULL,
    type     TEXT COLLATE "C" NOT NULL,
    id       TEXT COLLATE "C" NOT NULL,
    attrs    TEXT COLLATE "C" NOT NULL,
    tags     TEXT COLLATE "C" NOT NULL,
    parents  TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    PRIMARY KEY (store, type, id)
);

-- How often the entities of a store were written, and after which write every change is in the log.
CREATE TABLE entity_revisions (
    store    TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    revision BIGINT NOT NULL,
    log_from BIGINT NOT NULL
);

-- What each write touched; nodes read it to follow. Old rows are removed.
CREATE TABLE entity_changes (
    store    TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    type     TEXT COLLATE "C" NOT NULL,
    id       TEXT COLLATE "C" NOT NULL,
    at_ms    BIGINT NOT NULL,
    PRIMARY KEY (store, revision, type, id)
);
