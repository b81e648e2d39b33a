-- API keys of the bundled authentication (keys.db). The key itself is never stored: only the BLAKE2b-256 hash of its
-- text. A key has 256 random bits, so a fast hash without salt is enough: there is nothing to guess.
CREATE TABLE api_key (
    id           INTEGER PRIMARY KEY AUTOINCREMENT, -- never used twice: it names the caller in batch_key
    hash         BLOB NOT NULL UNIQUE,              -- 32 bytes
    name         TEXT NOT NULL,                     -- the operator's label
    role         TEXT NOT NULL CHECK (role IN ('worker', 'user', 'admin')),
    user_id      INTEGER CHECK ((role = 'user') = (user_id IS NOT NULL)),
    created_at   INTEGER NOT NULL,                  -- all times: Unix seconds
    expires_at   INTEGER,                           -- valid before this instant; NULL: for ever
    revoked_at   INTEGER,
    last_used_at INTEGER                            -- written at most once an hour
) STRICT;
