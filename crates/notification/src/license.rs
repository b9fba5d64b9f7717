use stallkeeper_lifecycle::{LicenseArn, LicenseId};

use crate::refusal::{Refusal, excerpt};

/// The id at the end of a license's ARN.
///
/// AWS prints the ARN in several spellings: with and without the leading `arn:`, with and without a
/// region, and with `license:`, `license/` or nothing before the id. All end in `l-…`, which is what
/// licenses are compared by.
///
/// # Errors
/// Text that does not end in such an id.
pub fn license_id(arn: &str) -> Result<LicenseId, Refusal> {
    let refused = || Refusal::BadLicenseArn { arn: excerpt(arn) };
    let id = arn.trim().rsplit([':', '/']).next().ok_or_else(refused)?;
    let tail = id.strip_prefix("l-").ok_or_else(refused)?;
    let is_tail = !tail.is_empty() && tail.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !is_tail {
        return Err(refused());
    }
    id.parse().map_err(|_| refused())
}

/// A license's ARN as calls take it, whichever spelling it has: `arn:aws:license-manager::<account>:license:l-…`.
///
/// That is how AWS' code samples for `BatchMeterUsage` write it; events leave out the leading `arn:` and the
/// word `license`, and name a region, and a call that names a license so is refused as a whole.
/// What has none of the known spellings is left as it is, but for the `arn:`.
///
/// # Errors
/// Text that does not end in a license's id.
pub fn license_arn(arn: &str) -> Result<LicenseArn, Refusal> {
    let id = license_id(arn)?;
    let arn = arn.trim();
    let bare = arn.strip_prefix("arn:").unwrap_or(arn);
    let mut parts = bare.split(':');
    let spelled = match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(partition), Some("license-manager"), Some(_region), Some(account)) => {
            format!("arn:{partition}:license-manager::{account}:license:{id}")
        }
        _ => format!("arn:{bare}"),
    };
    spelled.parse().map_err(|source| Refusal::BadId { field: "detail.license.arn", source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_becomes_the_one_that_calls_take() {
        for arn in [
            "aws:license-manager:us-east-1:294406891311:l-1",
            "arn:aws:license-manager:us-east-1:294406891311:l-1",
            "arn:aws:license-manager::294406891311:license:l-1",
            "arn:aws:license-manager::294406891311:license/l-1",
        ] {
            let spelled = license_arn(arn).unwrap();
            assert_eq!(spelled.as_str(), "arn:aws:license-manager::294406891311:license:l-1", "{arn}");
        }
    }

    #[test]
    fn an_unknown_spelling_is_left_as_it_is() {
        assert_eq!(license_arn("aws:licenses:l-1").unwrap().as_str(), "arn:aws:licenses:l-1");
        assert!(license_arn("aws:license-manager:us-east-1:294406891311:x-1").is_err());
    }
}
