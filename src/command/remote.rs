//! A running server, asked by the commands that write.

use anyhow::{Context, anyhow};
use reqwest::{Client, Method, RequestBuilder};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::summarize::escaped;

/// A server that has the data directory.
#[derive(Debug, Clone)]
pub struct Remote {
    client: Client,
    base: String,
    pass: String,
    workspace: String,
}

#[derive(Deserialize)]
struct Problem {
    detail: String,
}

impl Remote {
    /// A server on the same data directory, which lets in who knows the secret that lies there.
    pub fn new(address: &str, pass: &str, workspace: &str) -> Remote {
        Remote { client: Client::new(), base: format!("http://{address}"), pass: pass.to_owned(), workspace: workspace.to_owned() }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.pass).header("rapport-workspace", escaped(&self.workspace))
    }

    /// Sends what is answered without words.
    pub async fn done(&self, request: RequestBuilder) -> anyhow::Result<()> {
        self.ask(request).await?.map(drop).map_err(|reason| anyhow!("{reason}"))
    }

    /// Sends and reads the answer; waits and tries again while the server is too busy.
    pub async fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> anyhow::Result<T> {
        self.offer(request).await?.map_err(|reason| anyhow!("{reason}"))
    }

    /// Sends something that the server may refuse: its reason comes back as the inner error.
    pub async fn offer<T: DeserializeOwned>(&self, request: RequestBuilder) -> anyhow::Result<Result<T, String>> {
        match self.ask(request).await? {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Ok).context("reading the server's answer"),
            Err(reason) => Ok(Err(reason)),
        }
    }

    async fn ask(&self, request: RequestBuilder) -> anyhow::Result<Result<Vec<u8>, String>> {
        let mut pause = std::time::Duration::from_millis(100);
        loop {
            let attempt = request.try_clone().ok_or_else(|| anyhow!("this request cannot be sent again"))?;
            let response = attempt.send().await.with_context(|| format!("asking the server on {}", self.base))?;
            let status = response.status();
            // Turned away before anything was done: what was given up after a while may have been done.
            let busy = matches!(status, reqwest::StatusCode::SERVICE_UNAVAILABLE | reqwest::StatusCode::TOO_MANY_REQUESTS);
            let busy = busy && response.headers().contains_key("retry-after");
            if busy && pause < std::time::Duration::from_secs(10) {
                tokio::time::sleep(pause).await;
                pause *= 2;
                continue;
            }
            let bytes = response.bytes().await?;
            if status.is_success() {
                return Ok(Ok(bytes.into()));
            }
            let detail = serde_json::from_slice::<Problem>(&bytes).map_or_else(|_| status.to_string(), |p| p.detail);
            return if status.is_client_error() { Ok(Err(detail)) } else { Err(anyhow!("{detail}")) };
        }
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.send(self.request(Method::GET, path)).await
    }
}
