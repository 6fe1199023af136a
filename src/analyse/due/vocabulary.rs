//! The words of which dates are made, and those that tell a date from what only looks like one.

use jiff::civil::Weekday;

pub(super) const WEEKDAYS: [(&[&str], Weekday); 7] = [
    (&["monday", "mon"], Weekday::Monday),
    (&["tuesday", "tue", "tues", "tuseday"], Weekday::Tuesday),
    (&["wednesday", "wed", "weds", "wednsday", "wensday", "wedensday"], Weekday::Wednesday),
    (&["thursday", "thu", "thur", "thurs", "thurday", "thrusday"], Weekday::Thursday),
    (&["friday", "fri"], Weekday::Friday),
    (&["saturday", "sat"], Weekday::Saturday),
    (&["sunday", "sun"], Weekday::Sunday),
];

pub(super) const MONTHS: [&[&str]; 12] = [
    &["january", "jan", "januray"],
    &["february", "feb", "febuary", "feburary"],
    &["march", "mar"],
    &["april", "apr"],
    &["may"],
    &["june", "jun"],
    &["july", "jul"],
    &["august", "aug"],
    &["september", "sep", "sept", "septmber"],
    &["october", "oct"],
    &["november", "nov"],
    &["december", "dec"],
];

pub(super) const NUMBERS: [&str; 21] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
];

pub(super) const PREPOSITIONS: [&str; 11] = ["by", "before", "on", "at", "until", "till", "in", "within", "for", "over", "during"];

/// Before these words and a date lies what has been, or something that only bears the date in its name.
pub(super) const PAST: [&str; 36] = [
    "last",
    "past",
    "previous",
    "since",
    "after",
    "from",
    "every",
    "each",
    "discussed",
    "agreed",
    "said",
    "mentioned",
    "asked",
    "promised",
    "requested",
    "sent",
    "met",
    "spoke",
    "talked",
    "received",
    "reported",
    "called",
    "wrote",
    "raised",
    "emailed",
    "shared",
    "happened",
    "started",
    "was",
    "were",
    "about",
    "taken",
    "paid",
    "charged",
    "made",
    "held",
];

/// What was, in verbs that do not end in -ed.
pub(super) const WENT: [&str; 24] = [
    "went", "came", "gave", "made", "paid", "sent", "took", "had", "did", "got", "met", "said", "told", "wrote", "held", "ran", "was", "were", "saw",
    "bought", "brought", "left", "lost", "spent",
];

/// Who did what is told: what is promised has other words before it.
pub(super) const TELLERS: [&str; 11] = ["you", "we", "they", "he", "she", "i", "that", "which", "who", "was", "were"];

pub(super) const DETERMINERS: [&str; 12] = ["the", "our", "your", "their", "my", "his", "her", "its", "that", "a", "an", "those"];

/// Names of zones that stand behind a time; people name their own.
pub(super) const ZONES: [&str; 20] =
    ["et", "est", "edt", "ct", "cst", "cdt", "mt", "mst", "mdt", "pt", "pst", "pdt", "gmt", "bst", "cet", "cest", "utc", "ist", "jst", "aest"];

pub(super) const ORDINALS: [&str; 20] = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
    "twentieth",
];

/// What may follow a bare date; any other word makes it part of a name: "the May release".
pub(super) const GOES_ON: [&str; 68] = [
    ".", ",", ";", ":", "!", "?", ")", "(", "-", "–", "—", "\"", "/", "and", "but", "so", "or", "to", "with", "for", "at", "by", "if", "when",
    "once", "as", "then", "i", "we", "you", "he", "she", "they", "it", "the", "a", "an", "my", "our", "your", "this", "that", "via", "on", "in",
    "after", "before", "because", "though", "from", "instead", "latest", "too", "already", "again", "please", "unless", "until", "about", "around",
    "since", "while", "i'll", "we'll", "you'll", "he'll", "she'll", "they'll",
];
