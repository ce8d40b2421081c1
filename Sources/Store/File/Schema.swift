internal import GRDB

/// The tables, version by version; one that was released is never changed.
enum Schema {
    /// The number of the newest version.
    static let version = 3

    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("v1") { database in try database.execute(sql: version1) }
        migrator.registerMigration("v2") { database in try database.execute(sql: version2) }
        migrator.registerMigration("v3") { database in try database.execute(sql: version3) }
        return migrator
    }

    /// Every table with rows of history.
    static let tables = ["violation", "hourly_total", "generation", "policy_file", "drift", "run"]

    /// How many rows each table has.
    static func rows(_ database: Database) throws -> [String: Int] {
        var rows: [String: Int] = [:]
        for table in tables {
            rows[table] = try Int.fetchOne(database, sql: "SELECT count(*) FROM \(table)")
        }
        return rows
    }

    private static let version1 = """
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
        """

    /// How many flows a record stands for, and who stood at an end that is no endpoint's.
    private static let version2 = """
        ALTER TABLE violation ADD COLUMN flows INTEGER;
        ALTER TABLE violation ADD COLUMN source_party TEXT;
        ALTER TABLE violation ADD COLUMN destination_party TEXT;
        """

    /// What of drift came together in one record, and how it was repaired.
    private static let version3 = """
        ALTER TABLE drift ADD COLUMN key TEXT;
        ALTER TABLE drift ADD COLUMN kind TEXT;
        ALTER TABLE drift ADD COLUMN login INTEGER;
        ALTER TABLE drift ADD COLUMN repair_milliseconds REAL;
        ALTER TABLE drift ADD COLUMN times INTEGER;
        ALTER TABLE drift ADD COLUMN last INTEGER;
        CREATE UNIQUE INDEX drift_key ON drift (key);
        """
}
