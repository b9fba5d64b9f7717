-- Buyers on their way to a tenant: at most one row for a subscription, however often its buyer comes. What a
-- marketplace's token said is here, the token never is. Rows are removed once they are over.
CREATE TABLE registrations (
    -- Random.
    id TEXT COLLATE "C" PRIMARY KEY,
    subscription TEXT COLLATE "C" NOT NULL UNIQUE,
    account TEXT COLLATE "C",
    license_arn TEXT COLLATE "C",
    agreement TEXT COLLATE "C",
    -- What the buyer says of himself: all of it or none.
    company TEXT,
    contact TEXT,
    email TEXT,
    submitted_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL,
    seen_at TIMESTAMPTZ NOT NULL,
    ends_at TIMESTAMPTZ NOT NULL
);

CREATE INDEX registrations_over ON registrations (ends_at);

-- Each time that a buyer comes. Secrets stand here as their SHA-256.
CREATE TABLE visits (
    -- Random; it stands in the address of the visit's page.
    id TEXT COLLATE "C" PRIMARY KEY,
    registration TEXT COLLATE "C" NOT NULL REFERENCES registrations (id) ON DELETE CASCADE,
    -- Of the secret in the cookie.
    browser BYTEA NOT NULL,
    ends_at TIMESTAMPTZ NOT NULL,
    -- Of the code that the buyer takes to the app, until it is taken.
    code BYTEA UNIQUE,
    code_ends_at TIMESTAMPTZ
);

CREATE INDEX visits_by_registration ON visits (registration);
CREATE INDEX visits_over ON visits (ends_at);
