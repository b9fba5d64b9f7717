use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use stallkeeper_lifecycle::{SubscriptionKey, Word};
use stallkeeper_persistence::Page;

use super::super::visitor::Visitor;
use super::super::words::{href, subscription_href};
use super::super::{ConsoleApi, Desk, Listing, Search};
use super::lines::SubscriptionRow;
use super::shell::Shell;
use super::{ROWS, Trouble, cut, page};
use crate::safe;

const PATH: &str = "/console/subscriptions";

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    /// What was typed, whatever it is.
    q: String,
    tenant: String,
    /// `marketplace/code`
    listing: String,
    word: String,
    /// The beginning of an id.
    id: String,
    after: String,
}

#[derive(Template)]
#[template(path = "console/subscriptions.html")]
struct SubscriptionsPage {
    shell: Shell,
    /// What the listing is of, in words.
    of: Option<String>,
    /// Where the same text is looked for as the beginning of ids.
    as_id: Option<String>,
    words: Vec<Choice>,
    listings: Vec<Choice>,
    rows: Vec<SubscriptionRow>,
    next: Option<String>,
}

struct Choice {
    name: String,
    href: String,
    is_chosen: bool,
}

pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Query(asked): Query<Asked>,
) -> Result<Response, Trouble> {
    let api = &*desk.api;
    let listings = api.listings();
    let typed = asked.q.trim();
    if !typed.is_empty() {
        return Ok(Redirect::to(&understood(api, &listings, typed).await?).into_response());
    }
    let search = search(&asked).map_err(Trouble::Address)?;
    let after = Some(asked.after.as_str()).filter(|after| !after.is_empty());
    let after: Option<SubscriptionKey> =
        after.map(str::parse).transpose().map_err(|error| Trouble::Address(format!("{error}")))?;
    let (records, more) = cut(api.subscriptions(&search, &Page { after, limit: ROWS + 1 }).await?, ROWS);
    let next = records.last().filter(|_| more).map(|last| address(&search, &last.key.to_string()));
    Ok(page(&SubscriptionsPage {
        of: in_words(&search, &listings),
        as_id: match &search {
            Search::Tenant(tenant) => Some(href(PATH, &[("id", tenant.as_str())])),
            _ => None,
        },
        words: words(&search),
        listings: listings.iter().map(|listing| choice(listing, &search)).collect(),
        rows: records.iter().map(|record| SubscriptionRow::of(api, &listings, record)).collect(),
        next,
        shell: Shell::new(&desk, &visitor, "subscriptions", "Subscriptions"),
    }))
}

/// The address of what was typed: a subscription's page, or the listing that it is meant to be the name of.
async fn understood(api: &dyn ConsoleApi, listings: &[Listing], typed: &str) -> Result<String, Trouble> {
    if let Ok(key) = typed.parse::<SubscriptionKey>()
        && api.subscription(&key).await?.is_some()
    {
        return Ok(subscription_href(&key));
    }
    if Word::ALL.iter().any(|word| word.as_str() == typed) {
        return Ok(href(PATH, &[("word", typed)]));
    }
    if listings.iter().any(|listing| name(listing) == typed) {
        return Ok(href(PATH, &[("listing", typed)]));
    }
    if let Ok(tenant) = typed.parse()
        && !api.subscriptions(&Search::Tenant(tenant), &Page::first(1)).await?.is_empty()
    {
        return Ok(href(PATH, &[("tenant", typed)]));
    }
    Ok(href(PATH, &[("id", typed)]))
}

/// One filter at a time, as each is answered by an index of its own.
fn search(asked: &Asked) -> Result<Search, String> {
    let Asked { tenant, listing, word, id, .. } = asked;
    match (tenant.as_str(), listing.as_str(), word.as_str(), id.as_str()) {
        ("", "", "", "") => Ok(Search::All),
        (tenant, "", "", "") => tenant.parse().map(Search::Tenant).map_err(|error| format!("{error}")),
        ("", listing, "", "") => {
            let (marketplace, code) = listing.split_once('/').ok_or("a listing reads marketplace/code")?;
            let marketplace = marketplace.parse().map_err(|error| format!("{error}"))?;
            Ok(Search::Listing(marketplace, code.parse().map_err(|error| format!("{error}"))?))
        }
        ("", "", word, "") => {
            let found = Word::ALL.into_iter().find(|known| known.as_str() == word);
            found.map(Search::Word).ok_or_else(|| format!("no subscription is ever called {}", safe(word)))
        }
        ("", "", "", id) => Ok(Search::IdPrefix(id.to_owned())),
        _ => Err("one filter at a time".to_owned()),
    }
}

fn name(listing: &Listing) -> String {
    format!("{}/{}", listing.marketplace, listing.code)
}

fn address(search: &Search, after: &str) -> String {
    let of_listing;
    let (parameter, value) = match search {
        Search::All => ("", ""),
        Search::Tenant(tenant) => ("tenant", tenant.as_str()),
        Search::Listing(marketplace, code) => {
            of_listing = format!("{marketplace}/{code}");
            ("listing", of_listing.as_str())
        }
        Search::Word(word) => ("word", word.as_str()),
        Search::IdPrefix(id) => ("id", id.as_str()),
    };
    href(PATH, &[(parameter, value), ("after", after)])
}

fn in_words(search: &Search, listings: &[Listing]) -> Option<String> {
    let words = match search {
        Search::All => return None,
        Search::Tenant(tenant) => format!("tenant {tenant}"),
        Search::Word(word) => word.as_str().to_owned(),
        Search::IdPrefix(id) => format!("id begins with {id}"),
        Search::Listing(marketplace, code) => {
            let is_it = |listing: &&Listing| listing.marketplace == *marketplace && listing.code == *code;
            let product = listings.iter().find(is_it).map(|listing| listing.product.as_str());
            format!("{} on {marketplace}", product.unwrap_or(code.as_str()))
        }
    };
    Some(safe(&words))
}

fn words(search: &Search) -> Vec<Choice> {
    let choice = |word: Word| Choice {
        name: word.as_str().to_owned(),
        href: href(PATH, &[("word", word.as_str())]),
        is_chosen: *search == Search::Word(word),
    };
    let all = Choice { name: "all".to_owned(), href: PATH.to_owned(), is_chosen: *search == Search::All };
    std::iter::once(all)
        .chain(Word::ALL.into_iter().filter(|word| *word != Word::Unknown).map(choice))
        .collect()
}

fn choice(listing: &Listing, search: &Search) -> Choice {
    Choice {
        name: safe(&format!("{} · {}", listing.product, listing.marketplace)),
        href: href(PATH, &[("listing", &name(listing))]),
        is_chosen: *search == Search::Listing(listing.marketplace.clone(), listing.code.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_one_filter_at_most() {
        let asked = |tenant: &str, word: &str| Asked {
            tenant: tenant.to_owned(),
            word: word.to_owned(),
            ..Asked::default()
        };
        assert_eq!(search(&asked("", "")), Ok(Search::All));
        assert_eq!(search(&asked("acme", "")), Ok(Search::Tenant("acme".parse().unwrap())));
        assert_eq!(search(&asked("", "ending")), Ok(Search::Word(Word::Ending)));
        assert!(search(&asked("acme", "ending")).is_err());
        assert!(search(&asked("", "gone")).is_err());
    }

    #[test]
    fn the_next_pages_address_keeps_the_filter() {
        let search = Search::Listing("aws".parse().unwrap(), "p&q".parse().unwrap());
        assert_eq!(address(&search, "aws/x"), "/console/subscriptions?listing=aws%2Fp%26q&after=aws%2Fx");
    }
}
