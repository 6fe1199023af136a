//! Which database this is: drawn when it is made, and again when a backup takes its place.

use super::database::on;
use super::{Result, Tx};

/// The id of the database.
pub async fn of(tx: &mut Tx) -> Result<String> {
    let (id,): (String,) = on!(tx, c => sqlx::query_as("SELECT id FROM identity").fetch_one(c).await?);
    Ok(id)
}
