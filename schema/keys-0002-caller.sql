-- Whose idempotency keys an API key uses: the id of the first key of its line, NULL for that one itself. A key that takes
-- another's place (analyticsctl key rotate) is the same caller, so a batch that was sent with the old key and is sent again
-- with the new one counts once.
ALTER TABLE api_key ADD COLUMN caller_id INTEGER;
