//! The words of attachments are found as part of their mail, and cited in their own text.

use crate::app::{App, account};

#[tokio::test]
async fn words_of_attachments_are_found_and_lead_to_their_place() {
    let app = App::spawn().await;
    app.add(&[serde_json::json!({ "kind": "workspace", "us_domains": ["us.example"] }), account("acme", "acme.example")]).await;
    let raw = "Message-ID: <1@acme>\r\nFrom: Ann <ann@acme.example>\r\nTo: jo@us.example\r\nDate: Tue, 3 Feb 2026 09:12:00 +0000\r\nSubject: Papers\r\n\
        MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\nSee what is attached.\r\n\
        --x\r\nContent-Type: image/png; name=\"logo.png\"\r\nContent-Disposition: attachment; filename=\"logo.png\"\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n\
        --x\r\nContent-Type: text/html; name=\"offer.html\"\r\nContent-Disposition: attachment; filename=\"offer.html\"\r\n\r\n<p>Offer</p><script>evil()</script><p>The centrifuge costs <b>Grüße &amp; 48,000</b> euros.</p>\r\n--x--\r\n";
    let mail = app.mail("inbox", raw).await;
    let id = mail["id"].as_str().unwrap();
    app.settle().await;
    let found = app.get("/v1/search?q=centrifuge").await;
    let hit = &found["hits"][0];
    assert_eq!((hit["id"].as_str(), hit["attachment"].as_u64(), &hit["segment"]), (Some(id), Some(1), &serde_json::Value::Null));
    assert_eq!(hit["matched"], serde_json::json!(["attachment"]));
    let text = app.get(&format!("/v1/entries/{id}/attachments/1/text")).await["text"].as_str().unwrap().to_owned();
    let (start, end) = (hit["start"].as_u64().unwrap() as usize, hit["end"].as_u64().unwrap() as usize);
    let passage: String = text.chars().skip(start).take(end - start).collect();
    assert!(passage.contains("The centrifuge costs Grüße & 48,000 euros."), "{passage}");
    assert!(!text.contains("evil"));
    assert_eq!(app.problem(&format!("/v1/entries/{id}/attachments/0/text")).await.0, 404, "a picture has no words");
    // Built again, the index still knows them; deleted, nobody does.
    app.service.index.rebuild().await.unwrap();
    assert_eq!(app.found("q=centrifuge").await, [id]);
    app.add(&[serde_json::json!({ "kind": "entry", "id": id, "deleted": true })]).await;
    app.settle().await;
    assert!(app.found("q=centrifuge").await.is_empty());
}
