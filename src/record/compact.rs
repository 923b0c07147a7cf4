//! JSON without white space.

/// Appends valid JSON without the white space between its tokens: a record must stay on one line, and the API may
/// answer in a pretty form. Digits, escapes and the order of keys stay as they are.
pub(crate) fn compact(json: &str, out: &mut Vec<u8>) {
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

/// How deep the containers of valid JSON are nested.
pub(super) fn depth(json: &str) -> usize {
    let (mut in_string, mut escaped) = (false, false);
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in json.bytes() {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
        } else {
            match byte {
                b'"' => in_string = true,
                b'{' | b'[' => {
                    depth += 1;
                    deepest = deepest.max(depth);
                }
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => (),
            }
        }
    }
    deepest
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

    #[test]
    fn only_containers_count_as_depth() {
        for (json, levels) in [("1", 0), ("{}", 1), (r#"{"a":[{}],"b":[]}"#, 3), (r#"["[[\"[", []]"#, 2)] {
            assert_eq!(depth(json), levels, "{json}");
        }
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
