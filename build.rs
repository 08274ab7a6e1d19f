//! Rebuilds when a migration is added: `sqlx::migrate!` alone notices only edits of files it knows.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rerun-if-changed=policies");
}
