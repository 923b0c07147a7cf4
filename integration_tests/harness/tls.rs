//! The sandbox behind TLS, with a certificate of a company's own authority.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use aifi_sandbox::Sandbox;
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A TLS server before a sandbox; lives until the test's process ends.
pub struct TlsFront {
    pub base_url: String,
    /// The authority, PEM.
    pub authority: String,
    /// Connections that were tried.
    pub connections: Arc<std::sync::atomic::AtomicU32>,
}

impl TlsFront {
    pub fn before(sandbox: &Sandbox) -> Self {
        Self::with(sandbox, certificates())
    }

    /// The same, but the certificate is the authority's own, as a self-signed one often is.
    pub fn as_authority(sandbox: &Sandbox) -> Self {
        Self::with(sandbox, of_the_authority())
    }

    fn with(sandbox: &Sandbox, (config, authority): (Arc<ServerConfig>, String)) -> Self {
        let backend = sandbox.base_url().trim_start_matches("http://").split('/').next().unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("https://localhost:{}/api/admin/v2", listener.local_addr().unwrap().port());
        let connections = Arc::new(std::sync::atomic::AtomicU32::new(0));
        let count = Arc::clone(&connections);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten().take(1_000) {
                count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                // A client that does not trust us hangs up; that is what some tests are about.
                _ = serve(StreamOwned::new(connection, stream), &backend);
            }
        });
        Self { base_url, authority, connections }
    }
}

/// One request, passed on and answered; then the connection is closed.
fn serve(mut tls: StreamOwned<ServerConnection, TcpStream>, backend: &str) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        tls.read_exact(&mut byte)?;
        request.push(byte[0]);
    }
    request.truncate(request.len() - 2);
    request.extend_from_slice(b"Connection: close\r\n\r\n");
    let mut plain = TcpStream::connect(backend)?;
    plain.write_all(&request)?;
    let mut answer = Vec::new();
    plain.read_to_end(&mut answer)?;
    tls.write_all(&answer)?;
    tls.conn.send_close_notify();
    tls.flush()
}

fn authority(names: Vec<String>) -> CertificateParams {
    let mut authority = CertificateParams::new(names).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority
}

fn of_the_authority() -> (Arc<ServerConfig>, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = authority(vec!["localhost".to_owned()]).self_signed(&key).unwrap();
    (server(&certificate, &key), certificate.pem())
}

fn certificates() -> (Arc<ServerConfig>, String) {
    let authority_key = KeyPair::generate().unwrap();
    let authority = authority(Vec::new());
    let certificate = authority.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let leaf =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    (server(&leaf, &key), certificate.pem())
}

fn server(certificate: &Certificate, key: &KeyPair) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    Arc::new(builder.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap())
}
