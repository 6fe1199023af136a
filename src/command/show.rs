//! Words on the terminal: colour only where one looks at it, widths that fit.

use anstyle::{AnsiColor, Style};

pub const HEADING: Style = Style::new().bold();
pub const FAINT: Style = Style::new().dimmed();
pub const MATCH: Style = Style::new().bold().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow)));

/// `2026-03-12 09:12`.
pub fn time(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M").to_string()
}

/// An HTML snippet with `<mark>` as styled plain text on one line. Control characters never reach the terminal.
pub fn snippet(html: &str) -> String {
    let plain = html.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
    let marked = plain.replace("<mark>", "\u{1}").replace("</mark>", "\u{2}").replace("&amp;", "&");
    let line: String = marked.split_whitespace().collect::<Vec<_>>().join(" ");
    let clean: String = line.chars().filter(|c| !c.is_control() || matches!(c, '\u{1}' | '\u{2}')).collect();
    clean.replace('\u{1}', &MATCH.render().to_string()).replace('\u{2}', &MATCH.render_reset().to_string())
}

/// Text of strangers without what could move the cursor.
pub fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || *c == '\n').collect()
}

/// Wraps to a width at blanks, each line indented.
pub fn wrap(text: &str, width: usize, indent: &str) -> String {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines.iter().map(|l| format!("{indent}{l}")).collect::<Vec<_>>().join("\n")
}

/// `1,234,567`.
pub fn number(n: u64) -> String {
    rapport::domain::money::format(n as f64, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moves_the_cursor() {
        assert!(!snippet("a\u{1b}[31m b").contains("\u{1b}[31m"));
        assert_eq!(plain("x\u{7}\ny"), "x\ny");
        assert_eq!(wrap("a bb ccc", 4, "> "), "> a bb\n> ccc");
    }
}
