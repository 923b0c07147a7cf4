//! Certificates as people paste them: forms, YAML and environment files lose or spell out line breaks.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The certificates of a text: all of them, or why not. What is around them, such as their names, is passed over.
pub(super) fn certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, &'static str> {
    let text = with_line_breaks(text);
    let mut rest = text.as_str();
    let mut found = Vec::new();
    while let Some((_, after)) = rest.split_once(BEGIN) {
        let (body, after) = after.split_once(END).ok_or(CUT)?;
        let body: String = body.split_whitespace().collect();
        let der = STANDARD.decode(body).ok().filter(|der| !der.is_empty()).ok_or(BROKEN)?;
        found.push(der.into());
        rest = after;
    }
    if rest.contains(END) {
        return Err(CUT);
    }
    if found.is_empty() { Err(NONE) } else { Ok(found) }
}

const NONE: &str =
    "holds no certificate. Paste the PEM text whole, with its BEGIN CERTIFICATE and END CERTIFICATE lines.";
const CUT: &str = "holds a certificate that is cut off. Paste the PEM text whole, with its BEGIN CERTIFICATE and END CERTIFICATE lines.";
const BROKEN: &str = "holds a certificate that cannot be read between its BEGIN CERTIFICATE and END CERTIFICATE lines. Paste the PEM text as it is in the file, with its line breaks.";

/// Line breaks that are spelt out, such as `\\n`, become real ones. No certificate has a backslash of its own.
fn with_line_breaks(text: &str) -> String {
    let mut read = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            read.push(c);
            continue;
        }
        while chars.next_if_eq(&'\\').is_some() {}
        _ = chars.next_if(|c| matches!(c, 'n' | 'r' | 't'));
        read.push('\n');
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pem() -> String {
        let key = rcgen::KeyPair::generate().unwrap();
        rcgen::CertificateParams::new(["a.example".to_owned()]).unwrap().self_signed(&key).unwrap().pem()
    }

    #[test]
    fn a_certificate_is_read_however_its_line_breaks_were_lost() {
        let pem = pem().replace("\r\n", "\n");
        let read = certificates(&pem).unwrap();
        for text in [
            pem.replace('\n', "\\n"),
            pem.replace('\n', "\\r\\n"),
            pem.replace('\n', "\\\\n"),
            pem.replace('\n', "\r\n"),
            pem.replace('\n', "\r"),
            pem.replace('\n', " "),
            pem.replace('\n', ""),
            pem.replace('\n', "\n    "),
            format!("\"{pem}\""),
            format!("\u{feff}subject=CN = x\n{pem}\nthe end"),
        ] {
            assert_eq!(certificates(&text).as_ref(), Ok(&read), "{text}");
        }
        assert_eq!(certificates(&format!("{pem}{pem}")).unwrap().len(), 2);
    }

    #[test]
    fn what_cannot_be_read_is_refused_also_behind_a_good_one() {
        let pem = pem();
        let cut = pem.trim_end().trim_end_matches('-');
        for (text, word) in [
            ("x".to_owned(), "no certificate"),
            (cut.to_owned(), "cut off"),
            (format!("{pem}{BEGIN}"), "cut off"),
            (format!("{pem}{END}"), "cut off"),
            (format!("{pem}{BEGIN}{END}"), "line breaks"),
            (format!("{pem}{BEGIN}\nMI*C\n{END}"), "line breaks"),
        ] {
            let why = certificates(&text).unwrap_err();
            assert!(why.contains(word), "{text}: {why}");
        }
    }

    proptest::proptest! {
        #[test]
        fn untrusted_certificates_are_read_or_refused_in_words(
            text in crate::untrusted::mangled(format!("{BEGIN}\nMIIBszCCAVmgAwIBAgIUQ2VydGlmaWNhdGU=\n{END}\n").repeat(2)),
        ) {
            if let Err(why) = certificates(&String::from_utf8_lossy(&text)) {
                proptest::prop_assert!(!why.is_empty());
            }
        }

        #[test]
        fn no_text_panics(text in ".{0,80}", tail in "[-A-Z \\\\nrt]{0,40}") {
            _ = certificates(&text);
            _ = certificates(&format!("{BEGIN}{tail}{END}{text}"));
        }
    }
}
