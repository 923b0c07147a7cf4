//! Keeps secrets out of everything a person may read.
//!
//! A secret never enters a text of ours ([`crate::config::secret::Secret`] cannot be formatted). But the API may
//! quote one back in an error, in an encoding of its own, whole or in part; what it said passes through here, before it
//! is cut to a length.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// What is put in place of a secret.
pub(crate) const REDACTED: &str = "[redacted]";

/// So much of a secret in a row is not shown: whoever quotes may have cut it, at either end.
const PIECE: usize = 12;

/// At the end of a text even a shorter beginning of a secret is not shown: the text was cut there.
const CUT_PIECE: usize = 8;

/// Replaces the known secrets in a text, in each encoding they may come back in, in capitals or not.
#[derive(Default)]
pub(crate) struct Scrubber {
    /// The known forms, in small letters.
    needles: Vec<Vec<u8>>,
    /// Their pieces by length: of [`PIECE`] bytes, or whole, where a form is shorter.
    pieces: BTreeMap<usize, HashSet<Vec<u8>>>,
}

impl fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scrubber")
    }
}

impl Scrubber {
    /// Learns a secret: as it is, percent-encoded, as a form value, as a JSON string, in base64 and hexadecimal.
    pub(crate) fn learn(&mut self, secret: &str) {
        // Replacing every occurrence of a letter or two would garble the text and hide nothing.
        if secret.len() < 4 {
            return;
        }
        let percent: String = secret
            .bytes()
            .map(|b| match b {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    (b as char).to_string()
                }
                _ => format!("%{b:02X}"),
            })
            .collect();
        let form = percent.replace("%20", "+");
        let json = serde_json::Value::from(secret).to_string();
        let json = json.trim_matches('"').to_owned();
        let slashes = json.replace('/', "\\/");
        let hexadecimal: String = secret.bytes().map(|b| format!("{b:02x}")).collect();
        let long = base64_forms(secret.as_bytes())
            .into_iter()
            .chain([hexadecimal])
            .filter(|form| form.len() >= CUT_PIECE);
        for needle in [secret.to_owned(), percent, form, json, slashes].into_iter().chain(long) {
            let needle = needle.to_ascii_lowercase().into_bytes();
            if needle.is_empty() || self.needles.contains(&needle) {
                continue;
            }
            let piece = needle.len().min(PIECE);
            self.pieces.entry(piece).or_default().extend(needle.windows(piece).map(<[u8]>::to_vec));
            self.needles.push(needle);
        }
    }

    /// The text without the secrets.
    pub(crate) fn scrub(&self, text: &str) -> String {
        // Small letters of ASCII take as many bytes as capitals, so positions stay.
        let lower = text.to_ascii_lowercase().into_bytes();
        let mut secret = vec![false; lower.len()];
        for (&length, pieces) in &self.pieces {
            for (start, window) in lower.windows(length).enumerate() {
                if pieces.contains(window) {
                    secret[start..start + length].fill(true);
                }
            }
        }
        for end in ends(text) {
            let cut = self.needles.iter().filter_map(|needle| {
                (CUT_PIECE..needle.len().min(PIECE))
                    .rev()
                    .find(|&length| lower[..end].ends_with(&needle[..length]))
            });
            if let Some(length) = cut.max() {
                secret[end - length..end].fill(true);
            }
        }
        let mut shown = String::with_capacity(text.len());
        let mut hidden = false;
        for (start, c) in text.char_indices() {
            let hide = secret[start..start + c.len_utf8()].contains(&true);
            if hide && !hidden {
                shown.push_str(REDACTED);
            } else if !hide {
                shown.push(c);
            }
            hidden = hide;
        }
        shown
    }
}

/// Where a text was cut: at its end, and before an ellipsis.
fn ends(text: &str) -> Vec<usize> {
    let dots = text.match_indices("...").chain(text.match_indices('…')).map(|(position, _)| position);
    dots.chain([text.len()]).collect()
}

/// What base64 makes of a secret, alone or within a longer text ("id:secret"): what depends on the neighbours is left
/// out, at each of the three places where it may begin. Both alphabets.
fn base64_forms(secret: &[u8]) -> Vec<String> {
    (0..3_usize)
        .flat_map(|before| {
            let bytes = [&[0; 2][..before], secret].concat();
            let (first, last) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
            [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)]
                .map(|text| text.get(first..last).unwrap_or_default().to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_every_encoding() {
        let mut scrubber = Scrubber::default();
        scrubber.learn("p/4 ss\"w+d");
        for text in [
            "p/4 ss\"w+d",
            "p%2F4%20ss%22w%2Bd",
            "p%2f4%20ss%22w%2bd",
            "p%2F4+ss%22w%2Bd",
            "p/4 ss\\\"w+d",
            "p\\/4 ss\\\"w+d",
        ] {
            assert_eq!(scrubber.scrub(&format!("<{text}>")), "<[redacted]>", "{text}");
        }
    }

    #[test]
    fn text_without_secrets_is_untouched() {
        let mut scrubber = Scrubber::default();
        scrubber.learn("hunter2hunter2");
        scrubber.learn("a");
        assert_eq!(scrubber.scrub("a hunter"), "a hunter");
    }

    #[test]
    fn a_secret_is_found_in_capitals_in_base64_and_in_hexadecimal() {
        let secret = "not-a-real-Secret?>~";
        let mut scrubber = Scrubber::default();
        scrubber.learn(secret);
        let hexadecimal: String = secret.bytes().map(|b| format!("{b:02X}")).collect();
        for text in [secret.to_uppercase(), secret.to_lowercase(), hexadecimal] {
            assert_eq!(scrubber.scrub(&format!("<{text}>")), "<[redacted]>", "{text}");
        }
        for before in ["", "i", "id", "id:", "cid:", "client:"] {
            let text = format!("{before}{secret}:more");
            for text in [STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
                let shown = scrubber.scrub(&text);
                assert!(shown.contains(REDACTED), "{text}");
                // What is left is of the neighbours, and at most the bits that are shared with them.
                let left = shown.replace(REDACTED, "").len();
                assert!(left <= (before.len() + 5) * 8 / 6 + 4, "{shown}");
            }
        }
    }

    #[test]
    fn a_part_of_a_secret_is_not_shown() {
        let secret: String = (0..1_338_u32).map(|n| char::from(b'a' + (n * n % 25) as u8)).collect();
        let mut scrubber = Scrubber::default();
        scrubber.learn(&secret);
        for part in [&secret[..285], &secret[500..700], &secret[1_300..], &secret[..12]] {
            assert_eq!(scrubber.scrub(&format!("token {part}; more")), "token [redacted]; more");
        }
        for length in 8..20 {
            let cut = &secret[..length];
            assert_eq!(scrubber.scrub(&format!("token {cut}")), "token [redacted]", "{length}");
            assert_eq!(scrubber.scrub(&format!("token {cut}... no")), "token [redacted]... no", "{length}");
            assert_eq!(scrubber.scrub(&format!("token {cut}… no")), "token [redacted]… no", "{length}");
        }
    }

    #[test]
    fn letters_of_several_bytes_are_whole_or_gone() {
        let mut scrubber = Scrubber::default();
        scrubber.learn("geheimnüßäöüÄÖÜ");
        assert_eq!(scrubber.scrub("ü geheimnüßäöüÄÖÜ ß"), "ü [redacted] ß");
        scrubber.scrub("ßäöüÄÖÜßäöüÄÖÜ…");
    }
}
