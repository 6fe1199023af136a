//! Which version of a record stays, whatever the order of arrival.

use jiff::Timestamp;

/// How a version relates to the stored one.
#[derive(Debug, PartialEq)]
pub(super) enum Standing {
    Newer,
    /// The same content, or nothing to do.
    Same,
    Older,
}

/// The version rule: `updated_at` orders versions; without one, the order of arrival does. Of two versions of the same
/// moment the one with the larger hash stays, so that the order of arrival does not matter. A tombstone stays unless
/// something says that it is newer.
pub(super) fn standing(stored: Option<&StoredVersion>, updated_at: Option<Timestamp>, hash: &str, deletes: bool) -> Standing {
    let Some(stored) = stored else { return Standing::Newer };
    if stored.deleted {
        let revives = updated_at.is_some_and(|new| stored.updated_at.is_none_or(|old| new > old));
        return if deletes || !revives { Standing::Same } else { Standing::Newer };
    }
    match (stored.updated_at, updated_at) {
        (Some(old), Some(new)) if new < old => Standing::Older,
        _ if deletes => Standing::Newer,
        _ if hash == stored.hash => Standing::Same,
        (Some(old), Some(new)) if new == old && hash < stored.hash.as_str() => Standing::Older,
        _ => Standing::Newer,
    }
}

pub(super) struct StoredVersion {
    pub deleted: bool,
    pub updated_at: Option<Timestamp>,
    pub hash: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Option<Timestamp> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn the_newest_version_stays_whatever_the_order() {
        let early = at("2026-01-01T00:00:00Z");
        let late = at("2026-02-01T00:00:00Z");
        let stored = |updated_at, hash: &str, deleted| StoredVersion { deleted, updated_at, hash: hash.to_owned() };
        let check = |stored: Option<StoredVersion>, updated_at, hash: &str, deletes| standing(stored.as_ref(), updated_at, hash, deletes);
        assert_eq!(check(None, None, "a", false), Standing::Newer);
        assert_eq!(check(Some(stored(None, "a", false)), None, "b", false), Standing::Newer, "arrival decides without dates");
        assert_eq!(check(Some(stored(None, "a", false)), None, "a", false), Standing::Same);
        assert_eq!(check(Some(stored(late, "a", false)), early, "b", false), Standing::Older);
        assert_eq!(check(Some(stored(early, "a", false)), late, "b", false), Standing::Newer);
        assert_eq!(check(Some(stored(late, "a", false)), early, "", true), Standing::Older, "a late delete deletes nothing newer");
        assert_eq!(check(Some(stored(early, "a", false)), None, "", true), Standing::Newer);
        assert_eq!(check(Some(stored(late, "", true)), early, "a", false), Standing::Same, "a tombstone is not revived by older versions");
        assert_eq!(check(Some(stored(late, "", true)), None, "a", false), Standing::Same);
        assert_eq!(check(Some(stored(early, "", true)), late, "a", false), Standing::Newer);
        let (ab, ba) = (check(Some(stored(early, "a", false)), early, "b", false), check(Some(stored(early, "b", false)), early, "a", false));
        assert_eq!((ab, ba), (Standing::Newer, Standing::Older), "the same moment: one of the two stays, in either order");
    }
}
