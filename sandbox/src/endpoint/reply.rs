//! The bodies of answers: a page of orders, and any object with an array.

use crate::settings::Behaviour;

/// An object with an array in it, before it is a body: faults change its rows.
#[derive(Debug)]
pub(crate) struct Reply {
    /// Pairs before the array, each with a comma behind it.
    pub(crate) before: Vec<u8>,
    pub(crate) rows: Vec<Vec<u8>>,
    /// Pairs behind the array, each with a comma before it.
    pub(crate) behind: Vec<u8>,
}

impl Reply {
    pub(crate) fn body(&self, name: &str, behaviour: &Behaviour) -> Vec<u8> {
        let length = self.rows.iter().map(Vec::len).sum::<usize>() + self.before.len() + self.behind.len();
        let mut out = Vec::with_capacity(length + self.rows.len() + 64);
        out.push(b'{');
        out.extend_from_slice(&self.before);
        out.extend_from_slice(format!("\"{name}\":[").as_bytes());
        for (place, row) in self.rows.iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            out.extend_from_slice(row);
        }
        out.push(b']');
        out.extend_from_slice(&self.behind);
        out.push(b'}');
        finished(out, behaviour)
    }
}

pub(crate) fn finished(body: Vec<u8>, behaviour: &Behaviour) -> Vec<u8> {
    if behaviour.pretty { pretty(&body) } else { body }
}

/// The same JSON with line breaks and indents.
fn pretty(compact: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(compact.len() * 3 / 2);
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    let indent = |out: &mut Vec<u8>, depth: usize| {
        out.push(b'\n');
        out.resize(out.len() + 2 * depth, b' ');
    };
    for &byte in compact {
        if in_text {
            in_text = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            out.push(byte);
            continue;
        }
        if matches!(byte, b']' | b'}') {
            depth -= 1;
            indent(&mut out, depth);
        }
        out.push(byte);
        match byte {
            b'"' => in_text = true,
            b'[' | b'{' => {
                depth += 1;
                indent(&mut out, depth);
            }
            b',' => indent(&mut out, depth),
            b':' => out.push(b' '),
            _ => {}
        }
    }
    out
}
