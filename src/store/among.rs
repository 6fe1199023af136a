//! Rows by their keys, however many keys there are.

use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Encode, FromRow, Postgres, Sqlite, Type};

use super::database::on;
use super::{Result, Tx};
use crate::domain::WorkspaceId;

/// Databases limit the values of one statement.
const VALUES: usize = 500;

/// What a table's key is bound as.
pub(super) trait Key: Copy + Send + Sync + for<'q> Encode<'q, Sqlite> + Type<Sqlite> + for<'q> Encode<'q, Postgres> + Type<Postgres> {}

impl<K> Key for K where K: Copy + Send + Sync + for<'q> Encode<'q, Sqlite> + Type<Sqlite> + for<'q> Encode<'q, Postgres> + Type<Postgres> {}

/// The rows of a workspace that have one of the keys: `select` ends where the workspace's number is to follow, `order` comes after
/// the keys, of which the rows of some hundred come together.
pub(super) async fn among<K, R>(workspace: WorkspaceId, tx: &mut Tx, select: &str, column: &str, keys: &[K], order: &str) -> Result<Vec<R>>
where
    K: Key,
    R: Send + Unpin + for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow>,
{
    let mut found = Vec::new();
    for some in keys.chunks(VALUES) {
        let rows: Vec<R> = on!(tx, c => {
            let mut query = sqlx::QueryBuilder::new(select);
            query.push_bind(workspace.0).push(" AND ").push(column).push(" IN (");
            let mut list = query.separated(", ");
            for key in some { list.push_bind(*key); }
            query.push(") ").push(order);
            query.build_query_as().fetch_all(c).await?
        });
        found.extend(rows);
    }
    Ok(found)
}
