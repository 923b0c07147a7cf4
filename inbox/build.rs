//! Builds again when a migration comes in.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
