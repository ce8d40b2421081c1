CREATE TABLE violation (
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    source_kind TEXT NOT NULL,
    source_name TEXT NOT NULL,
    source_address BLOB NOT NULL,
    source_tenant TEXT,
    source_endpoint TEXT,
    destination_kind TEXT NOT NULL,
    destination_name TEXT NOT NULL,
    destination_address BLOB NOT NULL,
    destination_tenant TEXT,
    destination_endpoint TEXT,
    protocol INTEGER NOT NULL,
    source_port INTEGER,
    destination_port INTEGER,
    message_type INTEGER,
    message_code INTEGER,
    direction TEXT NOT NULL,
    layer TEXT NOT NULL,
    reason TEXT NOT NULL,
    packets INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    closest TEXT,
    generation INTEGER NOT NULL
);
ALTER TABLE violation ADD COLUMN flows INTEGER;
ALTER TABLE violation ADD COLUMN source_party TEXT;
ALTER TABLE violation ADD COLUMN destination_party TEXT;
CREATE TABLE hourly_total (
    hour INTEGER NOT NULL,
    source_kind TEXT NOT NULL,
    source_name TEXT NOT NULL,
    destination_kind TEXT NOT NULL,
    destination_name TEXT NOT NULL,
    direction TEXT NOT NULL,
    reason TEXT NOT NULL,
    packets INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    flows INTEGER NOT NULL,
    PRIMARY KEY (
        hour, source_kind, source_name, destination_kind, destination_name, direction,
        reason)
) WITHOUT ROWID;
CREATE TABLE generation (
    id INTEGER PRIMARY KEY,
    number INTEGER NOT NULL,
    applied INTEGER NOT NULL,
    changed_endpoints INTEGER NOT NULL,
    read_milliseconds REAL NOT NULL,
    compile_milliseconds REAL NOT NULL,
    apply_milliseconds REAL NOT NULL,
    changes TEXT NOT NULL,
    errors TEXT NOT NULL,
    UNIQUE (applied, number)
);
CREATE TABLE policy_file (
    path TEXT NOT NULL,
    digest TEXT NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER,
    PRIMARY KEY (path, since)
) WITHOUT ROWID;
CREATE INDEX policy_file_until ON policy_file (until);
CREATE TABLE drift (
    id INTEGER PRIMARY KEY,
    found INTEGER NOT NULL,
    tenant TEXT,
    endpoint TEXT NOT NULL,
    change TEXT NOT NULL,
    process TEXT,
    pid INTEGER,
    user INTEGER,
    is_repaired INTEGER NOT NULL
);
CREATE INDEX drift_found ON drift (found);
CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    started INTEGER NOT NULL,
    stopped INTEGER,
    version TEXT NOT NULL,
    pid INTEGER NOT NULL,
    UNIQUE (started, pid)
);
CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY);
INSERT INTO grdb_migrations VALUES ('v1');
INSERT INTO grdb_migrations VALUES ('v2');
-- The window's first moment in the key, then the flow: see ViolationKey.
INSERT INTO violation VALUES (
    1, X'8000019B7C5C89AE040A000001', 1767323045678, 1767323046178,
    'tenant', 'shop', X'0A000001', 'shop', 'shop-1',
    'tenant', 'payments', X'FD000000000000000000000000000001', 'payments', 'payments-db',
    6, 40000, 5432, NULL, NULL, 'ingress', 'nftables', 'noRule', 3, 180,
    '{"fix":"add tcp 5432 to its ports","lack":"the rule admits tcp 443, not tcp 5432"}', 7, NULL, NULL, NULL);
INSERT INTO violation VALUES (
    2, X'8000019B7C5C89AF040A000002', 1767323045679, 1767323045679,
    'address', '192.0.2.7', X'C0000207', NULL, NULL,
    'tenant', 'payments', X'0A000002', 'payments', 'payments-db',
    1, NULL, NULL, 8, 0, 'ingress', 'hostFilter', 'identity', 1, 84, NULL, 7, NULL, NULL, NULL);
INSERT INTO hourly_total VALUES (
    1767322800000, 'tenant', 'shop', 'tenant', 'payments', 'ingress', 'noRule', 3, 180, 1);
INSERT INTO generation VALUES (
    1, 7, 1767323045678, 4, 1.25, 0.5, 12.75, '[{"file":"a.yaml","kind":"added"}]', '[]');
INSERT INTO policy_file VALUES ('a.yaml', '00ff', 1, NULL);
INSERT INTO drift VALUES (
    1, 1767323045678, 'shop', 'shop-1', 'the set own4 lacks 10.0.0.1', 'nft', 4711, 0, 1);
INSERT INTO run VALUES (1, 1767323045678, NULL, '1.0', 12);
