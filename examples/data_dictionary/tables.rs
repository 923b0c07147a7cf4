//! The tables of other pages that name the streams. Each is between two comments of its page, `generated: NAME` and
//! `generated: end`.

use serde_json::Value;
use source_aifi::lists::declared::{ALL, List, UPDATED_FIELD};

use crate::sources::{ORDERS, Source};
use crate::{file, names};

/// A table in a page.
pub(crate) struct Table {
    /// The page.
    pub(crate) path: &'static str,
    /// Its name in the comment.
    pub(crate) name: &'static str,
    /// Makes its lines from the streams that `discover` describes.
    make: fn(&[(Source, &Value)]) -> String,
}

/// All of them.
pub(crate) const TABLES: [Table; 4] = [
    Table { path: "docs/aifi.md", name: "supported streams", make: supported },
    Table { path: "docs/aifi.md", name: "settings of each stream", make: settings },
    Table { path: "docs/state.md", name: "states of the streams", make: states },
    Table { path: "metadata.yaml", name: "suggested streams", make: suggested },
];

impl Table {
    /// The page with the table made anew. A page that lacks one of the two comments is an error.
    pub(crate) fn written(&self, text: &str, streams: &[(Source, &Value)]) -> Result<String, String> {
        let missing = |what: &str| format!("{}: the comment `generated: {what}` is missing", self.path);
        let begin = text.find(&format!("generated: {}", self.name)).ok_or_else(|| missing(self.name))?;
        let begin = begin + text[begin..].find('\n').ok_or_else(|| missing(self.name))? + 1;
        let end = begin + text[begin..].find("generated: end").ok_or_else(|| missing("end"))?;
        let end = text[..end].rfind('\n').ok_or_else(|| missing("end"))? + 1;
        Ok(format!("{}{}{}", &text[..begin], (self.make)(streams), &text[end..]))
    }
}

/// Pages with all their tables made anew, by path.
pub(crate) fn pages(streams: &[(Source, &Value)]) -> Result<Vec<(&'static str, String)>, String> {
    let mut pages: Vec<(&str, String)> = Vec::new();
    for table in &TABLES {
        if pages.last().is_none_or(|(path, _)| *path != table.path) {
            let text = std::fs::read_to_string(file(table.path))
                .map_err(|error| format!("{}: {error}", table.path))?;
            pages.push((table.path, text));
        }
        if let Some((_, text)) = pages.last_mut() {
            *text = table.written(text, streams)?;
        }
    }
    Ok(pages)
}

fn supported(streams: &[(Source, &Value)]) -> String {
    let mut out = "\n| stream | one row per | primary key | cursor |\n| --- | --- | --- | --- |\n".to_owned();
    for (source, stream) in streams {
        let (key, cursor) = (&stream["source_defined_primary_key"], &stream["default_cursor_field"]);
        let name = source.name;
        out += &format!(
            "| [{name}](streams.md#{name}) | {} | {} | {} |\n",
            source.row,
            names(key),
            names(cursor)
        );
    }
    out + "\n"
}

/// The lists that a stream is made of.
fn declared(source: &Source) -> Option<&'static List> {
    ALL.iter().copied().find(|list| list.name == source.name)
}

fn settings(streams: &[(Source, &Value)]) -> String {
    let mut out = "\n| stream | Start date | End date | Stores | Statuses, Customer roles |\n| --- | --- | --- | --- | --- |\n".to_owned();
    out += &format!("| {} | by `draftCreatedAt` | by `draftCreatedAt` | yes | yes |\n", ORDERS.join(", "));
    for list in streams.iter().filter_map(|(source, _)| declared(source)) {
        let start = if list.incremental { format!("by `{UPDATED_FIELD}`") } else { "no".to_owned() };
        let stores = if list.store.is_empty() { "no" } else { "yes" };
        out += &format!("| {} | {start} | no | {stores} | no |\n", list.name);
    }
    out + "\n"
}

fn states(streams: &[(Source, &Value)]) -> String {
    let mut out = "\n| stream | its state |\n| --- | --- |\n".to_owned();
    for (source, _) in streams {
        let says = match declared(source) {
            Some(list) if list.incremental => {
                format!(
                    "`{{\"{UPDATED_FIELD}\": P, \"recent\": R}}`: every row that was changed before P is written. R names the newest rows, see below"
                )
            }
            Some(_) => "`{\"__ab_no_cursor_state_message\": true}`: read anew in each sync".to_owned(),
            None => source.state.to_owned(),
        };
        out += &format!("| `{}` | {says} |\n", source.name);
    }
    out + "\n"
}

/// Those that cost few requests and are of use to most.
fn suggested(streams: &[(Source, &Value)]) -> String {
    let wanted = streams.iter().filter(|(source, _)| source.suggested);
    wanted.map(|(source, _)| format!("      - {}\n", source.name)).collect()
}
