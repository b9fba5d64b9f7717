use stallkeeper_runtime::hex;

/// A text of unknown origin as people can be shown it: what would steer a terminal, or turn or hide the writing around
/// it, is written as an escape.
pub fn safe(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut safe, character| {
        if character.is_control() || steers(character) {
            safe.extend(character.escape_default());
        } else {
            safe.push(character);
        }
        safe
    })
}

/// Marks that nobody sees, but that turn or hide what stands around them.
fn steers(character: char) -> bool {
    matches!(character,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// The first bytes of a body, at most so many, cut where no character is torn apart; and whether that is not all.
pub fn head(body: &[u8], bytes_max: usize) -> (&[u8], bool) {
    if body.len() <= bytes_max {
        return (body, false);
    }
    let cut = body.get(..bytes_max).unwrap_or(body);
    let whole = match std::str::from_utf8(cut) {
        // Only a character at the very end may be incomplete.
        Err(error) if error.error_len().is_none() => cut.get(..error.valid_up_to()).unwrap_or(cut),
        _ => cut,
    };
    (whole, true)
}

/// How many bytes a line of digits has.
const HEX_BYTES_PER_LINE: usize = 32;

/// Bytes of unknown origin as people can be shown them: the lines of a text, [`safe`] each, or digits where they are none.
pub fn safe_lines(bytes: &[u8]) -> Vec<String> {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.split('\n').map(safe).collect(),
        Err(_) => bytes.chunks(HEX_BYTES_PER_LINE).map(hex).collect(),
    }
}
