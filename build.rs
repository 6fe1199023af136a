//! Migrations are compiled in: a changed one rebuilds the program.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
