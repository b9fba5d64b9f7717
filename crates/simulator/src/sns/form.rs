use std::collections::BTreeMap;

use super::error::SnsError;

/// How many members of one list are read; no call takes more than ten.
const MEMBERS_MAX: usize = 100;

/// The fields of one call, or of one member of a list in it.
#[derive(Clone, Debug)]
pub(super) struct Form<'a> {
    fields: &'a Fields,
    prefix: String,
}

/// All fields of a call, by their full names.
#[derive(Clone, Debug)]
pub(super) struct Fields(BTreeMap<String, String>);

impl Fields {
    pub(super) fn parse(body: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(body).into_owned().collect())
    }

    pub(super) fn form(&self) -> Form<'_> {
        Form { fields: self, prefix: String::new() }
    }
}

impl<'a> Form<'a> {
    /// A field, if it is there.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.fields.0.get(&format!("{}{name}", self.prefix)).map(String::as_str)
    }

    /// A field that must be there and not be empty.
    pub(super) fn required(&self, name: &str) -> Result<&'a str, SnsError> {
        let found = self.get(name).filter(|value| !value.is_empty());
        found.ok_or_else(|| SnsError::reason(name, "no value for required parameter"))
    }

    /// The members of a list, which are numbered from 1: `Attributes.entry.1.key`.
    pub(super) fn members(&self, list: &str) -> Vec<Self> {
        let numbered = (1..=MEMBERS_MAX).map(|number| format!("{}{list}.{number}.", self.prefix));
        numbered
            .take_while(|prefix| self.has(prefix))
            .map(|prefix| Self { fields: self.fields, prefix })
            .collect()
    }

    /// A map, as the protocol lists it.
    pub(super) fn map(&self, name: &str) -> Result<BTreeMap<String, String>, SnsError> {
        let entry = |entry: Self| {
            Ok((entry.required("key")?.to_owned(), entry.get("value").unwrap_or_default().to_owned()))
        };
        self.members(&format!("{name}.entry")).into_iter().map(entry).collect()
    }

    fn has(&self, prefix: &str) -> bool {
        let next = self.fields.0.range(prefix.to_owned()..).next();
        next.is_some_and(|(name, _)| name.starts_with(prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_read_from_its_numbered_entries() {
        let fields = Fields::parse(
            b"Attributes.entry.1.key=RawMessageDelivery&Attributes.entry.1.value=true\
              &Attributes.entry.2.key=DisplayName&Attributes.entry.2.value=a+b%26c",
        );
        let map = fields.form().map("Attributes").unwrap();
        let expected = [("DisplayName", "a b&c"), ("RawMessageDelivery", "true")];
        assert_eq!(map, expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
    }

    #[test]
    fn a_field_that_is_empty_counts_as_missing_where_it_is_required() {
        let fields = Fields::parse(b"TopicArn=");
        assert!(fields.form().required("TopicArn").is_err());
    }
}
