//! The timeline: filters, counts, groups, pages.

use serde_json::{Value, json};

use crate::app::{App, account, note};

async fn filled() -> App {
    let app = App::spawn().await;
    let mut records = vec![
        account("acme", "acme.example"),
        json!({ "kind": "contact", "id": "c1", "account_id": "acme", "name": "Ann Lee", "emails": ["ann@acme.example"], "created_at": "2025-01-01T00:00:00Z" }),
    ];
    for n in 1..=25 {
        let at = format!("2026-01-{n:02}T09:00:00Z");
        let mut entry = note(&format!("n{n:02}"), "acme", &at, if n % 5 == 0 { "about the discount" } else { "about scanners" });
        if n % 2 == 0 {
            entry["type"] = "call".into();
            entry["participants"] = json!([{ "role": "attendee", "name": "Ann Lee", "email": "Ann@Acme.example" }]);
        }
        records.push(entry);
    }
    app.add(&records).await;
    app.settle().await;
    app
}

fn ids(body: &Value) -> Vec<&str> {
    body["items"].as_array().unwrap().iter().map(|e| e["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn newest_first_and_pages_join_without_gap() {
    let app = filled().await;
    let mut seen = Vec::new();
    let mut path = "/v1/accounts/acme/timeline?limit=7".to_owned();
    loop {
        let page = app.get(&path).await;
        assert_eq!(page["total"], 26);
        assert_eq!(page["counts"], json!({ "call": 12, "contact_added": 1, "note": 13 }));
        seen.extend(ids(&page).into_iter().map(str::to_owned));
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/accounts/acme/timeline?limit=7&cursor={cursor}"),
            None => break,
        }
    }
    let expected: Vec<String> = (1..=25).rev().map(|n| format!("n{n:02}")).chain(["contact_added.contact.c1".to_owned()]).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn filters_narrow_and_counts_equal_the_list() {
    let app = filled().await;
    let timeline = |query: &str| format!("/v1/accounts/acme/timeline?limit=100&{query}");
    for (query, total) in [
        ("type=call", 12),
        ("type=call,note", 25),
        ("from=2026-01-10T00:00:00Z&to=2026-01-20T00:00:00Z", 10),
        ("person=ann@acme.example", 12),
        ("person=c1", 12),
        ("person=Ann%20Lee", 12),
        ("person=nobody", 0),
        ("q=discount", 5),
        ("q=discount&type=call", 2),
        ("q=discount&person=c1&from=2026-01-15T00:00:00Z", 1),
    ] {
        let body = app.get(&timeline(query)).await;
        assert_eq!((body["total"].as_u64(), ids(&body).len()), (Some(total), total as usize), "{query}: {body}");
    }
    let typed = app.get(&timeline("type=call")).await;
    assert_eq!(typed["counts"]["note"], 13, "counts cover the types that were not asked for");
}

#[tokio::test]
async fn groups_show_the_newest_of_each_type_and_go_on_alone() {
    let app = filled().await;
    let body = app.get("/v1/accounts/acme/timeline?group=type&limit=3").await;
    let groups = body["groups"].as_array().unwrap();
    let shown: Vec<_> = groups.iter().map(|g| (g["type"].as_str().unwrap(), g["count"].as_i64().unwrap(), ids(g).len())).collect();
    assert_eq!(shown, [("call", 12, 3), ("note", 13, 3), ("contact_added", 1, 1)]);
    let next = groups[0]["next_cursor"].as_str().unwrap();
    assert_eq!(ids(&app.get(&format!("/v1/accounts/acme/timeline?type=call&limit=3&cursor={next}")).await), ["n18", "n16", "n14"]);
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_by_name() {
    let app = filled().await;
    for (query, says) in [
        ("limit=0", "limit is 0"),
        ("limit=101", "from 1 to 100"),
        ("limit=ten", "limit"),
        ("type=fax", "none of: email_sent"),
        ("from=yesterday", "from"),
        ("from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z", "is not before"),
        ("group=colour", "the one way to group is type"),
        ("cursor=abc", "not one that this very query"),
        ("colour=red", "unknown field `colour`"),
        ("limit=5&limit=6", "duplicate field `limit`"),
        ("q=%22open", "never closed"),
    ] {
        let (status, problem) = app.problem(&format!("/v1/accounts/acme/timeline?{query}")).await;
        assert_eq!(status, 400, "{query}");
        assert!(problem["detail"].as_str().unwrap().contains(says), "{query}: {problem}");
    }
    assert_eq!(app.problem("/v1/accounts/nobody/timeline").await.0, 404);
}
