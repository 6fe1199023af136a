//! Three workspaces do random things on one server: nothing of one shows in another, not in words, counts, facets or
//! scores; each gets the very answers that it would get alone.
//!
//! `RAPPORT_OPERATIONS` says how many; `./test soak` does 10,000.

use rapport::domain::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::access::key;
use crate::app::{App, account, note, raw_mail};

const NAMES: [&str; 3] = ["first", "other", "third"];
/// A word that only this workspace uses.
const CANARIES: [&str; 3] = ["zweibrucken", "quixotically", "jabberwocky"];
const COMMON: [&str; 6] = ["depot", "scanner", "price", "renewal", "outage", "march"];

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % limit
    }
}

/// One thing that somebody does. Ids are the same in all workspaces, on purpose.
#[derive(Debug, Clone)]
enum Operation {
    Send(Vec<Value>),
    Mail(String),
    Ask(String),
    Refresh(String),
}

fn operation(random: &mut Random, who: usize) -> Operation {
    let word = COMMON[random.below(COMMON.len())];
    let canary = CANARIES[who];
    let account_id = format!("acc{}", random.below(4));
    let n = random.below(200);
    match random.below(12) {
        0 => Operation::Send(vec![account(&account_id, &format!("{account_id}.example"))]),
        1..=3 => Operation::Send(vec![note(
            &format!("n{n}"),
            &account_id,
            &format!("2026-01-{:02}T09:00:00Z", n % 28 + 1),
            &format!("{word} {canary} {}", word.repeat(n % 3)),
        )]),
        4 => Operation::Send(vec![json!({ "kind": "entry", "id": format!("n{n}"), "deleted": true })]),
        5 => Operation::Send(vec![
            json!({ "kind": "contact", "id": format!("c{}", n % 20), "account_id": account_id, "name": format!("{canary} {n}"), "emails": [format!("p{}@{account_id}.example", n % 20)] }),
        ]),
        6 => Operation::Mail(raw_mail(
            &format!("{n}@x"),
            &format!("p{}@{account_id}.example", n % 20),
            "jo@us.example",
            &format!("{} Feb 2026 09:12:00 +0000", n % 28 + 1),
            &format!("{word} {n}"),
            "",
            &format!("{canary} {word}"),
        )),
        7 => Operation::Refresh(account_id),
        8 => Operation::Ask(format!("/v1/search?q={word}%20OR%20{canary}&facets=true&limit=50")),
        9 => Operation::Ask(format!("/v1/search?q={}", CANARIES[random.below(3)])),
        10 => Operation::Ask(format!("/v1/accounts/{account_id}/{}", ["360", "timeline?limit=50", "summary", "summary/versions"][random.below(4)])),
        _ => Operation::Ask(
            ["/v1/accounts", "/v1/contacts?limit=50", "/v1/unmatched", "/v1/jobs", "/v1/audit", "/v1/entries/n7", "/v1/workspace", "/v1/keys"]
                [random.below(8)]
            .to_owned(),
        ),
    }
}

async fn perform(app: &App, key: &str, operation: &Operation) -> String {
    let request = match operation {
        Operation::Send(records) => app.request(Method::POST, "/v1/records").json(records),
        Operation::Mail(raw) => app.request(Method::POST, "/v1/emails").body(raw.clone()),
        Operation::Ask(path) => app.request(Method::GET, path),
        Operation::Refresh(id) => app.request(Method::POST, &format!("/v1/accounts/{id}/summary/refresh")),
    };
    let response = request.bearer_auth(key).send().await.unwrap();
    let status = response.status().as_u16();
    assert!(matches!(status, 200..=299 | 404), "{operation:?}: {status}");
    let headers = format!("{:?}", response.headers());
    headers + &response.text().await.unwrap()
}

/// What a workspace is told, without what counts for the whole server: sequence numbers and positions.
async fn answers(app: &App, key: &str) -> Vec<Value> {
    let rebuilt = app.request(Method::POST, "/v1/reindex").bearer_auth(key).send().await.unwrap();
    assert_eq!(rebuilt.status(), 200);
    let mut answers = Vec::new();
    for word in COMMON.iter().chain(&CANARIES) {
        for sort in ["relevance", "newest"] {
            let path = format!("/v1/search?q={word}&facets=true&limit=100&sort={sort}");
            let mut answer: Value = app.request(Method::GET, &path).bearer_auth(key).send().await.unwrap().json().await.unwrap();
            answer.as_object_mut().unwrap().remove("next_cursor");
            // Equal scores have no order of their own.
            let hits = answer["hits"].as_array_mut().unwrap();
            hits.sort_by_key(|hit| (hit["score"].to_string(), hit["id"].to_string()));
            answers.push(answer);
        }
    }
    for id in 0..4 {
        let timeline: Value =
            app.request(Method::GET, &format!("/v1/accounts/acc{id}/timeline?limit=1")).bearer_auth(key).send().await.unwrap().json().await.unwrap();
        answers.push(timeline["counts"].clone());
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_one_workspace_shows_in_another() {
    let operations: usize = std::env::var("RAPPORT_OPERATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(400);
    let app = App::spawn().await;
    let mut keys = Vec::new();
    for name in NAMES {
        keys.push(key(&app, name, Role::Admin).await);
    }
    app.service.clock.set(app.service.clock.now() + jiff::SignedDuration::from_secs(5));
    let mut random = Random(7360);
    let mut done: [Vec<Operation>; 3] = Default::default();
    for n in 0..operations {
        let who = random.below(3);
        let operation = operation(&mut random, who);
        let answer = perform(&app, &keys[who], &operation).await;
        for (other, canary) in CANARIES.iter().enumerate().filter(|(other, _)| *other != who) {
            // A question for another's word is echoed, and finds nothing.
            let asked = matches!(&operation, Operation::Ask(path) if path.contains(canary));
            if asked {
                assert!(answer.contains("\"total\":0"), "{} finds {canary}: {answer}", NAMES[who]);
            } else {
                assert!(!answer.contains(canary), "{} sees {} of {}: {operation:?} {answer}", NAMES[who], canary, NAMES[other]);
            }
        }
        done[who].push(operation);
        if n % 100 == 99 {
            rapport::pipeline::work::drain(&app.service).await.unwrap();
        }
    }
    rapport::pipeline::work::drain(&app.service).await.unwrap();
    let last = *app.service.store.committed().borrow();
    app.service.index.wait_for(last, std::time::Duration::from_secs(10)).await;
    // Each alone on a server of its own gets the very same answers: counts, facets and scores.
    for who in 0..3 {
        let alone = App::spawn().await;
        let own = key(&alone, NAMES[who], Role::Admin).await;
        alone.service.clock.set(alone.service.clock.now() + jiff::SignedDuration::from_secs(5));
        for operation in done[who].iter().filter(|operation| !matches!(operation, Operation::Ask(_))) {
            perform(&alone, &own, operation).await;
        }
        rapport::pipeline::work::drain(&alone.service).await.unwrap();
        let last = *alone.service.store.committed().borrow();
        alone.service.index.wait_for(last, std::time::Duration::from_secs(10)).await;
        assert_eq!(answers(&app, &keys[who]).await, answers(&alone, &own).await, "{}", NAMES[who]);
    }
    println!("{operations} operations by three workspaces: 0 leaks, answers as alone");
}
