-- Keys that sign tokens; the private part is sealed under the master key (identity.md 2.3).
CREATE TABLE signing_keys (
    kid             TEXT    NOT NULL PRIMARY KEY,
    alg             TEXT    NOT NULL CHECK (alg IN ('EdDSA', 'ES256')),
    public_jwk      TEXT    NOT NULL,
    private_sealed  BLOB    NOT NULL,
    state           TEXT    NOT NULL CHECK (state IN ('pending', 'active', 'retiring', 'retired')),
    created_at_ms   INTEGER NOT NULL,
    activated_at_ms INTEGER,
    retire_after_ms INTEGER
) STRICT;
