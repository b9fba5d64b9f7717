-- In which transaction each subscription was last written: what a follower reads on from. Only one transaction
-- writes at a time, so the highest number that is stored and one more is a new one.
-- 0 in rows from before.
ALTER TABLE subscriptions ADD COLUMN changed_in INTEGER NOT NULL DEFAULT 0;

CREATE INDEX subscriptions_by_change ON subscriptions (changed_in, key) WHERE listed;

-- Access that the seller gives outside any marketplace. A row stays when its grant is revoked, so that
-- followers see that.
CREATE TABLE grants (
    -- The caller's own.
    id TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    -- For this user only; for all of the tenant's where it is NULL.
    user_id TEXT,
    product TEXT NOT NULL,
    -- The first instant at which it is over.
    until INTEGER,
    why TEXT NOT NULL,
    granted_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_by TEXT,
    revoked_at INTEGER,
    changed_in INTEGER NOT NULL
) STRICT;

CREATE INDEX grants_by_change ON grants (changed_in, id);
CREATE INDEX grants_by_tenant ON grants (tenant, id);

-- What was done with each grant, and by whom; written once and kept.
CREATE TABLE grant_acts (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    grant_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    -- put, revoked
    what TEXT NOT NULL,
    actor TEXT NOT NULL,
    -- What was put, as JSON.
    detail TEXT NOT NULL
) STRICT;

CREATE INDEX grant_acts_by_grant ON grant_acts (grant_id, number);
