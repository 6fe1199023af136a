//! Every setting: what it means, its default and its variable. Read and checked whole before anything starts.

use std::path::PathBuf;
use std::time::Duration;

use jiff::SignedDuration;

/// The settings of the service beside those of the command line.
#[derive(Debug, Clone)]
pub struct Config {
    /// `RAPPORT_GAP_DAYS`, 14: a communication after so many days of silence refreshes the summary.
    pub gap: SignedDuration,
    /// `RAPPORT_QUIET_SECONDS`, 2: a refresh waits until its cause has been quiet for so long, so that a burst costs one.
    pub quiet: SignedDuration,
    /// `RAPPORT_QUIET_AT_MOST_SECONDS`, 60: but never longer than this.
    pub quiet_at_most: SignedDuration,
    /// `RAPPORT_WORKERS`, 2: jobs that run at the same time.
    pub workers: usize,
    /// `RAPPORT_INDEX_MEMORY_MB`, 64: memory for words not yet written to the index.
    pub index_memory: usize,
    /// `RAPPORT_MAX_REQUESTS`, 256: requests answered at the same time; more get 503 with Retry-After.
    pub max_requests: usize,
    /// `RAPPORT_SCRUB_SECONDS`, 20: pause between two looks at all bytes of the search indexes for damage.
    pub scrub: Duration,
    /// `DATABASE_URL`: a PostgreSQL server in the place of the SQLite file in the data directory.
    pub database: Option<DatabaseUrl>,
    /// `RAPPORT_READER`, the one that ships with the program: a folder with another one (`models/reader/README.md`), or
    /// `off`.
    pub reader: ReaderFrom,
    /// The `rapport` program, which reads documents apart from the service.
    pub program: PathBuf,
}

/// Where the model that reads comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReaderFrom {
    Shipped,
    Folder(PathBuf),
    /// Nothing is read.
    Off,
}

/// Where a PostgreSQL server is and how to sign in there; never shown, as it holds a password.
#[derive(Clone)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// # Errors
    /// When it names no PostgreSQL server.
    pub fn read(url: String) -> Result<DatabaseUrl, String> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(DatabaseUrl(url));
        }
        let scheme = url.split_once("://").map_or("none", |(scheme, _)| scheme);
        Err(format!(
            "DATABASE_URL begins with {scheme:?}; it must be postgres://USER:PASSWORD@HOST/DATABASE, or unset for SQLite in the data directory"
        ))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DatabaseUrl")
    }
}

impl Default for Config {
    fn default() -> Config {
        Config {
            gap: SignedDuration::from_hours(14 * 24),
            quiet: SignedDuration::from_secs(2),
            quiet_at_most: SignedDuration::from_secs(60),
            workers: 2,
            index_memory: 64 * 1024 * 1024,
            max_requests: 256,
            scrub: Duration::from_secs(20),
            database: None,
            reader: ReaderFrom::Shipped,
            program: this_program(),
        }
    }
}

impl Config {
    /// Reads the variables; `var` is the environment, or a table in tests.
    ///
    /// # Errors
    /// Names the variable, its value and the allowed range.
    pub fn read(var: impl Fn(&str) -> Option<String>) -> Result<Config, String> {
        let number = |name: &str, default: i64, range: std::ops::RangeInclusive<i64>| match var(name) {
            None => Ok(default),
            Some(text) => match text.trim().parse::<i64>() {
                Ok(value) if range.contains(&value) => Ok(value),
                _ => Err(format!("{name} is {text:?}; it must be a whole number from {} to {}", range.start(), range.end())),
            },
        };
        let size = |value: i64| usize::try_from(value).unwrap_or(usize::MAX);
        Ok(Config {
            gap: SignedDuration::from_hours(number("RAPPORT_GAP_DAYS", 14, 1..=3650)? * 24),
            quiet: SignedDuration::from_secs(number("RAPPORT_QUIET_SECONDS", 2, 0..=3600)?),
            quiet_at_most: SignedDuration::from_secs(number("RAPPORT_QUIET_AT_MOST_SECONDS", 60, 0..=86_400)?),
            workers: size(number("RAPPORT_WORKERS", 2, 1..=64)?),
            index_memory: size(number("RAPPORT_INDEX_MEMORY_MB", 64, 16..=4096)?) * 1024 * 1024,
            max_requests: size(number("RAPPORT_MAX_REQUESTS", 256, 1..=100_000)?),
            scrub: Duration::from_secs(number("RAPPORT_SCRUB_SECONDS", 20, 1..=86_400)?.unsigned_abs()),
            database: var("DATABASE_URL").filter(|url| !url.is_empty()).map(DatabaseUrl::read).transpose()?,
            reader: match var("RAPPORT_READER").filter(|reader| !reader.is_empty()) {
                None => ReaderFrom::Shipped,
                Some(off) if off == "off" => ReaderFrom::Off,
                Some(folder) => ReaderFrom::Folder(folder.into()),
            },
            program: this_program(),
        })
    }
}

fn this_program() -> PathBuf {
    std::env::current_exe().unwrap_or_else(|_| PathBuf::from("rapport"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_have_defaults_and_are_checked_by_name() {
        let defaults = Config::read(|_| None).unwrap();
        assert_eq!((defaults.gap.as_hours(), defaults.workers), (14 * 24, 2));
        let set = Config::read(|name| (name == "RAPPORT_GAP_DAYS").then(|| "7".to_owned())).unwrap();
        assert_eq!(set.gap.as_hours(), 7 * 24);
        let wrong = Config::read(|name| (name == "RAPPORT_WORKERS").then(|| "many".to_owned())).unwrap_err();
        assert_eq!(wrong, "RAPPORT_WORKERS is \"many\"; it must be a whole number from 1 to 64");
    }
}
