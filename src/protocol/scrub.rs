//! Keeps secrets out of everything a person may read.
//!
//! A secret never enters a text of ours ([`crate::config::secret::Secret`] cannot be formatted). But the API may
//! quote one back in an error, in an encoding of its own; what it said passes through here.

/// What is put in place of a secret.
pub const REDACTED: &str = "[redacted]";

/// Replaces the known secrets in a text, in each encoding they may come back in.
#[derive(Default)]
pub struct Scrubber {
    needles: Vec<String>,
}

impl Scrubber {
    /// Learns a secret: as it is, percent-encoded (both spellings of the hexadecimal digits), as a form value
    /// and as a JSON string.
    pub fn learn(&mut self, secret: &str) {
        // Replacing every occurrence of a letter or two would garble the text and hide nothing.
        if secret.len() < 4 {
            return;
        }
        let percent = |lower: bool| -> String {
            secret
                .bytes()
                .map(|b| match b {
                    b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                        (b as char).to_string()
                    }
                    _ if lower => format!("%{b:02x}"),
                    _ => format!("%{b:02X}"),
                })
                .collect()
        };
        let upper = percent(false);
        let form = upper.replace("%20", "+");
        let json = serde_json::Value::from(secret).to_string();
        let json = json.trim_matches('"').to_owned();
        let slashes = json.replace('/', "\\/");
        for needle in [secret.to_owned(), upper, percent(true), form, json, slashes] {
            if !self.needles.contains(&needle) {
                self.needles.push(needle);
            }
        }
        // The longest first, so that no rest of an encoded form stays behind.
        self.needles.sort_by_key(|needle| std::cmp::Reverse(needle.len()));
    }

    /// The text without the secrets.
    pub fn scrub(&self, text: &str) -> String {
        self.needles.iter().fold(text.to_owned(), |text, needle| text.replace(needle, REDACTED))
    }
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
}
