use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use url::form_urlencoded;

/// The languages that buyers' pages speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    English,
    Chinese,
}

impl Language {
    /// As HTML and addresses name it.
    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh",
        }
    }

    /// The other one, for the link to it.
    pub(super) fn other(self) -> Self {
        match self {
            Self::English => Self::Chinese,
            Self::Chinese => Self::English,
        }
    }

    fn of_tag(tag: &str) -> Option<Self> {
        match tag.split('-').next()?.to_ascii_lowercase().as_str() {
            "en" => Some(Self::English),
            "zh" => Some(Self::Chinese),
            _ => None,
        }
    }

    /// What the browser likes best of these two; English where it likes neither.
    fn of_headers(headers: &HeaderMap) -> Self {
        let listed =
            headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut best: Option<(f32, Self)> = None;
        for entry in listed.split(',') {
            let (tag, weight) = entry.split_once(';').unwrap_or((entry, ""));
            let weight = weight.trim().strip_prefix("q=").map_or(Some(1.0), |text| text.parse().ok());
            let (Some(language), Some(weight)) = (Self::of_tag(tag.trim()), weight) else { continue };
            if best.is_none_or(|(most, _)| weight > most) {
                best = Some((weight, language));
            }
        }
        best.map_or(Self::English, |(_, language)| language)
    }
}

/// The language of a request: the one that was chosen by its address, or what the browser likes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spoken {
    pub(super) language: Language,
    /// Whether the buyer chose it.
    pub(super) is_chosen: bool,
}

impl Spoken {
    /// What addresses carry on.
    pub(super) fn query(self) -> &'static str {
        match (self.is_chosen, self.language) {
            (false, _) => "",
            (true, Language::English) => "?lang=en",
            (true, Language::Chinese) => "?lang=zh",
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Spoken {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        let query = parts.uri.query().unwrap_or_default();
        let chosen = form_urlencoded::parse(query.as_bytes())
            .find(|(name, _)| name == "lang")
            .and_then(|(_, tag)| Language::of_tag(&tag));
        let language = chosen.unwrap_or_else(|| Language::of_headers(&parts.headers));
        Ok(Self { language, is_chosen: chosen.is_some() })
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_browser_gets_the_language_that_it_likes_best() {
        for (listed, language) in [
            ("", Language::English),
            ("de-DE,de;q=0.9", Language::English),
            ("zh-CN,zh;q=0.9,en;q=0.8", Language::Chinese),
            ("fr, en;q=0.5, zh;q=0.7", Language::Chinese),
            ("en-GB,en;q=0.9,zh;q=0.8", Language::English),
            ("zh;q=x,en", Language::English),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_str(listed).unwrap());
            assert_eq!(Language::of_headers(&headers), language, "{listed}");
        }
    }
}
