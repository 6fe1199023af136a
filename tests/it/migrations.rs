//! Both databases have the same tables and columns.

use std::collections::BTreeMap;

/// Tables and their column names, read from the migrations of one database.
fn tables(database: &str) -> BTreeMap<String, Vec<String>> {
    let folder = format!("migrations/{database}");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    let mut tables = BTreeMap::new();
    for file in files {
        let sql = std::fs::read_to_string(file).unwrap();
        for statement in sql.split("CREATE TABLE ").skip(1) {
            let (name, rest) = statement.split_once(" (").unwrap();
            let columns = rest.lines().skip(1).take_while(|line| !line.starts_with(')'));
            let names = columns.filter_map(|line| line.split_whitespace().next()).filter(|word| !matches!(*word, "PRIMARY" | "UNIQUE" | "--"));
            tables.insert(name.to_owned(), names.map(str::to_owned).collect());
        }
    }
    tables
}

#[test]
fn sqlite_and_postgres_agree() {
    let sqlite = tables("sqlite");
    assert!(sqlite.len() >= 15 && sqlite["entry"].contains(&"occurred_at".to_owned()), "{sqlite:?}");
    assert_eq!(sqlite, tables("postgres"));
}
