use stallkeeper_lifecycle::LicenseId;

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
