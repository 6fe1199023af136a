//! Which database the tests run on: a file in each test's directory, or, where `RAPPORT_TEST_POSTGRES` names a server, a
//! database of each directory's own on it. `./test` runs them all on both.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection};

/// The server that tests may make databases on.
pub fn server() -> Option<String> {
    std::env::var("RAPPORT_TEST_POSTGRES").ok().filter(|url| !url.is_empty())
}

/// The URL of the database that belongs to a directory, made when new; none when the tests run on SQLite.
pub async fn url(directory: &Path) -> Option<String> {
    let server = server()?;
    let mut hash = DefaultHasher::new();
    directory.hash(&mut hash);
    let name = format!("test_{:016x}", hash.finish());
    let mut connection = PgConnection::connect(&server).await.expect("RAPPORT_TEST_POSTGRES answers");
    // It may be there already: a directory that is opened again.
    let _ = connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await;
    let (base, _) = server.rsplit_once('/').expect("a URL with a database");
    Some(format!("{base}/{name}"))
}

/// The same for tests that run no asynchronous code.
pub fn url_now(directory: &Path) -> Option<String> {
    server()?;
    std::thread::scope(|scope| {
        let made = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(url(directory))
        });
        made.join().expect("a database")
    })
}

/// Changes something behind the back of the program that has the database of a directory.
pub async fn execute(directory: &Path, statement: &'static str) {
    match url(directory).await {
        Some(url) => {
            let mut connection = PgConnection::connect(&url).await.expect("the database answers");
            let statement = format!("SET rapport.workspace = '*'; {statement}");
            connection.execute(sqlx::raw_sql(AssertSqlSafe(statement))).await.expect("a statement");
        }
        None => {
            let options = SqliteConnectOptions::new().filename(directory.join("rapport.db"));
            options.connect().await.expect("the file opens").execute(statement).await.expect("a statement");
        }
    }
}
