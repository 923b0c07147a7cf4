//! The rooms of the sandbox: imports run one way.

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms, each of which may use those before it. `lib.rs` has the same table.
const ROOMS: [&str; 11] = [
    "random", "settings", "time", "shop", "endpoint", "orders", "lists", "webhook", "model", "server",
    "sandbox",
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the sources are there") {
        let path = entry.expect("a folder can be listed").path();
        if path.is_dir() {
            sources(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn rooms_import_one_way() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let rank = |room: &str| ROOMS.iter().position(|known| *known == room);
    let (mut imports, mut seen) = (0, [false; ROOMS.len()]);
    for file in files {
        let name =
            file.strip_prefix(&root).expect("it is below").to_str().expect("names are ASCII").to_owned();
        if name.ends_with("/tests.rs") || ["lib.rs", "main.rs", "testing.rs"].contains(&name.as_str()) {
            continue;
        }
        let room = name.split(['/', '.']).next().expect("a name has a beginning");
        let own = rank(room).unwrap_or_else(|| panic!("{name}: the room is not in the table"));
        seen[own] = true;
        let text = fs::read_to_string(&file).expect("a source is text");
        let code = text.split("#[cfg(test)]").next().expect("there is a beginning");
        for used in code.split("use crate::").skip(1) {
            let used = used.split([':', ';']).next().expect("a path has a beginning");
            let used_rank = rank(used).unwrap_or_else(|| panic!("{name} uses {used}, which is not a room"));
            assert!(used_rank <= own, "{name} uses {used}, which is above it");
            imports += usize::from(used_rank < own);
        }
    }
    assert!(imports > 100, "{imports} imports");
    assert_eq!(seen, [true; ROOMS.len()]);
    let lib = fs::read_to_string(root.join("lib.rs")).expect("a source is text");
    let table: Vec<&str> =
        lib.lines().filter_map(|line| line.strip_prefix("//! | `")?.split('`').next()).collect();
    assert_eq!(table, ROOMS);
}
