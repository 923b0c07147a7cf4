//! The server over real sockets, with a client that sees every byte.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use serde_json::Value;

use crate::Auth;
use crate::Fault;
use crate::Faults;
use crate::Filter;
use crate::Options;
use crate::Sandbox;

/// An answer as it came over the wire; an empty head when there was none.
struct Raw {
    head: String,
    body: Vec<u8>,
}

impl Raw {
    fn status(&self) -> u16 {
        self.head.split(' ').nth(1).map_or(0, |status| status.parse().unwrap())
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")))
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

fn address(sandbox: &Sandbox) -> String {
    let url = sandbox.base_url();
    url.trim_start_matches("http://").split('/').next().unwrap().to_owned()
}

/// Sends a request and reads what comes until the connection ends, or `most` bytes.
fn send(sandbox: &Sandbox, request: &str, most: u64) -> Raw {
    let mut stream = TcpStream::connect(address(sandbox)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    // A connection that is reset counts as one that ends.
    let _ = stream.take(most).read_to_end(&mut bytes);
    match bytes.windows(4).position(|window| window == b"\r\n\r\n") {
        None => Raw { head: String::new(), body: bytes },
        Some(end) => {
            Raw { head: String::from_utf8_lossy(&bytes[..end]).into_owned(), body: bytes[end + 4..].to_vec() }
        }
    }
}

fn get_with(sandbox: &Sandbox, token: &str, headers: &str) -> Raw {
    let target = "/api/admin/v2/orders?orderBy=draftCreatedAt&pageSize=200&includeProducts=true";
    let request = format!(
        "GET {target} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\nconnection: close\r\n{headers}\r\n"
    );
    send(sandbox, &request, 8 << 20)
}

fn get(sandbox: &Sandbox) -> Raw {
    get_with(sandbox, "sandbox-token-0123456789", "")
}

fn start() -> Sandbox {
    Sandbox::start(Options { orders: 250, ..Options::default() }).unwrap()
}

#[test]
fn a_page_comes_whole_plain_or_compressed() {
    let sandbox = start();
    let plain = get(&sandbox);
    assert_eq!(plain.status(), 200);
    assert_eq!(plain.header("date"), Some("Mon, 01 Dec 2025 00:00:00 GMT"));
    assert_eq!(plain.header("content-length"), Some(plain.body.len().to_string().as_str()));
    assert_eq!(plain.json()["data"].as_array().unwrap().len(), 200);
    let packed = get_with(&sandbox, "sandbox-token-0123456789", "accept-encoding: br, gzip\r\n");
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert_eq!(packed.header("content-length"), Some(packed.body.len().to_string().as_str()));
    let mut unpacked = Vec::new();
    GzDecoder::new(&packed.body[..]).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, plain.body);
    let stats = sandbox.stats();
    assert_eq!((stats.orders, stats.full_pages), (2, 2));
    assert_eq!(sandbox.requests()[0].path, "/api/admin/v2/orders");
}

#[test]
fn a_connection_serves_many_requests_and_others_beside_it() {
    let sandbox = start();
    let request = "GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut streams: Vec<_> = (0..20).map(|_| TcpStream::connect(address(&sandbox)).unwrap()).collect();
    for _ in 0..3 {
        for stream in &mut streams {
            stream.write_all(request.as_bytes()).unwrap();
        }
        for stream in &mut streams {
            let mut line = [0; 12];
            stream.read_exact(&mut line).unwrap();
            assert_eq!(&line, b"HTTP/1.1 404");
            let mut rest = Vec::new();
            while !rest.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                rest.push(byte[0]);
            }
            assert!(String::from_utf8_lossy(&rest).contains("content-length: 0"));
        }
    }
    assert_eq!(sandbox.stats().requests, 60);
}

#[test]
fn every_fault_has_its_shape_on_the_wire() {
    let sandbox = start();
    let whole = get(&sandbox);
    for fault in Fault::every() {
        let fault = match *fault {
            Fault::Hang(_) => Fault::Hang(Duration::from_millis(150)),
            Fault::Slow(_) => Fault::Slow(Duration::from_millis(150)),
            fault => fault,
        };
        sandbox.set_faults(Faults::at(1..=1, fault));
        let start = Instant::now();
        let met = get(&sandbox);
        let took = start.elapsed();
        let rows = met.json()["data"].as_array().map(Vec::len);
        let html = met.header("content-type") == Some("text/html; charset=utf-8");
        let length = || met.header("content-length").map_or(0, |length| length.parse::<usize>().unwrap());
        let fits = match fault {
            Fault::Unavailable503 => met.status() == 503 && met.body.is_empty(),
            Fault::TooMany429 => met.status() == 429 && met.body.is_empty(),
            Fault::Error500 => met.status() == 500 && met.json()["message"].is_string(),
            Fault::BadGateway502Html => met.status() == 502 && html && met.body.starts_with(b"<html>"),
            Fault::Cut => {
                met.status() == 200
                    && length() == whole.body.len()
                    && met.body == whole.body[..whole.body.len() / 2]
            }
            Fault::Html200 => met.status() == 200 && html && met.body.starts_with(b"<!DOCTYPE html>"),
            Fault::CutJson200 => {
                met.status() == 200
                    && length() == met.body.len()
                    && met.body == whole.body[..whole.body.len() / 2]
            }
            Fault::Reset => met.head.is_empty() && met.body.is_empty(),
            Fault::Hang(time) => met.head.is_empty() && met.body.is_empty() && took >= time,
            Fault::Empty => met.body == b"{\"data\":[]}",
            Fault::Short => rows.is_some_and(|rows| (1..200).contains(&rows)),
            Fault::NoEnvelope => met.body == b"{\"message\":\"ok\"}",
            Fault::NullData => met.body == b"{\"data\":null}",
            Fault::Unsorted => rows == Some(200) && met.body != whole.body,
            Fault::OutOfRange => met.body == whole.body,
            Fault::Expired401 => met.status() == 401 && met.json()["type"] == "E_UNAUTHORIZED",
            Fault::Redirect302 => {
                met.status() == 302 && met.header("location") == Some("https://login.example/")
            }
            Fault::BadGzip => {
                let mut out = Vec::new();
                met.header("content-encoding") == Some("gzip")
                    && GzDecoder::new(&met.body[..]).read_to_end(&mut out).is_err()
            }
            Fault::Huge => met.header("transfer-encoding") == Some("chunked") && met.body.len() > 7 << 20,
            Fault::DropMiddle => rows == Some(199),
            Fault::Slow(time) => met.body == whole.body && took >= time,
        };
        assert!(fits, "{fault:?}: {} with {} bytes", met.head, met.body.len());
        assert_eq!(sandbox.stats().fault(fault.name()), 1, "{fault:?}");
        assert_eq!(get(&sandbox).body, whole.body, "after {fault:?}");
    }
    let unsent = sandbox.requests().iter().filter(|request| request.status == 0).count();
    assert_eq!(unsent, 2);
}

#[test]
fn a_client_gets_tokens_that_expire_and_can_be_revoked() {
    let sandbox = Sandbox::start(Options {
        auth: Auth::Client {
            id: "me".to_owned(),
            secret: "s3 cret&".to_owned(),
            token_life: Duration::from_millis(400),
            scope: None,
        },
        ..Options::default()
    })
    .unwrap();
    let ask = |secret: &str| {
        let form = format!("grant_type=client_credentials&client_id=me&client_secret={secret}");
        let path = sandbox.token_url().split_once("/realms").unwrap().1.to_owned();
        let request = format!(
            "POST /realms{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
            form.len()
        );
        send(&sandbox, &request, 1 << 20)
    };
    let wrong = ask("guess");
    assert_eq!((wrong.status(), &wrong.json()["error"]), (401, &"invalid_client".into()));
    let grant = ask("s3+cret%26");
    assert_eq!((grant.status(), &grant.json()["token_type"]), (200, &"Bearer".into()));
    assert_eq!(grant.json()["expires_in"], 0);
    let token = grant.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(get_with(&sandbox, &token, "").status(), 200);
    sandbox.revoke_tokens();
    assert_eq!(get_with(&sandbox, &token, "").status(), 401);
    let token = ask("s3+cret%26").json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(get_with(&sandbox, &token, "").status(), 200);
    std::thread::sleep(Duration::from_millis(450));
    assert_eq!(get_with(&sandbox, &token, "").status(), 401);
    let stats = sandbox.stats();
    assert_eq!((stats.tokens, stats.unauthorized), (2, 2));
}

#[test]
fn latency_holds_for_each_answer_but_not_for_the_others_beside_it() {
    let sandbox = start();
    sandbox.set_latency(Duration::from_millis(100));
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| assert_eq!(get(&sandbox).status(), 200));
        }
    });
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(100) && took < Duration::from_millis(900), "{took:?}");
}

#[test]
fn the_control_addresses_need_no_token() {
    let sandbox = start();
    let request = "POST /_sandbox/orders?count=2 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    assert_eq!(send(&sandbox, request, 1 << 20).json()["ids"].as_array().unwrap().len(), 2);
    let request = "GET /_sandbox/expected HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let listed = send(&sandbox, request, 1 << 20).json();
    assert_eq!(listed, serde_json::json!(sandbox.expected(&Filter::default())));
}

#[test]
fn a_dropped_sandbox_is_gone() {
    let sandbox = start();
    let address = address(&sandbox);
    drop(sandbox);
    assert!(TcpStream::connect(address).is_err());
}
