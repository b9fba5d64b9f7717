use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use num_bigint::BigUint;
use yasna::{ASN1Result, BERReader};

/// What stands before a SHA-1 digest in a PKCS #1 signature (RFC 8017, section 9.2, note 1).
const DIGEST_INFO: [u8; 15] =
    [0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14];

/// An RSA key that makes SHA-1 signatures, as SNS' version 1 has them.
///
/// Libraries still check these signatures, but none at hand makes them any more.
pub(super) struct Sha1Key {
    modulus: BigUint,
    exponent: BigUint,
}

impl Sha1Key {
    /// The key of a PKCS #8 document; none where it is not RSA's.
    pub(super) fn from_pkcs8(der: &[u8]) -> Option<Self> {
        let inner = yasna::parse_der(der, |reader| {
            reader.read_sequence(|reader| {
                reader.next().read_u8()?;
                reader.next().read_der()?;
                reader.next().read_bytes()
            })
        });
        yasna::parse_der(&inner.ok()?, private_key).ok()
    }

    /// The signature of these words (RSASSA-PKCS1-v1_5); none where the key is too short for one.
    pub(super) fn sign(&self, words: &[u8]) -> Option<Vec<u8>> {
        let length = usize::try_from(self.modulus.bits().div_ceil(8)).ok()?;
        let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, words);
        let content = DIGEST_INFO.len() + digest.as_ref().len();
        let padding = length.checked_sub(content + 3)?;
        let mut block = vec![0x00, 0x01];
        block.extend(std::iter::repeat_n(0xff, padding));
        block.push(0x00);
        block.extend(DIGEST_INFO);
        block.extend(digest.as_ref());
        let signature = BigUint::from_bytes_be(&block).modpow(&self.exponent, &self.modulus).to_bytes_be();
        let missing = length.checked_sub(signature.len())?;
        Some([vec![0; missing], signature].concat())
    }
}

/// `RSAPrivateKey` (RFC 8017, A.1.2): version, modulus, public and private exponent, and five numbers that
/// only make it faster.
fn private_key(reader: BERReader<'_, '_>) -> ASN1Result<Sha1Key> {
    reader.read_sequence(|reader| {
        reader.next().read_u8()?;
        let modulus = reader.next().read_biguint()?;
        reader.next().read_biguint()?;
        let exponent = reader.next().read_biguint()?;
        for _ in 0..5 {
            reader.next().read_biguint()?;
        }
        Ok(Sha1Key { modulus, exponent })
    })
}
