/// Where random bytes come from.
pub trait Entropy: Send + Sync + 'static {
    /// Bytes that nobody can guess.
    ///
    /// # Errors
    /// [`NoEntropy`]
    fn bytes(&self) -> Result<[u8; 32], NoEntropy>;
}

/// The system has no random bytes, without which nothing can be kept secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoEntropy;

impl std::fmt::Display for NoEntropy {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the system has no random bytes to give")
    }
}

impl std::error::Error for NoEntropy {}

/// The system's own random bytes, by way of aws-lc-rs.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn bytes(&self) -> Result<[u8; 32], NoEntropy> {
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| NoEntropy)?;
        Ok(bytes)
    }
}
