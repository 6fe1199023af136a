//! Who may do what: every route times every role, keys that are made, rotated and ended, sessions of browsers, and
//! workspaces that see nothing of each other.

use std::collections::BTreeSet;

use rapport::domain::role::Role;
use rapport::pipeline::keys::{self, NewKey};
use rapport::serve::access::{TABLE, Who};
use rapport::store::{Scope, workspace};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::app::{App, PASS, account, note, problem};

/// A key of a role in a workspace, made when new.
pub async fn key(app: &App, name: &'static str, role: Role) -> String {
    let now = app.service.clock.now();
    let workspace = app.service.store.write(Scope::All, move |tx| Box::pin(async move { workspace::open(tx, name, now).await })).await.unwrap();
    let new = NewKey { role, name: "a test".to_owned(), team_member_id: None };
    keys::create(&app.service, workspace, "a test", new).await.unwrap().1
}

/// Waits until the door knows that there are keys.
async fn keyed(app: &App) {
    app.service.clock.set(app.service.clock.now() + jiff::SignedDuration::from_secs(5));
}

async fn call(app: &App, method: &str, path: &str, key: Option<&str>) -> Response {
    let mut request = app.request(method.parse().unwrap(), path).header("content-type", "application/json");
    if let Some(key) = key {
        request = request.bearer_auth(key);
    }
    if method != "GET" {
        // Nothing that could be meant: whoever is let in is told so.
        request = request.body("?");
    }
    request.send().await.unwrap()
}

/// A path of the table with something in the place of its parameters.
fn filled(path: &str) -> String {
    path.replace("{id}", "nothing").replace("{n}", "0").replace("{domain}", "nothing.example").replace("{*rest}", "index.html")
}

#[tokio::test]
async fn every_route_has_a_row_and_every_row_a_route() {
    let app = App::spawn().await;
    let description = app.get("/openapi.json").await;
    let mut described = BTreeSet::new();
    for (path, operations) in description["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys().filter(|key| *key != "parameters") {
            described.insert((method.to_uppercase(), path.clone()));
        }
    }
    let rows: BTreeSet<(String, String)> = TABLE.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(rows.len(), TABLE.len(), "no route twice");
    let page = |row: &(String, String)| row.1.starts_with("/docs") || row.1 == "/openapi.json";
    let undescribed: Vec<_> = rows.iter().filter(|row| !page(row) && !described.contains(*row)).collect();
    let closed: Vec<_> = described.iter().filter(|row| !rows.contains(*row)).collect();
    assert!(undescribed.is_empty() && closed.is_empty(), "rows without a route: {undescribed:?}; routes without a row: {closed:?}");
}

#[tokio::test]
async fn every_role_is_let_in_exactly_where_the_table_says() {
    let app = App::spawn().await;
    let mut keys = Vec::new();
    for role in Role::ALL {
        keys.push((*role, key(&app, "local", *role).await));
    }
    keyed(&app).await;
    let mut checked = 0;
    for (method, path, who) in TABLE.iter().filter(|(_, path, _)| *path != "/v1/events") {
        let path = filled(path);
        let without = call(&app, method, &path, None).await.status();
        let wrong = call(&app, method, &path, Some("rk_00000000_00")).await.status();
        match who {
            Who::Anyone => assert!(without != 403 && (without != 401 || path == "/session"), "{method} {path} without a key: {without}"),
            Who::Roles(_) => assert_eq!((without.as_u16(), wrong.as_u16()), (401, 401), "{method} {path} without a key, with a wrong one"),
        }
        for (role, key) in &keys {
            let status = call(&app, method, &path, Some(key)).await.status();
            let may = match who {
                Who::Anyone => true,
                Who::Roles(roles) => roles.contains(role),
            };
            // A session's end ends nothing here, as no cookie comes with it.
            assert_eq!(status != 403 && status != 401, may || path == "/session" && *method == "POST", "{method} {path} as {role}: {status}");
            checked += 1;
        }
    }
    assert!(checked > 150, "{checked}");
    // What is nowhere says so, whoever asks.
    assert_eq!(problem(call(&app, "GET", "/v1/nothing", None).await).await.0, 404);
    assert_eq!(problem(call(&app, "DELETE", "/v1/accounts", None).await).await.0, 405);
}

#[tokio::test]
async fn a_key_is_shown_once_rotated_and_ended_at_once() {
    let app = App::spawn().await;
    let make = |name: &str| json!({ "role": "admin", "name": name });
    let first: Value = app.request(Method::POST, "/v1/keys").json(&make("first")).send().await.unwrap().json().await.unwrap();
    let first_secret = first["secret"].as_str().unwrap();
    assert!(first_secret.starts_with(&format!("rk_{}_", first["id"].as_str().unwrap())) && first_secret.len() == 3 + 8 + 1 + 64, "{first}");
    // From now on nobody gets in without one.
    assert_eq!(call(&app, "GET", "/v1/accounts", None).await.status(), 401);
    let get = |path: &'static str, secret: &str| app.request(Method::GET, path).bearer_auth(secret).send();
    let second: Value =
        app.request(Method::POST, "/v1/keys").bearer_auth(first_secret).json(&make("second")).send().await.unwrap().json().await.unwrap();
    let second_secret = second["secret"].as_str().unwrap();
    for secret in [first_secret, second_secret] {
        assert_eq!(get("/v1/accounts", secret).await.unwrap().status(), 200, "both are valid while callers switch");
    }
    for _ in 0..100 {
        let listed: Value = get("/v1/keys", second_secret).await.unwrap().json().await.unwrap();
        assert!(!listed.to_string().contains(first_secret) && !listed.to_string().contains(second_secret));
        if listed["items"].as_array().unwrap().iter().all(|key| key["last_used_at"].is_string()) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let listed: Value = get("/v1/keys", second_secret).await.unwrap().json().await.unwrap();
    assert!(listed["items"][0]["last_used_at"].is_string(), "{listed}");
    let path = format!("/v1/keys/{}", first["id"].as_str().unwrap());
    assert_eq!(app.request(Method::DELETE, &path).bearer_auth(second_secret).send().await.unwrap().status(), 204);
    assert_eq!(get("/v1/accounts", first_secret).await.unwrap().status(), 401, "at once");
    assert_eq!(app.request(Method::DELETE, &path).bearer_auth(second_secret).send().await.unwrap().status(), 404);
    let audit: Value = get("/v1/audit", second_secret).await.unwrap().json().await.unwrap();
    let told: Vec<&str> = audit["items"].as_array().unwrap().iter().map(|row| row["action"].as_str().unwrap()).collect();
    assert_eq!(told, ["key.revoke", "key.create", "key.create"]);
    // The hash is all that is kept.
    let directory = app.stop().await;
    for file in std::fs::read_dir(directory.path()).unwrap().map(|f| f.unwrap().path()).filter(|p| p.is_file()) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(64).any(|w| w == &second_secret.as_bytes()[12..]), "{}", file.display());
    }
}

#[tokio::test]
async fn wrong_keys_are_slowed_down_and_others_are_not() {
    let app = App::spawn().await;
    let good = key(&app, "local", Role::Viewer).await;
    keyed(&app).await;
    let mut last = 0;
    for _ in 0..320 {
        last = call(&app, "GET", "/v1/accounts", Some("rk_00000000_00")).await.status().as_u16();
    }
    assert_eq!(last, 429);
    assert_eq!(call(&app, "GET", "/v1/accounts", Some(&good)).await.status(), 200);
}

#[tokio::test]
async fn a_browser_signs_in_acts_only_from_our_pages_and_signs_out() {
    let app = App::spawn().await;
    let secret = key(&app, "local", Role::Admin).await;
    keyed(&app).await;
    let sign_in = |body: Value| app.request(Method::POST, "/session").json(&body).send();
    assert_eq!(sign_in(json!({ "key": "rk_00000000_00" })).await.unwrap().status(), 401);
    let foreign = app.request(Method::POST, "/session").header("origin", "https://evil.example").json(&json!({ "key": &secret }));
    assert_eq!(foreign.send().await.unwrap().status(), 403);
    let response = sign_in(json!({ "key": &secret })).await.unwrap();
    assert_eq!(response.status(), 201);
    let set = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    for part in ["__Host-rapport=", "Path=/", "Secure", "HttpOnly", "SameSite=Lax", "Max-Age=43200"] {
        assert!(set.contains(part), "{part} in {set}");
    }
    let cookie = set.split(';').next().unwrap().to_owned();
    let with = |method: Method, path: &str| app.request(method, path).header("cookie", &cookie);
    assert_eq!(with(Method::GET, "/session").send().await.unwrap().json::<Value>().await.unwrap()["role"], "admin");
    assert_eq!(with(Method::GET, "/v1/accounts").send().await.unwrap().status(), 200);
    // Whatever changes something asks where it comes from.
    let host = app.base.trim_start_matches("http://").to_owned();
    let unsafe_routes = TABLE.iter().filter(|(method, _, who)| *method != "GET" && *who != Who::Anyone);
    for (method, path, _) in unsafe_routes.filter(|(_, path, _)| *path != "/session") {
        let request = || with(method.parse().unwrap(), &filled(path)).header("content-type", "application/json").body("?");
        for (header, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site"), ("x-nothing", "said")] {
            assert_eq!(request().header(header, value).send().await.unwrap().status(), 403, "{method} {path} {header}");
        }
        let ours = request().header("origin", format!("http://{host}")).send().await.unwrap().status();
        assert!(ours != 403 && ours != 401, "{method} {path} from our page: {ours}");
    }
    let out = with(Method::DELETE, "/session").header("sec-fetch-site", "same-origin").send().await.unwrap();
    assert_eq!((out.status().as_u16(), out.headers()["set-cookie"].to_str().unwrap().contains("Max-Age=0")), (204, true));
    assert_eq!(with(Method::GET, "/v1/accounts").send().await.unwrap().status(), 401, "signed out at once");
}

#[tokio::test]
async fn a_session_ends_with_its_key_and_with_time() {
    let app = App::spawn().await;
    let (admin, secret) = (key(&app, "local", Role::Admin).await, key(&app, "local", Role::Viewer).await);
    keyed(&app).await;
    let cookie = async || {
        let response = app.request(Method::POST, "/session").json(&json!({ "key": &secret })).send().await.unwrap();
        response.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned()
    };
    let status = async |cookie: &str| app.request(Method::GET, "/v1/accounts").header("cookie", cookie).send().await.unwrap().status().as_u16();
    let first = cookie().await;
    assert_eq!(status(&first).await, 200);
    app.service.clock.set(app.service.clock.now() + keys::SESSION);
    assert_eq!(status(&first).await, 401);
    let second = cookie().await;
    assert_eq!(status(&second).await, 200);
    let id = &secret[3..11];
    assert_eq!(app.request(Method::DELETE, &format!("/v1/keys/{id}")).bearer_auth(&admin).send().await.unwrap().status(), 204);
    assert_eq!(status(&second).await, 401);
}

#[tokio::test]
async fn foreign_ids_answer_like_unknown_ones_byte_for_byte() {
    let app = App::spawn().await;
    let (ours, theirs) = (key(&app, "local", Role::Admin).await, key(&app, "other", Role::Admin).await);
    keyed(&app).await;
    let record = json!([account("kunde", "kunde.example"), note("note1", "kunde", "2026-01-01T09:00:00Z", "secret words"),
        { "kind": "contact", "id": "cont1", "account_id": "kunde", "name": "Ann", "emails": ["ann@kunde.example"] }]);
    let sent = app.request(Method::POST, "/v1/records").bearer_auth(&theirs).json(&record).send().await.unwrap();
    assert_eq!(sent.status(), 200);
    // Ids of the same length, so that answers differ in nothing else.
    let kinds = [("kunde", "zzzzz"), ("note1", "zzzzz"), ("cont1", "zzzzz"), ("kunde.example", "zzzzz.example")];
    let mut compared = 0;
    let mut routes: Vec<_> = TABLE.iter().filter(|(_, path, who)| path.contains('{') && *who != Who::Anyone).collect();
    // Assigning a domain makes an account of it: last.
    routes.sort_by_key(|(_, path, _)| path.contains("{domain}"));
    for (method, path, _) in routes {
        for (foreign, unknown) in kinds {
            let ask = async |id: &str| {
                let path = path.replace("{id}", id).replace("{n}", "0").replace("{domain}", id);
                let body = if path.ends_with("/transcript") { "{\"speakers\":{}}" } else { "{}" };
                let response = app.request(method.parse().unwrap(), &path).bearer_auth(&ours).body(body).send().await.unwrap();
                let (status, tag) = (response.status(), response.headers().get("etag").cloned());
                let text = response.text().await.unwrap().replace(id, "ID");
                // What was made has a number of its own; the rest is the same.
                (status, tag, text.split("\"sequence\":").next().unwrap().to_owned())
            };
            let (a, b) = (ask(foreign).await, ask(unknown).await);
            assert_eq!(a, b, "{method} {path} {foreign}");
            if path.contains("/v1/accounts") && foreign == "kunde" {
                assert_eq!(a.0, 404, "{method} {path}: {}", a.2);
            }
            compared += 1;
        }
    }
    assert!(compared >= 40, "{compared}");
    let theirs_again = app.request(Method::GET, "/v1/entries/note1").bearer_auth(&theirs).send().await.unwrap();
    assert_eq!(theirs_again.status(), 200, "it is there for those whose it is");
    // A name in a header is no key to a workspace.
    let sneaky = app.request(Method::GET, "/v1/entries/note1").bearer_auth(&ours).header("rapport-workspace", "other").send().await.unwrap();
    assert_eq!(sneaky.status(), 404);
}

#[tokio::test]
async fn commands_on_the_data_directory_get_in_with_the_secret_that_lies_there() {
    let app = App::spawn().await;
    key(&app, "local", Role::Viewer).await;
    keyed(&app).await;
    let ask = |pass: &'static str, name: &'static str| {
        app.request(Method::POST, "/v1/records")
            .bearer_auth(pass)
            .header("rapport-workspace", name)
            .json(&json!([account("acme", "acme.example")]))
            .send()
    };
    assert_eq!(ask(PASS, "third").await.unwrap().status(), 200);
    assert_eq!(ask("another", "third").await.unwrap().status(), 401);
    let accounts = app.request(Method::GET, "/v1/accounts").bearer_auth(PASS).send().await.unwrap().json::<Value>().await.unwrap();
    assert_eq!(accounts["total"], 0, "without a name it is the server's own workspace");
}

#[tokio::test]
async fn listeners_have_so_many_places_and_end_with_their_key() {
    let app = App::spawn().await;
    let (admin, viewer) = (key(&app, "local", Role::Admin).await, key(&app, "local", Role::Viewer).await);
    keyed(&app).await;
    let listen = |key: &str| app.request(Method::GET, "/v1/events").bearer_auth(key).send();
    let mut listeners = Vec::new();
    for _ in 0..128 {
        listeners.push(listen(&viewer).await.unwrap());
    }
    assert!(listeners.iter().all(|listener| listener.status() == 200));
    assert_eq!(problem(listen(&viewer).await.unwrap()).await.0, 429);
    let mut last = listeners.pop().unwrap();
    drop(listeners);
    assert_eq!(app.request(Method::DELETE, &format!("/v1/keys/{}", &viewer[3..11])).bearer_auth(&admin).send().await.unwrap().status(), 204);
    let sent = app.request(Method::POST, "/v1/records").bearer_auth(&admin).json(&json!([note("n1", "acme", "2026-01-01T09:00:00Z", "words")]));
    assert_eq!(sent.send().await.unwrap().status(), 200);
    let rest = tokio::time::timeout(std::time::Duration::from_secs(8), async {
        let mut heard = String::new();
        while let Ok(Some(chunk)) = last.chunk().await {
            heard.push_str(&String::from_utf8_lossy(&chunk));
        }
        heard
    });
    assert!(!rest.await.expect("it ends").contains("n1"), "nothing is heard with a key that was ended");
}
