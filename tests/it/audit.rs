//! The audit log tells who did what, and shows when somebody changed it.

use rapport::domain::role::Role;
use serde_json::Value;

use crate::access::key;
use crate::app::{App, PASS};
use crate::database;

#[tokio::test]
async fn a_row_that_was_changed_or_removed_shows() {
    let app = App::spawn().await;
    for _ in 0..4 {
        key(&app, "local", Role::Viewer).await;
    }
    let verify = async || -> Value {
        let request = app.request(reqwest::Method::POST, "/v1/verify").bearer_auth(PASS);
        request.send().await.unwrap().json().await.unwrap()
    };
    assert_eq!(verify().await["findings"].as_array().unwrap().len(), 0);
    let log: Value = app.request(reqwest::Method::GET, "/v1/audit").bearer_auth(PASS).send().await.unwrap().json().await.unwrap();
    assert_eq!(
        (log["total"].as_i64(), log["items"][0]["action"].as_str(), log["items"][0]["actor"].as_str()),
        (Some(4), Some("key.create"), Some("a test"))
    );
    for (tampering, row) in [("UPDATE audit SET subject = 'another' WHERE number = 2", 2), ("DELETE FROM audit WHERE number = 1", 2)] {
        database::execute(app.directory.path(), tampering).await;
        let report = verify().await;
        assert_eq!(report["findings"][0]["what"], "audit", "{report}");
        assert!(report["findings"][0]["detail"].as_str().unwrap().contains(&format!("row {row}")), "{report}");
    }
}
