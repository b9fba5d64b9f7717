//! What is taken for a license's id is the end of the text, and plain.

use bolero::check;
use stallkeeper_notification::license_id;

fn holds(arn: &str) {
    match license_id(arn) {
        Ok(id) => {
            let id = id.as_str();
            assert!(arn.trim().ends_with(id), "{arn:?}");
            assert!(id.starts_with("l-") && id.len() > 2 && !id.contains([':', '/', ' ']), "{arn:?}");
        }
        Err(refusal) => assert!(!refusal.to_string().contains(char::is_control), "{refusal}"),
    }
}

#[test]
fn fuzz_license_arn() {
    check!().with_type::<String>().for_each(|arn| holds(arn));
}

#[test]
fn fuzz_license_arn_spellings() {
    check!().with_type::<(String, u8, String)>().for_each(|(head, separator, tail)| {
        let separator = [":", "/", "license:", "license/", ""][usize::from(*separator) % 5];
        holds(&format!("{head}{separator}l-{tail}"));
    });
}
