//! Search over HTTP: words to hits, filters, counts, pages, freshness, and what is refused.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::app::{App, account, note, raw_mail};

async fn filled() -> App {
    let app = App::spawn().await;
    app.add(&[
        json!({ "kind": "workspace", "us_domains": ["us.example"] }),
        account("acme", "acme.example"),
        account("corp", "corp.example"),
        json!({ "kind": "contact", "id": "c1", "account_id": "acme", "name": "Ann Lee", "emails": ["ann@acme.example"] }),
        note("n1", "acme", "2026-01-05T09:00:00Z", "They want a discount of 12 % on the renewal price."),
        note("n2", "corp", "2026-01-06T09:00:00Z", "The scanners stopped; a discount was not discussed."),
        json!({ "kind": "entry", "id": "k1", "account_id": "acme", "type": "call", "occurred_at": "2026-02-01T09:00:00Z", "subject": "Quarterly review",
            "transcript": [
                { "speaker": "Jo", "side": "us", "start": 0.0, "end": 2.0, "text": "Welcome everybody." },
                { "speaker": "Ann Lee", "email": "ann@acme.example", "side": "customer", "start": 2.0, "end": 6.0, "text": "We agreed on the discount, the budget is approved." }] }),
    ])
    .await;
    app.mail(
        "jo",
        &raw_mail(
            "1@a",
            "Ann Lee <ann@acme.example>",
            "jo@us.example",
            "Tue, 3 Feb 2026 09:12:00 +0000",
            "Preisliste für Müller",
            "",
            "Grüße aus Łódź, die Preisliste fehlt.\r\n\r\nOn 1 Feb 2026, Jo wrote:\r\n> the discount again",
        ),
    )
    .await;
    app.settle().await;
    app
}

#[tokio::test]
async fn words_phrases_prefixes_or_and_exclusion() {
    let app = filled().await;
    for (query, count) in [
        ("q=discount", 4),
        ("q=discount%20renewal", 1),
        ("q=%22renewal%20price%22", 1),
        ("q=%22price%20renewal%22", 0),
        ("q=scan*", 1),
        ("q=scanners%20OR%20preisliste", 2),
        ("q=discount%20-scanners", 3),
        ("q=(budget%20OR%20renewal)%20discount", 2),
        ("q=lodz", 1),
        ("q=muller", 1),
        ("q=ann@acme.example", 2),
        ("q=quarterly", 1),
    ] {
        let body = app.get(&format!("/v1/search?{query}")).await;
        assert_eq!((body["total"].as_u64(), body["hits"].as_array().unwrap().len()), (Some(count), count as usize), "{query}: {body}");
    }
}

#[tokio::test]
async fn a_hit_shows_who_said_which_words_where() {
    let app = filled().await;
    let body = app.get("/v1/search?q=discount%20budget&account=acme").await;
    let hit = &body["hits"][0];
    assert_eq!(
        (hit["id"].as_str(), hit["account_id"].as_str(), hit["speaker"].as_str(), hit["side"].as_str()),
        (Some("k1"), Some("acme"), Some("Ann Lee"), Some("customer"))
    );
    assert_eq!(hit["segment"], 1);
    assert_eq!(hit["snippet"], "We agreed on the <mark>discount</mark>, the <mark>budget</mark> is approved.");
    let entry = app.get("/v1/entries/k1").await;
    let text: Vec<char> = entry["transcript"][1]["text"].as_str().unwrap().chars().collect();
    let (start, end) = (hit["start"].as_u64().unwrap() as usize, hit["end"].as_u64().unwrap() as usize);
    assert_eq!(text[start..end].iter().collect::<String>(), "We agreed on the discount, the budget is approved.");
    assert_eq!(body["query"], "discount and budget");
    // Quoted words are found, but the ones who said them come first.
    let ranked = app.found("q=discount&sort=relevance").await;
    assert!(ranked.last().unwrap().starts_with("mail."), "{ranked:?}");
}

#[tokio::test]
async fn filters_and_counts_agree_with_the_list() {
    let app = filled().await;
    assert_eq!(app.found("q=discount&account=corp").await, ["n2"]);
    assert_eq!(app.found("q=discount&type=call,note&sort=newest").await, ["k1", "n2", "n1"]);
    assert_eq!(app.found("q=discount&from=2026-01-06T00:00:00Z&to=2026-02-01T09:00:00Z").await, ["n2"]);
    assert_eq!(app.found("q=discount&person=c1&type=call").await, ["k1"]);
    assert_eq!(app.found("person=Ann%20Lee&sort=newest").await.len(), 2);
    let body = app.get("/v1/search?q=discount&facets=true").await;
    let sum = |name: &str| body["facets"][name].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("type"), sum("account"), sum("month")), (4, 4, 4));
    assert_eq!(body["facets"]["account"], json!({ "acme": 3, "corp": 1 }));
    assert_eq!(body["facets"]["month"], json!({ "2026-01": 2, "2026-02": 2 }));
    assert_eq!(body["facets"]["person"]["ann@acme.example"], 2);
}

#[tokio::test]
async fn pages_of_either_order_join_without_gap() {
    let app = App::spawn().await;
    let mut records = vec![account("acme", "acme.example")];
    records.extend((0..45).map(|n| note(&format!("n{n:02}"), "acme", &format!("2026-01-01T{:02}:00:00Z", n / 2), "the same words")));
    app.add(&records).await;
    app.settle().await;
    for sort in ["newest", "relevance"] {
        let mut seen: HashMap<String, u32> = HashMap::new();
        let mut cursor = String::new();
        loop {
            let body = app.get(&format!("/v1/search?q=words&sort={sort}&limit=10{cursor}")).await;
            assert_eq!(body["total"], 45);
            for hit in body["hits"].as_array().unwrap() {
                *seen.entry(hit["id"].as_str().unwrap().to_owned()).or_default() += 1;
            }
            match body["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!((seen.len(), seen.values().max()), (45, Some(&1)), "{sort}");
    }
    let first = app.get("/v1/search?q=words&limit=10").await;
    let foreign = format!("/v1/search?q=other&limit=10&cursor={}", first["next_cursor"].as_str().unwrap());
    assert_eq!(app.problem(&foreign).await.1["code"], "bad_cursor");
}

/// The mails of a conversation: each quotes the first, and the sixth has something to add.
async fn talked_over(app: &App) {
    app.add(&[json!({ "kind": "workspace", "us_domains": ["us.example"] }), account("acme", "acme.example")]).await;
    for n in 1..=9 {
        let (subject, named) = if n == 1 { ("Pump order", "") } else { ("Re: Pump order", "References: <p1@acme.example>\r\n") };
        let body = match n {
            1 => "The impeller cracked.".to_owned(),
            6 => "The second impeller broke as well.".to_owned(),
            _ => "Thank you, we will see.\r\n\r\nOn 1 Feb 2026, Ann wrote:\r\n> The impeller cracked.".to_owned(),
        };
        let mail = raw_mail(
            &format!("p{n}@acme.example"),
            "Ann <ann@acme.example>",
            "jo@us.example",
            &format!("{n} Feb 2026 09:00:00 +0000"),
            subject,
            named,
            &body,
        );
        app.mail("jo", &mail).await;
    }
    app.settle().await;
}

#[tokio::test]
async fn repeats_of_a_thread_are_counted_beside_the_original() {
    let app = App::spawn().await;
    talked_over(&app).await;
    app.add(&[note("n1", "acme", "2026-02-20T09:00:00Z", "An impeller is a rotor of a pump.")]).await;
    app.settle().await;
    let thread = app.get("/v1/search?q=second+impeller").await["hits"][0]["thread_id"].as_str().unwrap().to_owned();
    // By day of the month; what is not a mail has none.
    let shown = |body: &Value| -> Vec<(String, u64)> {
        let hits = body["hits"].as_array().unwrap();
        let mut shown: Vec<_> =
            hits.iter().map(|hit| (hit["occurred_at"].as_str().unwrap()[8..10].to_owned(), hit["repeats"].as_u64().unwrap())).collect();
        shown.sort();
        shown
    };
    for (query, total, hits) in [
        ("impeller", 10, vec![("01", 7), ("06", 0), ("20", 0)]),
        // In the subject of all, and nowhere else but in the note.
        ("pump", 10, vec![("01", 8), ("20", 0)]),
        ("subject:pump", 9, vec![("01", 8)]),
        ("in:quoted impeller", 7, vec![("02", 6)]),
        ("from:ann", 9, (1..=9).map(|_| ("", 0)).collect()),
    ] {
        let body = app.get(&format!("/v1/search?q={query}")).await;
        assert_eq!(body["total"], total, "{query}");
        let shown = shown(&body);
        if query == "from:ann" {
            assert_eq!(shown.len(), hits.len(), "who took part is no repeat: {shown:?}");
        } else {
            assert_eq!(shown, hits.iter().map(|(day, n)| ((*day).to_owned(), *n)).collect::<Vec<_>>(), "{query}");
        }
    }
    for (all, total) in [("q=impeller&sort=newest&limit=50".to_owned(), 10), (format!("q=impeller+thread:{thread}&limit=50"), 9)] {
        let body = app.get(&format!("/v1/search?{all}")).await;
        assert_eq!((body["total"].as_u64().unwrap(), body["hits"].as_array().unwrap().len()), (total, total as usize), "{all}");
    }
    // Page by page the same, and nothing uncounted.
    let (mut counted, mut cursor) = (0, String::new());
    loop {
        let body = app.get(&format!("/v1/search?q=impeller&limit=1{cursor}")).await;
        counted += shown(&body).iter().map(|(_, repeats)| 1 + repeats).sum::<u64>();
        match body["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(counted, 10);
}

#[tokio::test]
async fn what_was_acknowledged_is_found_with_its_sequence() {
    let app = App::spawn().await;
    app.add(&[account("acme", "acme.example")]).await;
    for n in 0..10 {
        let outcome = app.post(&[note(&format!("n{n}"), "acme", "2026-01-01T09:00:00Z", &format!("fresh{n}"))]).await;
        let sequence = outcome[0]["sequence"].as_i64().unwrap();
        assert_eq!(app.found(&format!("q=fresh{n}&min_sequence={sequence}")).await, [format!("n{n}")]);
    }
    let ahead = app.send("/v1/search?q=fresh1&min_sequence=999999").await;
    assert_eq!(ahead.status(), 202);
    let body: Value = ahead.json().await.unwrap();
    assert!(body["lag"].as_i64().unwrap() > 0);
}

#[tokio::test]
async fn bad_queries_are_refused_before_any_engine_sees_them() {
    let app = App::spawn().await;
    let deep = "(".repeat(400);
    let many = vec!["a"; 70].join("%20OR%20");
    let long = "x".repeat(1_100);
    for (query, code, says) in [
        ("q=", "bad_query", "q is empty"),
        ("q=%22a", "bad_query", "never closed (at character 0)"),
        ("q=a*", "bad_query", "at least 2 letters"),
        ("q=-a", "bad_query", "only excludes"),
        (&format!("q={deep}"), "bad_query", "nested deeper"),
        (&format!("q={many}"), "bad_query", "more than 64"),
        (&format!("q={long}"), "bad_query", "limit is 1024"),
        ("q=a&mode=guess", "bad_parameter", "mode"),
        ("q=a&sort=random", "bad_parameter", "sort"),
        ("q=a&facets=maybe", "bad_parameter", "facets"),
        ("q=a&min_sequence=x", "bad_parameter", "min_sequence"),
        ("q=%00", "bad_query", "NUL"),
    ] {
        let (status, problem) = app.problem(&format!("/v1/search?{query}")).await;
        assert_eq!((status, problem["code"].as_str()), (400, Some(code)), "{query}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(says), "{query}: {problem}");
    }
    assert_eq!(app.problem("/v1/search?q=a&account=nobody").await.0, 404);
}
