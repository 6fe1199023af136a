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
    app.service.index.rebuild(app.workspace).await.unwrap();
    assert_eq!(app.found("q=centrifuge").await, [id]);
    app.add(&[serde_json::json!({ "kind": "entry", "id": id, "deleted": true })]).await;
    app.settle().await;
    assert!(app.found("q=centrifuge").await.is_empty());
}

/// A PDF of these objects, numbered from 1; the first is its catalog.
fn pdf(objects: &[Vec<u8>]) -> Vec<u8> {
    let (mut file, mut places) = (b"%PDF-1.5\n".to_vec(), String::new());
    for (number, object) in objects.iter().enumerate() {
        places.push_str(&format!("{:010} 00000 n \n", file.len()));
        file.extend(format!("{} 0 obj\n", number + 1).bytes());
        file.extend(object);
        file.extend(b"\nendobj\n");
    }
    let (count, at) = (objects.len() + 1, file.len());
    file.extend(format!("xref\n0 {count}\n0000000000 65535 f \n{places}trailer\n<< /Size {count} /Root 1 0 R >>\nstartxref\n{at}\n%%EOF\n").bytes());
    file
}

/// As many pages as asked for, each showing the same stream.
fn pages(count: usize, stream: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut packer, stream).unwrap();
    let packed = packer.finish().unwrap();
    let mut content = format!("<< /Length {} /Filter /FlateDecode >>\nstream\n", packed.len()).into_bytes();
    content.extend(packed);
    content.extend(b"\nendstream");
    let kids = "3 0 R ".repeat(count);
    pdf(&[
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        format!("<< /Type /Pages /Kids [{kids}] /Count {count} >>").into_bytes(),
        b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R >>".to_vec(),
        content,
    ])
}

#[tokio::test]
async fn a_document_that_breaks_its_reader_breaks_nothing_else() {
    use base64::Engine;
    let app = App::spawn().await;
    app.add(&[serde_json::json!({ "kind": "workspace", "us_domains": ["us.example"] }), account("acme", "acme.example")]).await;
    let deep = [b"<< /Type /Catalog /Pages 2 0 R /X ".to_vec(), b"[".repeat(2_000_000), b" >>".to_vec()].concat();
    let documents: [(&str, Vec<u8>); 6] = [
        ("unpacks.pdf", pages(500, &b"q Q ".repeat(8 * 1024 * 1024))),
        ("operations.pdf", pages(2, &b"q ".repeat(4 * 1024 * 1024 - 8))),
        ("deep.pdf", pdf(&[deep])),
        ("cut.pdf", include_bytes!("../../fixtures/documents/offer.pdf")[..300].to_vec()),
        ("offer.pdf", include_bytes!("../../fixtures/documents/offer.pdf").to_vec()),
        ("offer.docx", include_bytes!("../../fixtures/documents/offer.docx").to_vec()),
    ];
    let mut raw =
        "Message-ID: <1@acme>\r\nFrom: Ann <ann@acme.example>\r\nTo: jo@us.example\r\nDate: Tue, 3 Feb 2026 09:12:00 +0000\r\nSubject: Papers\r\n\
        MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\nSee what is attached.\r\n"
            .to_owned();
    for (name, bytes) in &documents {
        let content = base64::engine::general_purpose::STANDARD.encode(bytes);
        raw.push_str(&format!("--x\r\nContent-Disposition: attachment; filename=\"{name}\"\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"));
        for line in content.as_bytes().chunks(76) {
            raw.push_str(std::str::from_utf8(line).unwrap());
            raw.push_str("\r\n");
        }
    }
    raw.push_str("--x--\r\n");
    let mail = app.mail("inbox", &raw).await;
    app.settle().await;
    let id = mail["id"].as_str().unwrap();
    let mut told = Vec::new();
    for position in 0..documents.len() {
        let response = app.send(&format!("/v1/entries/{id}/attachments/{position}/text")).await;
        let words = response.status().is_success().then_some(response.text().await.unwrap());
        told.push(words.map(|w| serde_json::from_str::<serde_json::Value>(&w).unwrap()["text"].as_str().unwrap().to_owned()));
    }
    assert_eq!(told[..4], [const { None }; 4]);
    assert_eq!(told[4].as_deref(), Some("The pump costs 4800 euros.\n\nDelivery in March (2026)"));
    assert_eq!(told[5].as_deref(), Some("Price & terms\n48,000 EUR"));
    assert_eq!(app.found("q=delivery").await, [id]);
}
