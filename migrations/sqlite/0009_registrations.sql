-- Buyers on their way to a tenant: at most one row for a subscription, however often its buyer comes. What a
-- marketplace's token said is here, the token never is. Rows are removed once they are over.
CREATE TABLE registrations (
    -- Random.
    id TEXT NOT NULL PRIMARY KEY,
    subscription TEXT NOT NULL UNIQUE,
    account TEXT,
    license_arn TEXT,
    agreement TEXT,
    -- What the buyer says of himself: all of it or none.
    company TEXT,
    contact TEXT,
    email TEXT,
    submitted_at INTEGER,
    created_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL
) STRICT;

CREATE INDEX registrations_over ON registrations (ends_at);

-- Each time that a buyer comes. Secrets stand here as their SHA-256.
CREATE TABLE visits (
    -- Random; it stands in the address of the visit's page.
    id TEXT NOT NULL PRIMARY KEY,
    registration TEXT NOT NULL REFERENCES registrations (id) ON DELETE CASCADE,
    -- Of the secret in the cookie.
    browser BLOB NOT NULL,
    ends_at INTEGER NOT NULL,
    -- Of the code that the buyer takes to the app, until it is taken.
    code BLOB UNIQUE,
    code_ends_at INTEGER
) STRICT;

CREATE INDEX visits_by_registration ON visits (registration);
CREATE INDEX visits_over ON visits (ends_at);
