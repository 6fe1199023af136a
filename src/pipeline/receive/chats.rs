//! Chats: each conversation is an entry with its messages as turns.

use super::Outcome;
use super::transcripts::{Held, transcripts};
use crate::domain::WorkspaceId;
use crate::domain::entry::EntryType;
use crate::ingest::chat::Conversation;
use crate::pipeline::once::Once;
use crate::pipeline::{Result as PipelineResult, Service};

/// Takes the conversations of a chat; one that has gone on since is brought up to date.
///
/// # Errors
/// When the store fails; then nothing was taken.
pub async fn chat(
    service: &Service,
    workspace: WorkspaceId,
    conversations: Vec<Conversation>,
    account_id: Option<String>,
    once: Option<Once>,
) -> PipelineResult<Vec<Outcome>> {
    let held = |id: String| Held {
        id: Some(id),
        account_id: account_id.clone(),
        r#type: Some(EntryType::IntegrationEvent),
        channel: Some("chat".to_owned()),
        ..Held::default()
    };
    let items = conversations.into_iter().map(|c| (c.transcript, held(c.id))).collect();
    transcripts(service, workspace, items, once).await
}
