//! Threads that read: each makes one pass at a time, alone on its core; what waits is bounded.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use tokio::sync::oneshot;

use super::{Asked, Read, Reader, ReaderError};
use crate::domain::entry::Side;
use crate::domain::reading::{EngineKind, ReadingEngine};

/// Orders that may wait.
const QUEUE: usize = 64;
/// Questions that may wait, each some milliseconds.
const QUESTIONS: usize = 64;

struct Order {
    sentences: Vec<Asked>,
    reply: oneshot::Sender<Result<Vec<Read>, ReaderError>>,
}

/// The reader with its threads, which end when the last copy of this is dropped.
#[derive(Debug, Clone)]
pub struct Workers {
    reader: Arc<Reader>,
    orders: Sender<Order>,
    /// What somebody waits for: read by a thread of its own, before all else.
    questions: Sender<Order>,
}

impl Workers {
    /// # Errors
    /// When the system gives no threads.
    pub fn start(reader: Reader, threads: usize) -> Result<Workers, ReaderError> {
        let (orders, work) = bounded(QUEUE);
        let reader = Arc::new(reader);
        for _ in 0..threads.max(1) {
            let (reader, work) = (reader.clone(), work.clone());
            let thread = std::thread::Builder::new().name("reader".to_owned()).spawn(move || work_all(&reader, &work));
            thread.map_err(|e| ReaderError::Failed(e.to_string()))?;
        }
        let (questions, work) = bounded(QUESTIONS);
        let asked = reader.clone();
        let thread = std::thread::Builder::new().name("question".to_owned()).spawn(move || answer_all(&asked, &work));
        thread.map_err(|e| ReaderError::Failed(e.to_string()))?;
        Ok(Workers { reader, orders, questions })
    }

    /// Which training this is; rises with each.
    pub fn version(&self) -> i64 {
        self.reader.version()
    }

    /// How readings name it.
    pub fn engine(&self) -> ReadingEngine {
        ReadingEngine { kind: EngineKind::Local, model: "rapport-reader".to_owned(), version: self.version().to_string() }
    }

    /// Reads any number of sentences, in their order, `share` by each thread at a time.
    ///
    /// # Errors
    /// As [`Workers::read`], except that it waits for its turn.
    pub async fn read_all(&self, mut sentences: Vec<Asked>, share: usize) -> Result<Vec<Read>, ReaderError> {
        let mut read = Vec::with_capacity(sentences.len());
        while !sentences.is_empty() {
            let rest = sentences.split_off(sentences.len().min(share * QUEUE / 2));
            let orders = sentences.chunks(share).map(|some| self.read(some.to_vec()));
            futures_util::future::try_join_all(orders).await?.into_iter().for_each(|some| read.extend(some));
            sentences = rest;
        }
        Ok(read)
    }

    /// Reads sentences, in their order.
    ///
    /// # Errors
    /// `Busy` when too much waits.
    pub async fn read(&self, sentences: Vec<Asked>) -> Result<Vec<Read>, ReaderError> {
        Workers::send(&self.orders, sentences).await
    }

    /// What a question means, as a vector: somebody waits for it, whatever else is read.
    ///
    /// # Errors
    /// As [`Workers::read`].
    pub async fn meaning(&self, question: &str) -> Result<Vec<f32>, ReaderError> {
        let asked = Asked { text: question.to_owned(), before: None, side: Side::Customer, title: None, mentions: Vec::new() };
        let read = Workers::send(&self.questions, vec![asked]).await?;
        read.into_iter().next().map(|read| read.vector).ok_or_else(|| ReaderError::Failed("it gave no answer".to_owned()))
    }

    async fn send(orders: &Sender<Order>, sentences: Vec<Asked>) -> Result<Vec<Read>, ReaderError> {
        let (reply, answer) = oneshot::channel();
        orders.try_send(Order { sentences, reply }).map_err(|error| match error {
            TrySendError::Full(_) => ReaderError::Busy,
            TrySendError::Disconnected(_) => ReaderError::Failed("its threads have ended".to_owned()),
        })?;
        answer.await.map_err(|_| ReaderError::Failed("its thread has ended".to_owned()))?
    }
}

/// Everything else on the machine goes first: of the processor, reading takes what is left.
fn give_way() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, 19) {
        tracing::debug!(%error, "reading does not give way to other work");
    }
}

fn work_all(reader: &Reader, work: &Receiver<Order>) {
    give_way();
    answer_all(reader, work);
}

fn answer_all(reader: &Reader, work: &Receiver<Order>) {
    for order in work {
        let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| reader.read(&order.sentences)));
        let _ = order.reply.send(read.unwrap_or_else(|_| Err(ReaderError::Failed("it panicked".to_owned()))));
    }
}
