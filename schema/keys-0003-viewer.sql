-- Keys of the role viewer: they read, and nothing else, within filters that nobody can take off. SQLite can't widen a CHECK, so
-- the table is made anew. Ids stay, and no key is ever deleted, so AUTOINCREMENT goes on from the greatest.
CREATE TABLE api_key_3 (
    id           INTEGER PRIMARY KEY AUTOINCREMENT, -- never used twice: it names the caller in batch_key
    hash         BLOB NOT NULL UNIQUE,              -- 32 bytes
    name         TEXT NOT NULL,                     -- the operator's label
    role         TEXT NOT NULL CHECK (role IN ('worker', 'user', 'admin', 'viewer')),
    user_id      INTEGER CHECK ((role = 'user') = (user_id IS NOT NULL)),
    created_at   INTEGER NOT NULL,                  -- all times: Unix seconds
    expires_at   INTEGER,                           -- valid before this instant; NULL: for ever
    revoked_at   INTEGER,
    last_used_at INTEGER,                           -- written at most once an hour
    caller_id    INTEGER,                           -- the first key of its line, NULL for that one itself
    filters      TEXT CHECK ((role = 'viewer') = (filters IS NOT NULL)) -- as a report's query string has them; '': everything
) STRICT;
INSERT INTO api_key_3 (id, hash, name, role, user_id, created_at, expires_at, revoked_at, last_used_at, caller_id)
    SELECT id, hash, name, role, user_id, created_at, expires_at, revoked_at, last_used_at, caller_id FROM api_key;
DROP TABLE api_key;
ALTER TABLE api_key_3 RENAME TO api_key;
