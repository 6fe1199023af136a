//! Backups: a copy of everything at one moment, as an SQLite file, whichever database it comes from and goes to.

use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, Row, Sqlite};

use super::database::{Inner, Location, Scope, Store, migrated_sqlite};
use super::{Result, StoreError};

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Backup {
    /// The last change in it.
    pub sequence: i64,
    pub bytes: u64,
}

impl Store {
    /// Writes a copy of everything, as it is at one moment, into a new file; writing goes on meanwhile.
    ///
    /// # Errors
    /// When the file is there already or cannot be written.
    pub async fn backup(&self, file: &Path) -> Result<Backup> {
        if file.exists() {
            return Err(StoreError::Refused(format!("{} is there already; name a new file", file.display())));
        }
        let growing = beside(file, "part");
        let _ = std::fs::remove_file(&growing);
        let copied = self.copy_to(&growing).await;
        let finished = match copied {
            Ok(()) => finish(&growing, file).await,
            Err(error) => Err(error),
        };
        if finished.is_err() {
            let _ = std::fs::remove_file(&growing);
        }
        finished
    }

    async fn copy_to(&self, file: &Path) -> Result<()> {
        private(file)?;
        if let Some(options) = self.sqlite_options() {
            let mut connection = options.connect().await?;
            sqlx::query("VACUUM INTO $1").bind(file.to_string_lossy().into_owned()).execute(&mut connection).await?;
            connection.close().await?;
            return Ok(());
        }
        let mut tx = self.read(Scope::All).await?;
        let Inner::Pg(from) = &mut tx.inner else { return Err(StoreError::Closed) };
        let mut into = migrated_sqlite(file).await?;
        for table in tables(&mut into).await? {
            sqlx::query(AssertSqlSafe(format!("DELETE FROM {}", table.name))).execute(&mut into).await?;
            table.take_in(from, &mut into).await?;
        }
        into.close().await?;
        Ok(())
    }
}

/// Puts a backup in the place of a database, with an identity of its own, so that indexes of the old one are not taken
/// for its.
///
/// # Errors
/// When the file is no backup, is damaged or of a newer version; then the old database is untouched. Or when there is a
/// database with data in it and `replace` does not say to give that up.
pub async fn restore(file: &Path, location: &Location, replace: bool) -> Result<()> {
    let refused = |why: String| Err(StoreError::Refused(format!("{}: {why}", file.display())));
    let magic = std::fs::File::open(file).and_then(|mut f| {
        let mut bytes = [0_u8; 16];
        std::io::Read::read_exact(&mut f, &mut bytes).map(|()| bytes)
    });
    match magic {
        Ok(bytes) if bytes == *b"SQLite format 3\0" => {}
        Ok(_) => return refused("it is no backup made by rapport".to_owned()),
        Err(error) => return refused(error.to_string()),
    }
    // The backup itself is left as it is: it is brought to this version in a copy.
    let copy = match location {
        Location::Sqlite(path) => beside(path, "restoring"),
        Location::Postgres(_) => std::env::temp_dir().join(format!("rapport-restore-{}.db", std::process::id())),
    };
    let prepared = prepare(file, &copy).await;
    let restored = match (prepared, location) {
        (Err(error), _) => Err(error),
        (Ok(()), Location::Sqlite(path)) => into_place(&copy, path, replace),
        (Ok(()), Location::Postgres(_)) => into_postgres(&copy, location, replace).await,
    };
    for leftover in
        [copy.clone(), beside(&copy, "wal"), PathBuf::from(format!("{}-wal", copy.display())), PathBuf::from(format!("{}-shm", copy.display()))]
    {
        let _ = std::fs::remove_file(leftover);
    }
    restored
}

async fn prepare(file: &Path, copy: &Path) -> Result<()> {
    let failed = |e: std::io::Error| StoreError::Refused(format!("{}: {e}", copy.display()));
    let _ = std::fs::remove_file(copy);
    private(copy)?;
    std::fs::copy(file, copy).map_err(failed)?;
    let mut connection = migrated_sqlite(copy).await?;
    let faults: Vec<(String,)> = sqlx::query_as("PRAGMA integrity_check(1)").fetch_all(&mut connection).await?;
    if let Some((fault,)) = faults.into_iter().find(|(row,)| row != "ok") {
        return Err(StoreError::Damaged(fault));
    }
    for statement in ["UPDATE identity SET id = lower(hex(randomblob(16)))", "PRAGMA wal_checkpoint(TRUNCATE)"] {
        sqlx::raw_sql(statement).execute(&mut connection).await?;
    }
    connection.close().await?;
    Ok(())
}

fn into_place(copy: &Path, path: &Path, replace: bool) -> Result<()> {
    if path.exists() && !replace {
        return Err(StoreError::Refused(format!("{} holds data already; --replace gives them up for the backup", path.display())));
    }
    let failed = |e: std::io::Error| StoreError::Refused(format!("{}: {e}", path.display()));
    std::fs::File::open(copy).and_then(|file| file.sync_all()).map_err(failed)?;
    for log in ["-wal", "-shm"] {
        let log = PathBuf::from(format!("{}{log}", path.display()));
        if log.exists() {
            std::fs::remove_file(log).map_err(failed)?;
        }
    }
    std::fs::rename(copy, path).map_err(failed)?;
    if let Some(folder) = path.parent() {
        std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    }
    Ok(())
}

async fn into_postgres(copy: &Path, location: &Location, replace: bool) -> Result<()> {
    let store = Store::open(location, super::Open::Write).await?;
    let mut from = migrated_sqlite(copy).await?;
    let mut tx = store.begin_alone().await?;
    let Inner::Pg(into) = &mut tx.inner else { return Err(StoreError::Closed) };
    let (there,): (bool,) = sqlx::query_as("SELECT EXISTS (SELECT 1 FROM workspace)").fetch_one(&mut **into).await?;
    if there && !replace {
        return Err(StoreError::Refused("the database of DATABASE_URL holds data already; --replace gives them up for the backup".to_owned()));
    }
    for table in tables(&mut from).await? {
        sqlx::query(AssertSqlSafe(format!("DELETE FROM {}", table.name))).execute(&mut **into).await?;
        table.give_out(&mut from, into).await?;
    }
    // What is handed out next comes after what is there.
    for (table, column) in [("workspace", "workspace_id"), ("account", "number"), ("change", "sequence"), ("job", "job_id")] {
        let next =
            format!("SELECT setval(pg_get_serial_sequence('{table}', '{column}'), (SELECT coalesce(max({column}), 0) + 1 FROM {table}), false)");
        sqlx::query(AssertSqlSafe(next)).execute(&mut **into).await?;
    }
    tx.commit().await?;
    store.close().await;
    from.close().await?;
    Ok(())
}

async fn finish(growing: &Path, file: &Path) -> Result<Backup> {
    let failed = |e: std::io::Error| StoreError::Refused(format!("{}: {e}", file.display()));
    let mut connection = SqliteConnectOptions::new().filename(growing).read_only(true).connect().await?;
    let (sequence,): (Option<i64>,) = sqlx::query_as("SELECT max(sequence) FROM change").fetch_one(&mut connection).await?;
    connection.close().await?;
    let opened = std::fs::File::open(growing).map_err(failed)?;
    opened.sync_all().map_err(failed)?;
    let bytes = opened.metadata().map_err(failed)?.len();
    std::fs::rename(growing, file).map_err(failed)?;
    Ok(Backup { sequence: sequence.unwrap_or(0), bytes })
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    PathBuf::from(format!("{}.{ending}", path.display()))
}

/// Makes an empty file that only its owner may read.
fn private(path: &Path) -> Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(|e| StoreError::Refused(format!("{}: {e}", path.display())))
}

/// A table with its columns, each with what it holds: the same in both databases.
struct Table {
    name: String,
    columns: Vec<(String, Holds)>,
}

#[derive(Clone, Copy)]
enum Holds {
    Number,
    Fraction,
    Text,
    Bytes,
}

async fn tables(connection: &mut SqliteConnection) -> Result<Vec<Table>> {
    let names: Vec<(String,)> = sqlx::query_as(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE '\\_sqlx%' ESCAPE '\\' ORDER BY name",
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut tables = Vec::with_capacity(names.len());
    for (name,) in names {
        let columns: Vec<(String, String)> =
            sqlx::query_as("SELECT name, type FROM pragma_table_info($1) ORDER BY cid").bind(&name).fetch_all(&mut *connection).await?;
        let holds = |kind: &str| match kind {
            "INTEGER" => Holds::Number,
            "REAL" => Holds::Fraction,
            "BLOB" => Holds::Bytes,
            _ => Holds::Text,
        };
        tables.push(Table { name, columns: columns.into_iter().map(|(column, kind)| (column, holds(&kind))).collect() });
    }
    Ok(tables)
}

/// Copies rows as they are, column by column.
macro_rules! copy_rows {
    ($table:expr, $from:expr, $into:expr) => {{
        let columns: Vec<&str> = $table.columns.iter().map(|(name, _)| name.as_str()).collect();
        let places: Vec<String> = (1..=columns.len()).map(|place| format!("${place}")).collect();
        let insert = format!("INSERT INTO {} ({}) VALUES ({})", $table.name, columns.join(", "), places.join(", "));
        let select = format!("SELECT {} FROM {}", columns.join(", "), $table.name);
        let mut rows = sqlx::query(AssertSqlSafe(select)).fetch(&mut *$from);
        while let Some(row) = futures_util::TryStreamExt::try_next(&mut rows).await? {
            let mut query = sqlx::query(AssertSqlSafe(insert.clone()));
            for (place, (_, holds)) in $table.columns.iter().enumerate() {
                query = match holds {
                    Holds::Number => query.bind(row.try_get::<Option<i64>, _>(place)?),
                    Holds::Fraction => query.bind(row.try_get::<Option<f64>, _>(place)?),
                    Holds::Text => query.bind(row.try_get::<Option<String>, _>(place)?),
                    Holds::Bytes => query.bind(row.try_get::<Option<Vec<u8>>, _>(place)?),
                };
            }
            query.execute(&mut *$into).await?;
        }
    }};
}

impl Table {
    async fn take_in(&self, from: &mut PgConnection, into: &mut SqliteConnection) -> Result<()> {
        let mut into = into.begin().await?;
        let into_connection: &mut <Sqlite as sqlx::Database>::Connection = &mut into;
        copy_rows!(self, from, into_connection);
        into.commit().await?;
        Ok(())
    }

    async fn give_out(&self, from: &mut SqliteConnection, into: &mut PgConnection) -> Result<()> {
        copy_rows!(self, from, into);
        Ok(())
    }
}
