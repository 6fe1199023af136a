//! A query whose plain words are not required: they rank what the rest of it lets through.

use super::Query;

/// Words of English questions that say nothing by themselves. Words of other languages are ranked by how rare they are.
const EMPTY: &str = "a about after again all also am an and any are as at be because been before being both but by can could did do does \
    doing done during each few for from further get got had has have having he her here hers him his how i if in into is it its itself \
    just let me more most my no nor not of off on once only or other our ours out over own same shall she should so some such than that \
    the their theirs them then there these they this those through to too until up us very was we were what when where whether which \
    while who whom whose why will with would you your yours \
    aren couldn d didn doesn don hadn hasn haven isn ll m mustn re s shouldn t ve wasn weren wouldn";

/// Whether a folded word says nothing by itself.
pub fn says_nothing(word: &str) -> bool {
    EMPTY.split_ascii_whitespace().any(|empty| empty == word)
}

impl Query {
    /// The words that are not required in a ranked search, as they were asked, with those in quotation marks.
    pub fn asked(&self) -> String {
        match self {
            Query::Word(word) | Query::Exact(word) => word.clone(),
            Query::Together(words) | Query::Phrase(words, _) => words.join(" "),
            Query::Near(left, right, _) => format!("{left} {right}"),
            Query::And(parts) | Query::Or(parts) => {
                let words: Vec<String> = parts.iter().map(Query::asked).filter(|words| !words.is_empty()).collect();
                words.join(" ")
            }
            Query::All | Query::Prefix(_) | Query::In(..) | Query::If(_) | Query::Not(_) => String::new(),
        }
    }

    /// With any of its plain words instead of all of them; those that say nothing are left out.
    #[must_use]
    pub fn ranked(self) -> Query {
        let (words, mut rest) = self.apart();
        let telling: Vec<Query> = words.iter().cloned().filter_map(telling).collect();
        let mut words = if telling.is_empty() { words } else { telling };
        match words.len() {
            0 => {}
            1 => rest.append(&mut words),
            _ => rest.push(Query::Or(words)),
        }
        all(rest)
    }

    /// Without its plain words: what must hold of anything that is found.
    #[must_use]
    pub fn frame(self) -> Query {
        all(self.apart().1)
    }

    /// Its plain words, and the rest.
    fn apart(self) -> (Vec<Query>, Vec<Query>) {
        let parts = match self {
            Query::And(parts) => parts,
            Query::All => Vec::new(),
            one => vec![one],
        };
        parts.into_iter().partition(|part| matches!(part, Query::Word(_) | Query::Together(_)))
    }
}

/// What says something of a plain word: of "customer's" the customer, of "didn't" nothing.
fn telling(word: Query) -> Option<Query> {
    match word {
        Query::Together(words) if words.iter().any(|word| says_nothing(word)) => {
            let mut words: Vec<String> = words.into_iter().filter(|word| !says_nothing(word)).collect();
            if words.len() > 1 { Some(Query::Together(words)) } else { words.pop().map(Query::Word) }
        }
        Query::Word(word) if says_nothing(&word) => None,
        word => Some(word),
    }
}

fn all(mut parts: Vec<Query>) -> Query {
    match parts.len() {
        0 => Query::All,
        1 => parts.remove(0),
        _ => Query::And(parts),
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;

    #[test]
    fn plain_words_rank_and_the_rest_is_required() {
        let now = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
        for (text, ranked, frame, asked) in [
            ("when did we agree on the discount", "agree or discount", "everything", "when did we agree on the discount"),
            ("discount type:call -renewal", "type call and not renewal and discount", "type call and not renewal", "discount"),
            ("\"price list\" discount scanner", "\"price list\" and (discount or scanner)", "\"price list\"", "price list discount scanner"),
            ("what didn't the customer's CFO like", "customer or cfo or like", "everything", "what didn t the customer s cfo like"),
            ("what is it", "what or is or it", "everything", "what is it"),
            ("discount", "discount", "everything", "discount"),
            ("from:ann", "from ann", "from ann", ""),
        ] {
            let query = parse(text, &now).unwrap();
            assert_eq!(query.asked(), asked, "{text}");
            assert_eq!(query.clone().ranked().to_string(), ranked, "{text}");
            assert_eq!(query.frame().to_string(), frame, "{text}");
        }
    }
}
