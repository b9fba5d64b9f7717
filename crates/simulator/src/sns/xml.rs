/// An answer in the making: elements one after the other, with their texts escaped.
#[derive(Debug, Default)]
pub(super) struct Xml(String);

impl Xml {
    /// An element that holds a text.
    pub(super) fn text(&mut self, name: &str, text: &str) -> &mut Self {
        self.within(name, |xml| escape(text, &mut xml.0))
    }

    /// An element that holds others.
    pub(super) fn within(&mut self, name: &str, content: impl FnOnce(&mut Self)) -> &mut Self {
        self.open(name, "");
        content(self);
        self.0.extend(["</", name, ">"]);
        self
    }

    /// A map, as the protocol lists it.
    pub(super) fn map<'a>(
        &mut self,
        name: &str,
        entries: impl IntoIterator<Item = (&'a str, String)>,
    ) -> &mut Self {
        self.within(name, |xml| {
            for (key, value) in entries {
                xml.within("entry", |xml| {
                    xml.text("key", key).text("value", &value);
                });
            }
        })
    }

    /// What another holds.
    pub(super) fn append(&mut self, other: &Self) {
        self.0.push_str(&other.0);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The outermost element, in SNS' name space.
    pub(super) fn document(name: &str, content: impl FnOnce(&mut Self)) -> String {
        let mut xml = Self::default();
        xml.open(name, r#" xmlns="http://sns.amazonaws.com/doc/2010-03-31/""#);
        content(&mut xml);
        xml.0.extend(["</", name, ">\n"]);
        xml.0
    }

    fn open(&mut self, name: &str, attributes: &str) {
        self.0.extend(["<", name, attributes, ">"]);
    }
}

fn escape(text: &str, into: &mut String) {
    for character in text.chars() {
        match character {
            '&' => into.push_str("&amp;"),
            '<' => into.push_str("&lt;"),
            '>' => into.push_str("&gt;"),
            '"' => into.push_str("&quot;"),
            // A reader would make a line feed of it.
            '\r' => into.push_str("&#xD;"),
            '\t' | '\n' => into.push(character),
            // XML cannot say them at all, not even escaped.
            '\0'..=' ' if character != ' ' => into.push(char::REPLACEMENT_CHARACTER),
            '\u{fffe}' | '\u{ffff}' => into.push(char::REPLACEMENT_CHARACTER),
            plain => into.push(plain),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_would_take_for_itself_is_escaped() {
        let document = Xml::document("Answer", |xml| {
            xml.text("Policy", "{\"a\": \"<b> & c\"}\r\n\u{1}");
        });
        assert!(
            document.contains(
                "<Policy>{&quot;a&quot;: &quot;&lt;b&gt; &amp; c&quot;}&#xD;\n\u{fffd}</Policy></Answer>"
            ),
            "{document}"
        );
    }
}
