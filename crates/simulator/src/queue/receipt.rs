use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What one receive of one message is named by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// Tells queues apart, so that no queue takes another's receipts.
    pub(crate) queue_tag: u64,
    /// The message's number in its queue.
    pub(crate) number: u64,
    /// The how-manieth receive of the message it is.
    pub(crate) receive: u32,
}

impl Receipt {
    /// Reads a handle back; none where no queue ever wrote it.
    pub(crate) fn read(handle: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(handle).ok()?;
        let (queue_tag, rest) = bytes.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        Some(Self {
            queue_tag: u64::from_be_bytes(*queue_tag),
            number: u64::from_be_bytes(*number),
            receive: u32::from_be_bytes(rest.try_into().ok()?),
        })
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { queue_tag, number, receive } = self;
        let mut bytes = Vec::with_capacity(20);
        bytes.extend(queue_tag.to_be_bytes());
        bytes.extend(number.to_be_bytes());
        bytes.extend(receive.to_be_bytes());
        formatter.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_read_back_as_written_and_nothing_else_is() {
        let receipt = Receipt { queue_tag: u64::MAX, number: 7, receive: 3 };
        assert_eq!(Receipt::read(&receipt.to_string()), Some(receipt));
        for other in ["", "bogus", "a b", &format!("{receipt}AAAA")] {
            assert_eq!(Receipt::read(other), None, "{other}");
        }
    }
}
