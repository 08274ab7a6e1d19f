-- Keys that sign tokens; the private part is sealed under the master key (identity.md 2.3).
CREATE TABLE signing_keys (
    kid             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    alg             TEXT COLLATE "C" NOT NULL CHECK (alg IN ('EdDSA', 'ES256')),
    public_jwk      TEXT COLLATE "C" NOT NULL,
    private_sealed  BYTEA NOT NULL,
    state           TEXT COLLATE "C" NOT NULL CHECK (state IN ('pending', 'active', 'retiring', 'retired')),
    created_at_ms   BIGINT NOT NULL,
    activated_at_ms BIGINT,
    retire_after_ms BIGINT 
);
