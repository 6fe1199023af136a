//! What the search is compared with, on the same entries and questions: a bare tantivy, and SQLite's FTS5 tuned for this.

use std::path::Path;

use anyhow::Context;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tantivy::collector::{Count, TopDocs};
use tantivy::query::{BooleanQuery, FuzzyTermQuery, Occur, PhraseQuery, Query, RegexQuery, TermQuery};
use tantivy::schema::{FAST, Field, INDEXED, IndexRecordOption, STRING, Schema, TEXT, TextFieldIndexing, TextOptions};
use tantivy::{IndexReader, IndexWriter, Order, TantivyDocument, Term};

use super::PAGE;
use super::ask::Ask;
use super::corpus::Corpus;

/// tantivy as its first page shows it, unsorted, with its own words and stems, in the fields that ours fills for such entries; one field
/// is asked.
pub struct Bare {
    reader: IndexReader,
    account: Field,
    text: Field,
}

impl Bare {
    pub fn build(path: &Path, corpus: &Corpus, memory: usize) -> anyhow::Result<Bare> {
        std::fs::create_dir_all(path)?;
        let mut schema = Schema::builder();
        let number = schema.add_u64_field("number", FAST | INDEXED);
        let account = schema.add_u64_field("account", FAST | INDEXED);
        let thread = schema.add_u64_field("thread", FAST | INDEXED);
        let (hash, key) = (schema.add_u64_field("hash", FAST), schema.add_u64_field("key", FAST));
        let at = schema.add_i64_field("at", FAST);
        let kind = schema.add_text_field("kind", STRING | FAST);
        let text = schema.add_text_field("text", TEXT);
        let stems = TextFieldIndexing::default().set_tokenizer("en_stem").set_index_option(IndexRecordOption::WithFreqs);
        let stem = schema.add_text_field("stem", TextOptions::default().set_indexing_options(stems));
        let index = tantivy::Index::create_in_dir(path, schema.build())?;
        let mut writer: IndexWriter = index.writer_with_num_threads(1, memory)?;
        for made in corpus.iter() {
            let mut document = TantivyDocument::default();
            document.add_u64(number, made.number.unsigned_abs());
            document.add_u64(account, made.account);
            document.add_u64(thread, made.account << 32 | made.thread);
            document.add_u64(hash, made.number.unsigned_abs().wrapping_mul(0x9e37_79b9_7f4a_7c15));
            document.add_u64(key, made.account << 32 | made.number.unsigned_abs());
            document.add_i64(at, made.at.as_microsecond());
            document.add_text(kind, "email_received");
            document.add_text(text, &made.text);
            document.add_text(stem, &made.text);
            writer.add_document(document)?;
        }
        writer.commit()?;
        writer.wait_merging_threads()?;
        Ok(Bare { reader: index.reader()?, account, text })
    }

    /// Finds the best entries, and how many there are; none where it has no such search.
    pub fn ask(&self, ask: &Ask) -> anyhow::Result<Option<usize>> {
        let word = |word: &str| Term::from_field_text(self.text, word);
        let one = |term: Term, with: IndexRecordOption| -> Box<dyn Query> { Box::new(TermQuery::new(term, with)) };
        let scored = |word_: &str| one(word(word_), IndexRecordOption::WithFreqs);
        let searcher = self.reader.searcher();
        let best: Box<dyn Query> = match ask {
            Ask::Word(asked) => scored(asked),
            Ask::Words(asked) => Box::new(BooleanQuery::intersection(asked.iter().map(|asked| scored(asked)).collect())),
            Ask::Phrase(asked) => Box::new(PhraseQuery::new(asked.iter().map(|asked| word(asked)).collect())),
            Ask::Prefix(asked) => Box::new(RegexQuery::from_pattern(&format!("{asked}.*"), self.text)?),
            Ask::Misspelt(asked) => Box::new(FuzzyTermQuery::new(word(asked), 1, true)),
            Ask::InAccount(account, asked) => {
                let account = one(Term::from_field_u64(self.account, *account), IndexRecordOption::Basic);
                let query = BooleanQuery::new(vec![(Occur::Must, account), (Occur::Must, scored(asked))]);
                let newest = TopDocs::with_limit(PAGE).order_by_fast_field::<i64>("at", Order::Desc);
                return Ok(Some(searcher.search(&query, &(newest, Count))?.1));
            }
            Ask::Loose(_) | Ask::Period(..) | Ask::Counted(_) => return Ok(None),
        };
        let (page, count) = searcher.search(&best, &(TopDocs::with_limit(PAGE).order_by_score(), Count))?;
        for (_, address) in &page {
            let column = searcher.segment_reader(address.segment_ord).fast_fields().u64("number")?;
            std::hint::black_box(column.first(address.doc_id));
        }
        Ok(Some(count))
    }
}

/// FTS5 without a copy of the text, its accounts as words of a column of their own, its rows in order of time, so that the newest come by
/// number and nothing is sorted.
pub struct Fts5 {
    connection: SqliteConnection,
}

impl Fts5 {
    pub async fn build(path: &Path, corpus: &Corpus) -> anyhow::Result<Fts5> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Off)
            .synchronous(SqliteSynchronous::Off)
            .pragma("cache_size", "-200000")
            .pragma("mmap_size", "4000000000");
        let mut connection = options.connect().await?;
        sqlx::query("CREATE VIRTUAL TABLE entry USING fts5(text, account, content='', tokenize=\"unicode61 remove_diacritics 2\")")
            .execute(&mut connection)
            .await
            .context("this SQLite has no FTS5")?;
        let mut transaction = connection.begin().await?;
        for made in corpus.iter() {
            sqlx::query("INSERT INTO entry(rowid, text, account) VALUES ($1, $2, $3)")
                .bind(made.number)
                .bind(&made.text)
                .bind(format!("account{}", made.account))
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        sqlx::query("INSERT INTO entry(entry) VALUES ('optimize')").execute(&mut connection).await?;
        Ok(Fts5 { connection })
    }

    /// Finds the best entries, and how many those are; none where it has no such search.
    pub async fn ask(&mut self, ask: &Ask) -> anyhow::Result<Option<usize>> {
        let Some((text, newest)) = Fts5::text(ask) else { return Ok(None) };
        let statement = if newest {
            "SELECT rowid FROM entry WHERE entry MATCH $1 ORDER BY rowid DESC LIMIT $2"
        } else {
            "SELECT rowid FROM entry WHERE entry MATCH $1 ORDER BY rank LIMIT $2"
        };
        let found: Vec<(i64,)> = sqlx::query_as(statement).bind(text).bind(PAGE as i64).fetch_all(&mut self.connection).await?;
        Ok(Some(found.len()))
    }

    /// The numbers of all entries that match, in order.
    pub async fn all(&mut self, ask: &Ask) -> anyhow::Result<Option<Vec<i64>>> {
        let Some((text, _)) = Fts5::text(ask) else { return Ok(None) };
        let found: Vec<(i64,)> =
            sqlx::query_as("SELECT rowid FROM entry WHERE entry MATCH $1 ORDER BY rowid").bind(text).fetch_all(&mut self.connection).await?;
        Ok(Some(found.into_iter().map(|(number,)| number).collect()))
    }

    fn text(ask: &Ask) -> Option<(String, bool)> {
        let text = match ask {
            Ask::Word(word) => format!("text:{word}"),
            Ask::Words(words) => words.iter().map(|word| format!("text:{word}")).collect::<Vec<_>>().join(" AND "),
            Ask::Phrase(words) => format!("text:\"{}\"", words.join(" ")),
            Ask::Prefix(prefix) => format!("text:{prefix}*"),
            Ask::InAccount(account, word) => return Some((format!("account:account{account} AND text:{word}"), true)),
            Ask::Misspelt(_) | Ask::Loose(_) | Ask::Period(..) | Ask::Counted(_) => return None,
        };
        Some((text, false))
    }
}
