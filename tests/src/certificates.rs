//! Certificates that a test issues itself, with the openssl command.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

const DAYS: &str = "30";
const LONG_AGO: &str = "20200101000000Z";

/// A root and an intermediate below it, which signs the certificates.
#[derive(Debug)]
pub struct Authority {
    folder: TempDir,
}

/// A key with a certificate of the authority: what an own message is signed with.
#[derive(Debug)]
pub struct SigningKey {
    key: PathBuf,
    certificate: String,
}

/// The hash of a signature: version 1 has SHA-1, version 2 SHA-256.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Digest {
    /// `SignatureVersion` 1.
    Sha1,
    /// `SignatureVersion` 2.
    Sha256,
}

impl Authority {
    /// Makes a root and its intermediate, both of new keys.
    pub fn new() -> Self {
        let authority = Self { folder: tempfile::tempdir().expect("cannot make a folder for certificates") };
        for name in ["root", "intermediate"] {
            authority.make_key(name);
        }
        authority
            .write("ca.ext", "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n");
        let make = |name: &str, issuer: &[&str]| {
            let mut openssl = authority.openssl("x509");
            openssl.args(["-new", "-days", DAYS, "-extfile", "ca.ext", "-out", &format!("{name}.pem")]);
            openssl.arg("-subj").arg(format!("/O=Stallkeeper tests/CN=Test {name}"));
            run(openssl.args(issuer));
        };
        make("root", &["-key", "root.key"]);
        authority.extract_public_key("intermediate");
        make("intermediate", &["-force_pubkey", "intermediate.pub", "-CA", "root.pem", "-CAkey", "root.key"]);
        authority
    }

    /// The root's certificate, which a worker must be told to trust.
    pub fn root_pem(&self) -> String {
        self.read("root.pem")
    }

    /// The intermediate's certificate, which a worker needs to build the chain.
    pub fn intermediate_pem(&self) -> String {
        self.read("intermediate.pem")
    }

    /// The root's certificate as a file.
    pub fn root_path(&self) -> PathBuf {
        self.folder.path().join("root.pem")
    }

    /// The intermediate's certificate as a file.
    pub fn intermediate_path(&self) -> PathBuf {
        self.folder.path().join("intermediate.pem")
    }

    /// Issues a certificate for a new key in the given host name.
    pub fn signing_key(&self, host: &str) -> SigningKey {
        let name = crate::unique("signer");
        self.make_key(&name);
        self.extract_public_key(&name);
        let certificate = self.issue(&format!("{name}.pub"), host);
        SigningKey { key: self.folder.path().join(format!("{name}.key")), certificate }
    }

    /// Issues the public key of another's certificate again, under this authority.
    ///
    /// It is valid since long ago: a worker that fetches it at the moment of its making may have looked at
    /// the clock just before. Only `openssl ca` can do that, and only with a small database beside it.
    pub fn reissue(&self, certificate_pem: &str, host: &str) -> String {
        let name = crate::unique("other");
        let file = |kind: &str| format!("{name}.{kind}");
        self.write(&file("pem"), certificate_pem);
        self.write(&file("index"), "");
        self.write(&file("ext"), &server_extensions(host));
        self.write(
            &file("conf"),
            &format!(
                "[ca]\ndefault_ca=it\n[it]\ndatabase={}\nnew_certs_dir=.\nrand_serial=yes\npolicy=any\n\
                 [any]\ncommonName=supplied\n",
                file("index")
            ),
        );
        let mut openssl = self.openssl("ca");
        openssl.args(["-batch", "-notext", "-md", "sha256", "-startdate", LONG_AGO, "-days", DAYS]);
        openssl.args(["-cert", "intermediate.pem", "-keyfile", "intermediate.key"]);
        openssl.args(["-config", &file("conf"), "-extfile", &file("ext"), "-ss_cert", &file("pem")]);
        openssl.arg("-subj").arg(format!("/CN={host}"));
        String::from_utf8_lossy(&run(&mut openssl)).into_owned()
    }

    fn issue(&self, public_key: &str, host: &str) -> String {
        let file = format!("{public_key}.ext");
        self.write(&file, &server_extensions(host));
        let mut openssl = self.openssl("x509");
        openssl.args(["-new", "-days", DAYS, "-extfile", &file, "-force_pubkey", public_key]);
        openssl.args([
            "-subj",
            &format!("/CN={host}"),
            "-CA",
            "intermediate.pem",
            "-CAkey",
            "intermediate.key",
        ]);
        String::from_utf8_lossy(&run(&mut openssl)).into_owned()
    }

    fn make_key(&self, name: &str) {
        let file = format!("{name}.key");
        run(self.openssl("genpkey").args([
            "-algorithm",
            "RSA",
            "-pkeyopt",
            "rsa_keygen_bits:2048",
            "-out",
            &file,
        ]));
    }

    fn extract_public_key(&self, name: &str) {
        let (key, public) = (format!("{name}.key"), format!("{name}.pub"));
        run(self.openssl("pkey").args(["-in", &key, "-pubout", "-out", &public]));
    }

    fn openssl(&self, verb: &str) -> Command {
        let mut command = Command::new("openssl");
        command.arg(verb).current_dir(self.folder.path());
        command
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).expect("cannot write beside the certificates");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).expect("cannot read a certificate")
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl SigningKey {
    /// The certificate, for a [`CertificateServer`](crate::CertificateServer) to serve.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate
    }

    /// Signs as SNS does: RSA with PKCS #1 v1.5 padding.
    pub fn sign(&self, text: &str, digest: Digest) -> Vec<u8> {
        let message = Scratch::new(&self.key, text);
        let digest = match digest {
            Digest::Sha1 => "-sha1",
            Digest::Sha256 => "-sha256",
        };
        run(Command::new("openssl").args(["dgst", digest, "-sign"]).arg(&self.key).arg(&message.0))
    }
}

/// What a certificate says that a server of that name may show.
fn server_extensions(host: &str) -> String {
    format!(
        "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature,keyEncipherment\n\
         extendedKeyUsage=serverAuth\nsubjectAltName=DNS:{host}\n"
    )
}

/// A file beside a key for as long as openssl reads it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(beside: &Path, text: &str) -> Self {
        let path = beside.with_extension(crate::unique("message"));
        fs::write(&path, text).expect("cannot write a message to sign");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The folder goes with the authority in any case.
        let _ = fs::remove_file(&self.0);
    }
}

/// Runs openssl and gives what it printed.
fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().expect("openssl is not installed; run `cargo xtask setup`");
    let words: Vec<&OsStr> = command.get_args().collect();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {words:?} failed: {errors}");
    output.stdout
}
