//! Spreadsheets: CSV files of any delimiter and charset become rows, rows become records. Which column means what is
//! said by a mapping, or guessed from the header as CRMs and help desks write it.

mod cells;
mod plan;
mod rows;

pub use plan::{Mapping, Plan, plan};
pub use rows::{Company, Draft, drafts, slug};

use super::text;

/// Larger tables are refused.
pub const MAX_TABLE: usize = 128 * 1024 * 1024;
const MAX_COLUMNS: usize = 1_000;
/// As many as a sheet of a spreadsheet has.
const MAX_ROWS: usize = 1_048_576;
/// After each the rest of the file is read anew.
const MAX_OPEN_QUOTES: usize = 20;
/// Longer cells are no cells: mostly a quote that was never closed.
const MAX_CELL: usize = 1024 * 1024;

/// What could not be read: the line it begins on, and why.
pub type Unread = (u64, String);

/// The rows under one header.
#[derive(Debug, Default)]
pub struct Table {
    pub header: Vec<String>,
    /// Each with the line it begins on.
    pub rows: Vec<(u64, Vec<String>)>,
    /// Rows that could not be read: the line, and why.
    pub refused: Vec<Unread>,
}

/// Records one after the other as they are asked for, or why a row makes none.
pub type Drafts = Box<dyn Iterator<Item = Result<Draft, Unread>> + Send>;

/// The records of a table's rows, and why other rows make none.
///
/// # Errors
/// When the table cannot be read, or its columns are not understood.
pub fn read_drafts(bytes: &[u8], mapping: Option<&Mapping>) -> Result<Drafts, String> {
    let mut table = read(bytes)?;
    let plan = plan(&table.header, mapping)?;
    let refused = std::mem::take(&mut table.refused);
    Ok(Box::new(drafts(table, plan).chain(refused.into_iter().map(Err))))
}

/// Whether the beginning of a file looks like a table: a first line of several cells.
pub fn is_table(start: &str) -> bool {
    let mut lines = start.lines().map(str::trim_end).filter(|line| !line.trim().is_empty());
    let Some(header) = lines.next() else { return false };
    delimiter(header).is_some_and(|delimiter| {
        let cells = header.split(char::from(delimiter)).filter(|cell| !cell.trim().is_empty()).count();
        cells >= 2 && header.len() < 64 * 1024 * 1024
    })
}

/// What separates the cells of a header: the most frequent of the usual ones outside quotes.
fn delimiter(header: &str) -> Option<u8> {
    let mut quoted = false;
    let mut counts = [(b',', 0usize), (b';', 0), (b'\t', 0), (b'|', 0)];
    for c in header.chars() {
        if c == '"' {
            quoted = !quoted;
        }
        for (delimiter, count) in counts.iter_mut().filter(|_| !quoted) {
            *count += usize::from(c == char::from(*delimiter));
        }
    }
    counts.into_iter().rev().max_by_key(|(_, count)| *count).filter(|(_, count)| *count > 0).map(|(delimiter, _)| delimiter)
}

/// Reads a table.
///
/// # Errors
/// When there is no header, or too many columns or bytes. Rows that cannot be read are only listed.
pub fn read(bytes: &[u8]) -> Result<Table, String> {
    if bytes.len() > MAX_TABLE {
        return Err(format!("the table has {} bytes; the limit is {MAX_TABLE}", bytes.len()));
    }
    let text = text::decode(bytes);
    let mut lines = text.split_inclusive('\n');
    let mut skipped = 0;
    // Spreadsheets name the delimiter in a line of its own.
    let first = lines.by_ref().inspect(|_| skipped += 1).find(|line| !line.trim().is_empty() && !line.starts_with("sep="));
    let Some(first) = first else { return Err("the table has no header".to_owned()) };
    let begin = first.as_ptr() as usize - text.as_ptr() as usize;
    let delimiter = delimiter(first).ok_or("the table has one column only")?;
    let mut table = Table::default();
    let mut from = begin;
    let mut line = skipped as u64;
    let mut open_quotes = 0;
    while from < text.len() {
        open_quotes += 1;
        if open_quotes > MAX_OPEN_QUOTES {
            table.refused.push((line + 1, "too many quotes are opened and never closed; the rest was left out".to_owned()));
            break;
        }
        match part(&text[from..], line, delimiter, &mut table)? {
            Some((rest, rest_line)) => (from, line) = (from + rest, rest_line),
            None => break,
        }
    }
    drop_footer(&mut table);
    if table.header.is_empty() {
        return Err("the table has no header".to_owned());
    }
    Ok(table)
}

/// Reads rows up to the end, or to one whose quote is never closed: then returns where the line after it begins.
fn part(text: &str, line: u64, delimiter: u8, table: &mut Table) -> Result<Option<(usize, u64)>, String> {
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut record = csv::StringRecord::new();
    loop {
        // Taken before reading: where the row begins.
        let start = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
        match reader.read_record(&mut record) {
            Ok(false) => return Ok(None),
            Ok(true) => {}
            Err(error) => return Err(format!("the table cannot be read on: {error}")),
        }
        let end = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX).min(text.len());
        let raw = &text[start.min(end)..end];
        // The reader counts from the empty lines before a row.
        let blank = raw.bytes().take_while(|b| matches!(b, b'\n' | b'\r')).filter(|b| *b == b'\n').count() as u64;
        let at = line + blank + record.position().map_or(0, |p| p.line().saturating_sub(1));
        if raw.len() > 1 && end == text.len() && raw.bytes().filter(|b| *b == b'"').count() % 2 == 1 {
            let skipped = raw.len() - raw.trim_start_matches('\n').len();
            table.refused.push((at, "a quote is opened in this row and never closed".to_owned()));
            let next = raw[skipped..].find('\n').map(|i| start + skipped + i + 1);
            return Ok(next.filter(|next| *next < text.len()).map(|next| (next, at + 1)));
        }
        if table.rows.len() + table.refused.len() >= MAX_ROWS {
            table.refused.push((at, format!("the table has more than {MAX_ROWS} rows; the rest was left out")));
            return Ok(None);
        }
        if record.len() > MAX_COLUMNS {
            let reason = format!("{} columns; the limit is {MAX_COLUMNS}", record.len());
            if table.header.is_empty() {
                return Err(format!("the table has {reason}"));
            }
            table.refused.push((at, format!("the row has {reason}")));
            continue;
        }
        if let Some(cell) = record.iter().find(|cell| cell.len() > MAX_CELL) {
            table.refused.push((at, format!("a cell has {} bytes; the limit is {MAX_CELL}", cell.len())));
            continue;
        }
        let cells: Vec<String> = record.iter().map(cells::tidy).collect();
        if cells.iter().all(String::is_empty) {
            continue;
        }
        if table.header.is_empty() {
            table.header = record.iter().map(|name| name.trim().to_owned()).collect();
        } else if let Some(extra) = cells.iter().skip(table.header.len()).find(|cell| !cell.is_empty()) {
            let extra: String = extra.chars().take(40).collect();
            table.refused.push((at, format!("the row has {} cells, the header {}; {extra:?} has no column", cells.len(), table.header.len())));
        } else {
            table.rows.push((at, cells));
        }
    }
}

/// Reports end with lines about themselves: set apart by an empty line or by their words and alone in the first column,
/// or a sum.
fn drop_footer(table: &mut Table) {
    const BEGINS: [&str; 9] =
        ["copyright", "confidential", "generated by", "grand total", "total records", "report ", "©", "vertraulich", "gesamtsumme"];
    const SUMS: [&str; 6] = ["sum", "summe", "total", "gesamt", "totale", "grand total"];
    let columns = table.header.len();
    while let Some((line, cells)) = table.rows.last() {
        let first = cells[0].trim_end_matches(':').to_lowercase();
        let filled = cells.iter().filter(|cell| !cell.is_empty()).count();
        let before = table.rows.iter().rev().nth(1);
        let set_apart =
            before.is_none_or(|(before, cells)| before + 1 + cells.iter().map(|cell| cell.matches('\n').count() as u64).sum::<u64>() < *line);
        let alone = columns >= 3 && filled == 1 && !first.is_empty() && !first.contains('@');
        let about_itself = alone && (set_apart || BEGINS.iter().any(|begins| first.starts_with(begins)));
        let sums = cells.iter().any(|cell| SUMS.contains(&cell.trim_end_matches(':').to_lowercase().as_str()));
        let figures = cells.iter().filter(|cell| !cell.is_empty() && cells::number(cell).is_none()).count() <= 1;
        if !(about_itself || sums && figures && columns >= 3) {
            break;
        }
        table.rows.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_with_their_lines_in_any_delimiter() {
        let table = read("sep=;\nName;Mail\nAnn;\"a@x.example\nb@x.example\"\n\n;;\nBob;b@x.example\n".as_bytes()).unwrap();
        assert_eq!(table.header, ["Name", "Mail"]);
        assert_eq!(
            table.rows,
            [(3, vec!["Ann".to_owned(), "a@x.example\nb@x.example".to_owned()]), (7, vec!["Bob".to_owned(), "b@x.example".to_owned()])]
        );
    }

    #[test]
    fn an_open_quote_costs_only_its_row() {
        let table = read(b"name,email\nAnn,a@x.example\n\"Bob,b@x.example\nCarl,c@x.example\n").unwrap();
        assert_eq!(table.rows.iter().map(|(line, cells)| (*line, cells[0].as_str())).collect::<Vec<_>>(), [(2, "Ann"), (4, "Carl")]);
        assert_eq!(table.refused, [(3, "a quote is opened in this row and never closed".to_owned())]);
    }

    #[test]
    fn too_wide_rows_and_tables_are_refused() {
        let table = read(b"a,b\n1,2,3\n4\n").unwrap();
        assert_eq!(table.refused.len(), 1);
        assert_eq!(table.rows.len(), 1);
        assert!(read("x,".repeat(100_000).as_bytes()).unwrap_err().contains("100001 columns"));
        assert!(read(b"").is_err() && read(b"alone\n").is_err());
    }
}
