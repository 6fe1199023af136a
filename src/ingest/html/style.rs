//! The little of CSS that decides whether words can be seen: which declarations apply to which element.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use ego_tree::NodeId;
use regex::Regex;
use scraper::{Html, Selector};

/// More style than this is layout; what hides words stands before.
const MAX_STYLE: usize = 256 * 1024;
/// Selectors tried against elements, so that hostile style costs no more than honest one.
const MAX_TRIES: usize = 3_000_000;

/// Declarations by property, the winning one of each.
pub(super) type Declared = HashMap<String, String>;

/// What applies to each element by the document's style sheets and its own attributes.
pub(super) fn declared(document: &Html) -> HashMap<NodeId, Declared> {
    let elements = document.tree.nodes().filter(|node| node.value().is_element()).count().max(1);
    let mut found: HashMap<NodeId, Vec<(Weight, String, String)>> = HashMap::new();
    let mut tries = 0;
    let present = names(document);
    for (order, rule) in rules(&sheets(document)).into_iter().enumerate() {
        for selector in rule.selectors.split(',').map(str::trim) {
            // Most rules are about elements that this mail does not have.
            if tries + elements > MAX_TRIES || !may_match(selector, &present) {
                continue;
            }
            let Ok(parsed) = Selector::parse(selector) else { continue };
            tries += elements;
            for element in document.select(&parsed) {
                let applied = found.entry(element.id()).or_default();
                for (property, value, important) in &rule.declarations {
                    applied.push((
                        Weight { important: *important, inline: false, specificity: specificity(selector), order },
                        property.clone(),
                        value.clone(),
                    ));
                }
            }
        }
    }
    for node in document.tree.nodes() {
        let Some(style) = node.value().as_element().and_then(|element| element.attr("style")) else { continue };
        let applied = found.entry(node.id()).or_default();
        for (property, value, important) in declarations(&plain(style)) {
            applied.push((Weight { important, inline: true, specificity: 0, order: usize::MAX }, property, value));
        }
    }
    found
        .into_iter()
        .map(|(id, mut applied)| {
            applied.sort_by_key(|(weight, ..)| *weight);
            (id, applied.into_iter().map(|(_, property, value)| (property, value)).collect())
        })
        .collect()
}

/// Which of two declarations wins: the larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Weight {
    important: bool,
    inline: bool,
    specificity: usize,
    order: usize,
}

struct Rule {
    selectors: String,
    declarations: Vec<(String, String, bool)>,
}

fn sheets(document: &Html) -> String {
    static STYLE: LazyLock<Selector> = LazyLock::new(|| Selector::parse("style").expect("the selector is a constant"));
    let mut css = String::new();
    for sheet in document.select(&STYLE) {
        sheet.text().for_each(|text| css.push_str(text));
        css.push('\n');
    }
    css.truncate(
        css.char_indices().map(|(i, _)| i).take_while(|i| *i <= MAX_STYLE).last().unwrap_or(0).max(css.len().min(MAX_STYLE.saturating_sub(3))),
    );
    plain(&css)
}

/// Without comments, escapes and the brackets of old mail programs.
fn plain(css: &str) -> String {
    static COMMENT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?s)/\*.*?(\*/|$)").expect("the pattern is a constant"));
    static ESCAPE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\\([0-9a-fA-F]{1,6})\s?|\\([^0-9a-fA-F\n])").expect("the pattern is a constant"));
    let css = COMMENT.replace_all(css, "").replace("<!--", "").replace("-->", "");
    ESCAPE
        .replace_all(&css, |found: &regex::Captures| match found.get(1) {
            Some(code) => u32::from_str_radix(code.as_str(), 16).ok().and_then(char::from_u32).map(String::from).unwrap_or_default(),
            None => found[2].to_owned(),
        })
        .into_owned()
}

/// The rules that apply on a wide, light screen.
fn rules(css: &str) -> Vec<Rule> {
    let mut rules = Vec::new();
    let mut rest = css;
    while let Some(open) = rest.find('{') {
        let (head, body) = (rest[..open].rsplit([';', '}']).next().unwrap_or_default().trim(), &rest[open + 1..]);
        if let Some(condition) = head.strip_prefix('@') {
            let condition = condition.to_ascii_lowercase();
            let Some(close) = closing(body) else { break };
            let applies = condition.starts_with("supports")
                || condition.starts_with("layer")
                || (condition.starts_with("media") && is_wide_light_screen(&condition));
            if applies {
                rules.extend(self::rules(&body[..close]));
            }
            rest = &body[close + 1..];
            continue;
        }
        let close = body.find('}').unwrap_or(body.len());
        let declarations = declarations(&body[..close]);
        if !declarations.is_empty() {
            rules.push(Rule { selectors: head.to_owned(), declarations });
        }
        rest = body.get(close + 1..).unwrap_or_default();
    }
    rules
}

/// The brace that closes the one before `body`.
fn closing(body: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (at, c) in body.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn is_wide_light_screen(condition: &str) -> bool {
    !(condition.contains("dark")
        || condition.contains("max-width")
        || condition.contains("max-device-width")
        || (condition.contains("print") && !condition.contains("screen")))
}

/// Properties that can hide words; all others are layout.
const WATCHED: &[&str] = &[
    "display",
    "visibility",
    "opacity",
    "font",
    "font-size",
    "color",
    "background",
    "background-color",
    "background-image",
    "max-height",
    "height",
    "max-width",
    "width",
    "overflow",
    "overflow-x",
    "overflow-y",
    "text-indent",
    "position",
    "left",
    "top",
    "right",
    "bottom",
    "clip",
    "clip-path",
    "transform",
    "filter",
    "-webkit-text-fill-color",
    "margin-left",
    "margin-top",
    "margin",
    "content-visibility",
];

fn declarations(block: &str) -> Vec<(String, String, bool)> {
    block
        .split(';')
        .filter_map(|declaration| {
            let (property, value) = declaration.split_once(':')?;
            let property = property.trim().to_ascii_lowercase();
            let value = value.trim().to_ascii_lowercase();
            let important = value.replace(' ', "").ends_with("!important");
            let value = value.split('!').next().unwrap_or_default().trim().to_owned();
            WATCHED.contains(&property.as_str()).then_some((property, value, important))
        })
        .collect()
}

/// Ids before classes, attributes and pseudo-classes before tags.
fn specificity(selector: &str) -> usize {
    static ID: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"#[\w-]+").expect("the pattern is a constant"));
    static CLASS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\.[\w-]+|\[[^\]]*\]|:[\w-]+(\([^)]*\))?").expect("the pattern is a constant"));
    static TAG: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?:^|[\s>+~])[a-zA-Z][\w-]*").expect("the pattern is a constant"));
    ID.find_iter(selector).count() * 10_000 + CLASS.find_iter(selector).count() * 100 + TAG.find_iter(selector).count()
}

/// Classes, ids and tags of the document.
fn names(document: &Html) -> HashSet<String> {
    let mut names = HashSet::new();
    for element in document.tree.nodes().filter_map(|node| node.value().as_element()) {
        names.insert(element.name().to_ascii_lowercase());
        names.extend(element.classes().map(|class| format!(".{class}")));
        names.extend(element.id().map(|id| format!("#{id}")));
    }
    names
}

/// Whether the class, id or tag at the selector's end exists at all.
fn may_match(selector: &str, present: &HashSet<String>) -> bool {
    let last = selector.rsplit([' ', '>', '+', '~']).next().unwrap_or(selector);
    let simple = last.split([':', '[']).next().unwrap_or_default();
    match simple.rfind(['.', '#']) {
        Some(at) => present.contains(&simple[at..]),
        None => simple.is_empty() || simple == "*" || present.contains(&simple.to_ascii_lowercase()),
    }
}
