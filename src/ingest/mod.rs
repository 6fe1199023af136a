//! Bytes become domain values. Pure: nothing here knows that anything is stored.

pub mod absence;
pub mod attachment;
pub mod automatic;
pub mod calendar;
pub mod card;
pub mod chat;
pub mod concealed;
pub mod derive;
pub mod email;
pub mod format;
pub mod html;
pub mod likeness;
pub mod mailbox;
pub mod owner;
pub mod record;
pub mod redact;
pub mod reply;
pub mod table;
pub mod text;
pub mod thread;
pub mod transcript;
