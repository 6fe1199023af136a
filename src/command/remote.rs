//! A running server, asked by the commands that write.

use anyhow::{Context, anyhow};
use reqwest::{Client, Method, RequestBuilder};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// A server that has the data directory.
#[derive(Debug, Clone)]
pub struct Remote {
    client: Client,
    base: String,
}

#[derive(Deserialize)]
struct Problem {
    detail: String,
}

impl Remote {
    pub fn new(address: &str) -> Remote {
        Remote { client: Client::new(), base: format!("http://{address}") }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    /// Sends and reads the answer; waits and tries again while the server is too busy.
    pub async fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> anyhow::Result<T> {
        self.offer(request).await?.map_err(|reason| anyhow!("{reason}"))
    }

    /// Sends something that the server may refuse: its reason comes back as the inner error.
    pub async fn offer<T: DeserializeOwned>(&self, request: RequestBuilder) -> anyhow::Result<Result<T, String>> {
        let mut pause = std::time::Duration::from_millis(100);
        loop {
            let attempt = request.try_clone().ok_or_else(|| anyhow!("this request cannot be sent again"))?;
            let response = attempt.send().await.with_context(|| format!("asking the server on {}", self.base))?;
            let status = response.status();
            if status == reqwest::StatusCode::SERVICE_UNAVAILABLE && pause < std::time::Duration::from_secs(10) {
                tokio::time::sleep(pause).await;
                pause *= 2;
                continue;
            }
            let bytes = response.bytes().await?;
            if status.is_success() {
                return serde_json::from_slice(&bytes).map(Ok).context("reading the server's answer");
            }
            let detail = serde_json::from_slice::<Problem>(&bytes).map_or_else(|_| status.to_string(), |p| p.detail);
            return if status.is_client_error() { Ok(Err(detail)) } else { Err(anyhow!("{detail}")) };
        }
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.send(self.request(Method::GET, path)).await
    }
}
