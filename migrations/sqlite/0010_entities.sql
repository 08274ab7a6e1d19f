-- Entities that applications pushed into policy stores (authorize.md 2). Values and parents are JSON.
CREATE TABLE entities (
    store    TEXT    NOT NULL,
    type     TEXT    NOT NULL,
    id       TEXT    NOT NULL,
    attrs    TEXT    NOT NULL,
    tags     TEXT    NOT NULL,
    parents  TEXT    NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (store, type, id)
) STRICT;

-- How often the entities of a store were written, and after which write every change is in the log.
CREATE TABLE entity_revisions (
    store    TEXT    NOT NULL PRIMARY KEY,
    revision INTEGER NOT NULL,
    log_from INTEGER NOT NULL
) STRICT;

-- What each write touched; nodes read it to follow. Old rows are removed.
CREATE TABLE entity_changes (
    store    TEXT    NOT NULL,
    revision INTEGER NOT NULL,
    type     TEXT    NOT NULL,
    id       TEXT    NOT NULL,
    at_ms    INTEGER NOT NULL,
    PRIMARY KEY (store, revision, type, id)
) STRICT;
