//! The sandbox as a program, from outside.

use std::net::TcpListener;
use std::process::Command;

#[test]
fn a_port_that_is_taken_is_told_in_words() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address");
    let output = Command::new(env!("CARGO_BIN_EXE_aifi-sandbox"))
        .args(["--orders=1", &format!("--port={}", address.port())])
        .output()
        .expect("the program runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        format!(
            "{address} is in use by another program: choose another port with --port, and put it into base_url\n"
        )
    );
}

#[test]
fn an_address_of_another_machine_is_named() {
    let output = Command::new(env!("CARGO_BIN_EXE_aifi-sandbox"))
        .args(["--orders=1", "--listen=192.0.2.1:0"])
        .output()
        .expect("the program runs");
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.starts_with("192.0.2.1:0 cannot be listened on: "), "{told}");
}
