-- Versions before this one asked the marketplace nothing, and parked the jobs that ask it.
UPDATE jobs SET state = 'due'
WHERE state = 'parked' AND kind IN ('confirm-license', 'query-entitlements', 'reconcile');
