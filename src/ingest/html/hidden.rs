//! Words that nobody sees: hidden by style, drawn in the colour of their background, too small, or off the page. They are
//! taken out of the document and listed.

use std::collections::HashMap;
use std::sync::LazyLock;

use csscolorparser::Color;
use ego_tree::NodeId;
use regex::Regex;
use scraper::node::Element;
use scraper::{Html, Node};

use super::style::{Declared, declared};

/// Smaller letters cannot be read, in pixels.
const READABLE: f64 = 3.0;
/// Colours nearer to each other than this contrast ratio (WCAG 2.2, 1 to 21) cannot be told apart.
const CONTRAST: f64 = 1.15;

/// How an element looks, as far as its words are concerned.
#[derive(Debug, Clone)]
struct Look {
    /// Nothing in it can be seen, whatever it says about itself.
    gone: bool,
    visible: bool,
    size: f64,
    opacity: f64,
    color: Color,
    /// None over a picture: then any colour may be seen.
    background: Option<Color>,
    /// A fill beside the colour, which wins over it.
    fill: Option<Color>,
    /// How wide the box is that cuts off what does not fit.
    cut_at: Option<f64>,
}

/// Takes unseen words out of the document; returns them in order, those of one element as one.
pub(super) fn take_out(document: &mut Html) -> Vec<String> {
    let styles = declared(document);
    let page = Look {
        gone: false,
        visible: true,
        size: 16.0,
        opacity: 1.0,
        color: Color::new(0.0, 0.0, 0.0, 1.0),
        background: Some(Color::new(1.0, 1.0, 1.0, 1.0)),
        fill: None,
        cut_at: None,
    };
    let mut looks: HashMap<NodeId, Look> = HashMap::new();
    let mut unseen: Vec<(NodeId, NodeId, String)> = Vec::new();
    // Parents come before their children.
    for node in document.tree.root().descendants() {
        let parent = node.parent().and_then(|parent| looks.get(&parent.id())).unwrap_or(&page);
        match node.value() {
            Node::Element(element) => {
                let look = look(element, styles.get(&node.id()), parent);
                // Of closed details only the summary is seen.
                let in_closed =
                    node.parent().is_some_and(|p| p.value().as_element().is_some_and(|p| p.name() == "details" && p.attr("open").is_none()));
                let look = Look { gone: look.gone || (in_closed && element.name() != "summary"), ..look };
                looks.insert(node.id(), look);
            }
            Node::Text(text) if text.contains(char::is_alphanumeric) => {
                let closed = node.parent().is_some_and(|p| p.value().as_element().is_some_and(|p| p.name() == "details" && p.attr("open").is_none()));
                if closed || !parent.shows_words() {
                    let holder = node.parent().map_or(node.id(), |parent| parent.id());
                    unseen.push((node.id(), holder, text.split_whitespace().collect::<Vec<_>>().join(" ")));
                }
            }
            _ => {}
        }
    }
    let mut words: Vec<(NodeId, String)> = Vec::new();
    for (id, holder, text) in unseen {
        let never_shown =
            document.tree.get(holder).is_some_and(|h| h.ancestors().chain([h]).any(|n| n.value().as_element().is_some_and(is_machinery)));
        if let Some(mut node) = document.tree.get_mut(id) {
            node.detach();
        }
        if never_shown {
            continue;
        }
        match words.last_mut() {
            Some((last, before)) if *last == holder => {
                before.push(' ');
                before.push_str(&text);
            }
            _ => words.push((holder, text)),
        }
    }
    words.into_iter().map(|(_, text)| text).collect()
}

impl Look {
    fn shows_words(&self) -> bool {
        if self.gone || !self.visible || self.size < READABLE || self.opacity < 0.1 {
            return false;
        }
        let color = self.fill.as_ref().unwrap_or(&self.color);
        if color.a < 0.1 {
            return false;
        }
        self.background.as_ref().is_none_or(|background| contrast(&over(color, background), background) >= CONTRAST)
    }
}

/// Elements of the document's machinery: their text is no text.
fn is_machinery(element: &Element) -> bool {
    matches!(
        element.name(),
        "head" | "title" | "style" | "script" | "meta" | "svg" | "math" | "object" | "iframe" | "select" | "datalist" | "textarea"
    )
}

fn look(element: &Element, style: Option<&Declared>, parent: &Look) -> Look {
    let empty = Declared::new();
    let style = style.unwrap_or(&empty);
    let says = |property: &str| style.get(property).map(String::as_str);
    let mut look = parent.clone();
    let removed = matches!(element.name(), "template" | "noscript") || is_machinery(element);
    let display_none = match says("display") {
        Some(display) => display == "none",
        None => element.attr("hidden").is_some(),
    };
    let measure = |property: &str| says(property).and_then(|value| length(value, parent.size));
    // Pushed out of the box around it.
    let pushed_out = parent.cut_at.zip(measure("margin-left")).is_some_and(|(width, margin)| margin >= width);
    let cuts = ["overflow", "overflow-x"].iter().any(|p| says(p).is_some_and(|o| o.contains("hidden")));
    look.cut_at = if cuts { measure("width").or(measure("max-width")) } else { None };
    look.gone =
        parent.gone || pushed_out || removed || display_none || is_off_the_page(&says, parent.size) || says("content-visibility") == Some("hidden");
    match says("visibility") {
        Some("hidden" | "collapse") => look.visible = false,
        Some("visible") => look.visible = true,
        _ => {}
    }
    look.opacity *= says("opacity").and_then(fraction).unwrap_or(1.0).clamp(0.0, 1.0);
    if let Some(opacity) = says("filter").and_then(|f| f.split("opacity(").nth(1)).and_then(|f| fraction(f.split(')').next()?)) {
        look.opacity *= opacity.clamp(0.0, 1.0);
    }
    let shorthand = says("font").and_then(|font| font.split_whitespace().find_map(|part| length(part.split('/').next()?, parent.size)));
    if let Some(size) = says("font-size").and_then(|size| length(size, parent.size)).or(shorthand) {
        look.size = size;
    }
    if let Some(color) = says("color")
        .and_then(color)
        .or_else(|| element.attr("color").and_then(legacy))
        .or_else(|| element.attr("text").filter(|_| element.name() == "body").and_then(legacy))
    {
        look.color = color;
    }
    if let Some(fill) = says("-webkit-text-fill-color").and_then(color) {
        look.fill = Some(fill);
    }
    take_background(&mut look, &says, element);
    look
}

fn take_background<'a>(look: &mut Look, says: &impl Fn(&str) -> Option<&'a str>, element: &Element) {
    let plain = says("background-color").and_then(color).or_else(|| element.attr("bgcolor").and_then(legacy));
    let drawn =
        [says("background-image"), says("background")].into_iter().flatten().find(|drawn| drawn.contains("gradient(") || drawn.contains("url("));
    let shorthand =
        says("background").filter(|background| !background.contains('(') || background.starts_with("rgb") || background.starts_with("hsl"));
    let color = plain.or_else(|| shorthand.and_then(|b| color(b).or_else(|| b.split_whitespace().find_map(color))));
    match drawn {
        // A gradient between colours is taken as its first; a picture may be anything.
        Some(gradient) if gradient.contains("gradient(") => {
            static COLOR: LazyLock<Regex> =
                LazyLock::new(|| Regex::new(r"#[0-9a-f]{3,8}\b|rgba?\([^)]*\)|hsla?\([^)]*\)|\b[a-z]{3,}\b").expect("the pattern is a constant"));
            if let Some(first) = COLOR.find_iter(gradient).find_map(|found| self::color(found.as_str())) {
                look.background = Some(first);
            }
        }
        Some(_) if color.is_none() && drawn_color(drawn).is_none() => look.background = None,
        // Under a picture lies its colour, and mail programs often leave pictures out.
        _ => {
            let color = color.or_else(|| drawn_color(drawn));
            if let Some(color) = color {
                look.background = Some(over(&color, look.background.as_ref().unwrap_or(&Color::new(1.0, 1.0, 1.0, 1.0))));
            }
        }
    }
    if element.attr("background").is_some_and(|url| !url.trim().is_empty()) && drawn.is_none() {
        look.background = None;
    }
}

/// The colour beside a picture.
fn drawn_color(drawn: Option<&str>) -> Option<Color> {
    drawn?.split_whitespace().filter(|part| !part.starts_with("url(")).find_map(color)
}

/// Boxes without room, and boxes that lie where nobody looks.
fn is_off_the_page<'a>(says: &impl Fn(&str) -> Option<&'a str>, size: f64) -> bool {
    let measure = |property: &str| says(property).and_then(|value| length(value, size));
    let cut = ["overflow", "overflow-x", "overflow-y"].iter().any(|p| says(p).is_some_and(|o| o.contains("hidden") || o.contains("clip")));
    let none = |property: &str| measure(property).is_some_and(|length| length <= 1.0);
    if cut && ["height", "max-height", "width", "max-width"].iter().any(|p| none(p)) {
        return true;
    }
    if measure("text-indent").is_some_and(|indent| indent <= -300.0) {
        return true;
    }
    let far = |property: &str| measure(property).is_some_and(|offset| offset <= -500.0);
    let placed = says("position").is_some_and(|p| p == "absolute" || p == "fixed" || p == "relative");
    if placed
        && ["left", "top", "right", "bottom"]
            .iter()
            .any(|p| far(p) || (says("position") == Some("fixed") && says(p).is_some_and(|v| v.starts_with("-1") && v.ends_with("00%"))))
    {
        return true;
    }
    let margins = says("margin").map(|m| m.split_whitespace().any(|part| length(part, size).is_some_and(|l| l <= -500.0))).unwrap_or(false);
    if far("margin-left") || far("margin-top") || margins {
        return true;
    }
    let zeros = |value: &str| value.chars().all(|c| !c.is_ascii_digit() || c == '0') && value.contains('0');
    let clipped = matches!(says("position"), Some("absolute" | "fixed"))
        && says("clip").is_some_and(|clip| {
            clip.split('(').nth(1).is_some_and(|inner| zeros(inner) || inner.replace("1px", "0").chars().all(|c| !c.is_ascii_digit() || c == '0'))
        });
    let shaped = says("clip-path").is_some_and(|path| path.contains("inset(100%") || path.contains("inset(50%") || path.contains("circle(0"));
    let flat = says("transform").is_some_and(|t| {
        static SCALE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"scale[xy3d]*\(\s*0*\.?0+\s*[,)]").expect("the pattern is a constant"));
        SCALE.is_match(t)
    });
    clipped || shaped || flat
}

/// A length in pixels; relative ones are of the font's size.
fn length(value: &str, size: f64) -> Option<f64> {
    let value = value.trim();
    let digits = value.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '%');
    let number: f64 = digits.trim().parse().ok()?;
    Some(match &value[digits.len()..] {
        "" if number != 0.0 && !digits.is_empty() => number,
        "pt" => number * 4.0 / 3.0,
        "em" => number * size,
        "rem" => number * 16.0,
        "%" => number / 100.0 * size,
        "ex" | "ch" => number * size / 2.0,
        "cm" => number * 37.8,
        "mm" => number * 3.78,
        "in" => number * 96.0,
        "vw" | "vh" => number * 10.0,
        _ => number,
    })
}

fn fraction(value: &str) -> Option<f64> {
    let value = value.trim();
    match value.strip_suffix('%') {
        Some(per_cent) => per_cent.parse::<f64>().ok().map(|p| p / 100.0),
        None => value.parse().ok(),
    }
}

fn color(value: &str) -> Option<Color> {
    csscolorparser::parse(value.trim()).ok()
}

/// Colours of attributes may lack their `#`.
fn legacy(value: &str) -> Option<Color> {
    color(value).or_else(|| color(&format!("#{}", value.trim().trim_start_matches('#'))))
}

fn over(front: &Color, back: &Color) -> Color {
    let mix = |f: f32, b: f32| f * front.a + b * (1.0 - front.a);
    Color::new(mix(front.r, back.r), mix(front.g, back.g), mix(front.b, back.b), 1.0)
}

/// WCAG 2.2's contrast ratio.
fn contrast(a: &Color, b: &Color) -> f64 {
    let part = |c: f32| {
        let c = f64::from(c);
        if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    };
    let light = |c: &Color| 0.2126 * part(c.r) + 0.7152 * part(c.g) + 0.0722 * part(c.b);
    let (a, b) = (light(a) + 0.05, light(b) + 0.05);
    a.max(b) / a.min(b)
}
