//! Reads the certificate of a server by connecting to it.

use std::{
    io::{self, Write},
    net::{TcpStream, ToSocketAddrs},
    sync::Arc,
    time::Duration,
};

use letterbox_codec::Timestamp;
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use x509_cert::{Certificate, der::Decode};

/// The server has this long to connect, and again for each part of its handshake.
const TIMEOUT: Duration = Duration::from_secs(10);

const SECONDS_PER_DAY: i64 = 86_400;

/// Until when the certificate of a TLS server is valid, in whole days from now; negative if it has expired. The error says
/// why it could not be read.
pub fn days_left(domain: &str, port: u16, now: Timestamp) -> Result<i64, String> {
    days_until_end(&certificate(domain, port).map_err(|error| error.to_string())?, now)
}

/// The whole days from now to the end of a DER certificate.
fn days_until_end(certificate: &[u8], Timestamp(now): Timestamp) -> Result<i64, String> {
    let certificate =
        Certificate::from_der(certificate).map_err(|error| format!("invalid certificate: {error}"))?;
    let end = certificate.tbs_certificate().validity().not_after.to_unix_duration().as_secs();
    let end = i64::try_from(end).map_err(|error| error.to_string())?;
    Ok((end - now.div_euclid(1000)).div_euclid(SECONDS_PER_DAY))
}

/// The certificate that a server shows in the TLS handshake. Nothing but the handshake is sent.
fn certificate(domain: &str, port: u16) -> io::Result<Vec<u8>> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    let name = ServerName::try_from(domain.to_owned()).map_err(io::Error::other)?;
    let mut connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let address = (domain, port)
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| io::Error::other("the domain has no address"))?;
    let mut socket = TcpStream::connect_timeout(&address, TIMEOUT)?;
    socket.set_read_timeout(Some(TIMEOUT))?;
    socket.set_write_timeout(Some(TIMEOUT))?;
    while connection.is_handshaking() {
        connection.complete_io(&mut socket)?;
    }
    let shown = connection.peer_certificates().and_then(|chain| chain.first()).map(|shown| shown.to_vec());
    connection.send_close_notify();
    // The certificate is known, whether the server reads this or not.
    let _ = connection.write_tls(&mut socket).and_then(|_| socket.flush());
    shown.ok_or_else(|| io::Error::other("the server has no certificate"))
}

/// Accepts every certificate: an expired one is to be read as well. Nothing is ever sent over such a connection.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
