//! JSON without white space.

/// Appends valid JSON without the white space between its tokens: a record must stay on one line, and the API may
/// answer in a pretty form. Digits, escapes and the order of keys stay as they are.
pub fn compact(json: &str, out: &mut Vec<u8>) {
    let (mut in_string, mut escaped) = (false, false);
    for &byte in json.as_bytes() {
        if in_string {
            out.push(byte);
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
        } else if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
            out.push(byte);
            in_string = byte == b'"';
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn compacted(json: &str) -> String {
        let mut out = Vec::new();
        compact(json, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn only_white_space_between_tokens_goes() {
        let json = "{ \"a b\" :\n [1.10 , \"x \\\" y\\\\\" ,\tnull ] }";
        assert_eq!(compacted(json), r#"{"a b":[1.10,"x \" y\\",null]}"#);
    }

    proptest! {
        #[test]
        fn the_value_stays_the_same(texts in proptest::collection::vec(".*", 0..5)) {
            let value = Value::from(texts);
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            prop_assert_eq!(compacted(&pretty), value.to_string());
        }
    }
}
