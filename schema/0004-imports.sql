-- What imports have stored, so that each log of a source is stored once, whatever files bring it. Kept for good: a file may
-- be imported again after its logs are deleted.
CREATE TABLE import_log (
    source INTEGER NOT NULL, -- name.id of --source; 0: none was named
    second INTEGER NOT NULL, -- ts
    hash   INTEGER NOT NULL, -- of the log: import_log_hash in lib/log/import_mark.h
    edges  INTEGER NOT NULL, -- whether its file may have begun (1) or ended (2) in this second: lib/log/import_match.h
    count  INTEGER NOT NULL, -- equal logs
    PRIMARY KEY (source, second, hash, edges)
) STRICT, WITHOUT ROWID;

-- Which batches are of imports.
CREATE TABLE import_batch (
    batch_id INTEGER PRIMARY KEY,
    source   INTEGER NOT NULL, -- name.id
    is_old   INTEGER NOT NULL  -- 1: of a version before this table. Its logs are in import_log once their quarter is in import_read
) STRICT;

-- Quarters of which the logs of old batches have been taken over from raw_log into import_log: when an import first comes by.
CREATE TABLE import_read (
    quarter INTEGER PRIMARY KEY
) STRICT;

-- Whether versions before this table imported anything: then there may have been logs of theirs before the horizon of raw_log.
CREATE TABLE import_state (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    has_old  INTEGER NOT NULL
) STRICT;

INSERT INTO import_state SELECT 1, EXISTS (SELECT 1 FROM batch_key
    WHERE caller = (SELECT id FROM name WHERE text = 'analyticsctl import'));

-- An import through the service was stored in the name of the API key. Its mark came in the same second.
INSERT INTO import_batch SELECT id, 0, 1 FROM batch WHERE (SELECT has_old FROM import_state)
    AND (caller = (SELECT id FROM name WHERE text = 'analyticsctl import') OR received_at IN (SELECT received_at FROM batch_key
        WHERE caller = (SELECT id FROM name WHERE text = 'analyticsctl import')));
