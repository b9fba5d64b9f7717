//! Questions and answers as RPC v2 CBOR writes them.

use std::collections::BTreeMap;

use minicbor::data::{IanaTag, Type};
use minicbor::encode::Error;
use minicbor::{Decoder, Encoder};

use super::{PAGE_MAX, Page, Refusal};
use crate::marketplace::{Entitled, Wanted};

/// How many values a filter may list, as far as the simulator goes.
const VALUES_MAX: usize = 1_000;

/// A question as it was sent.
#[derive(Debug, Default)]
pub(super) struct Request {
    product_code: Option<String>,
    filter: BTreeMap<String, Vec<String>>,
    max_results: Option<i64>,
    next: Option<String>,
}

/// A question that can be answered.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) wanted: Wanted,
    pub(super) dimensions: Vec<String>,
    pub(super) page: usize,
    pub(super) start: usize,
}

type Read<T> = Result<T, minicbor::decode::Error>;

impl Request {
    pub(super) fn read(body: &[u8]) -> Result<Self, Refusal> {
        read(&mut Decoder::new(body)).map_err(|error| Refusal {
            code: "SerializationException",
            words: format!("the body does not fit: {error}"),
        })
    }

    pub(super) fn check(mut self) -> Result<Checked, Refusal> {
        let product_code = self.product_code.filter(|code| !code.is_empty());
        let product_code = product_code.ok_or_else(|| Refusal::parameter("ProductCode is missing"))?;
        let mut take = |name: &str| self.filter.remove(name).unwrap_or_default();
        let (customers, accounts) = (take("CUSTOMER_IDENTIFIER"), take("CUSTOMER_AWS_ACCOUNT_ID"));
        let (licenses, dimensions) = (take("LICENSE_ARN"), take("DIMENSION"));
        if let Some(unknown) = self.filter.keys().next() {
            return Err(Refusal::parameter(format!("there is no filter {unknown}")));
        }
        if !customers.is_empty() && !accounts.is_empty() {
            let words = "filter by CUSTOMER_IDENTIFIER or by CUSTOMER_AWS_ACCOUNT_ID, not by both";
            return Err(Refusal::parameter(words));
        }
        let page = usize::try_from(self.max_results.unwrap_or(25)).ok();
        let page = page.filter(|page| (1..=PAGE_MAX).contains(page));
        let page = page.ok_or_else(|| Refusal::parameter(format!("MaxResults is 1 to {PAGE_MAX}")))?;
        let start = self.next.map_or(Ok(0), |next| next.parse());
        let start = start.map_err(|_| Refusal::parameter("NextToken is none that was given out"))?;
        let wanted = Wanted { product_code, customers, accounts, licenses };
        Ok(Checked { wanted, dimensions, page, start })
    }
}

fn read(decoder: &mut Decoder<'_>) -> Read<Request> {
    let mut request = Request::default();
    each(decoder, Decoder::map, |decoder| {
        match decoder.str()? {
            "ProductCode" => request.product_code = text(decoder)?,
            "NextToken" => request.next = text(decoder)?,
            "MaxResults" => request.max_results = Some(decoder.i64()?),
            "Filter" => request.filter = filter(decoder)?,
            _ => decoder.skip()?,
        }
        Ok(())
    })?;
    Ok(request)
}

fn filter(decoder: &mut Decoder<'_>) -> Read<BTreeMap<String, Vec<String>>> {
    let mut filter = BTreeMap::new();
    each(decoder, Decoder::map, |decoder| {
        let name = decoder.str()?.to_owned();
        let mut values = Vec::new();
        each(decoder, Decoder::array, |decoder| {
            if values.len() >= VALUES_MAX {
                return Err(minicbor::decode::Error::message("too many values in a filter"));
            }
            values.push(decoder.str()?.to_owned());
            Ok(())
        })?;
        filter.insert(name, values);
        Ok(())
    })?;
    Ok(filter)
}

/// Reads the items of a map or an array, whether its length is told or its end is marked.
fn each<'b>(
    decoder: &mut Decoder<'b>,
    open: impl Fn(&mut Decoder<'b>) -> Read<Option<u64>>,
    mut item: impl FnMut(&mut Decoder<'b>) -> Read<()>,
) -> Read<()> {
    if let Some(count) = open(decoder)? {
        return (0..count).try_for_each(|_| item(decoder));
    }
    while decoder.datatype()? != Type::Break {
        item(decoder)?;
    }
    decoder.skip()
}

fn text(decoder: &mut Decoder<'_>) -> Read<Option<String>> {
    if decoder.datatype()? == Type::Null {
        return decoder.null().map(|()| None);
    }
    decoder.str().map(|text| Some(text.to_owned()))
}

/// An answer; none where it cannot be written.
pub(super) fn write(page: &Page) -> Option<Vec<u8>> {
    let mut encoder = Encoder::new(Vec::new());
    write_page(&mut encoder, page).ok()?;
    Some(encoder.into_writer())
}

fn write_page(encoder: &mut Encoder<Vec<u8>>, page: &Page) -> Result<(), Error<std::convert::Infallible>> {
    encoder.map(1 + u64::from(page.next.is_some()))?;
    encoder.str("Entitlements")?.begin_array()?;
    for entitled in &page.entitlements {
        write_entitled(encoder, entitled)?;
    }
    encoder.end()?;
    if let Some(next) = &page.next {
        encoder.str("NextToken")?.str(next)?;
    }
    Ok(())
}

fn write_entitled(
    encoder: &mut Encoder<Vec<u8>>,
    entitled: &Entitled,
) -> Result<(), Error<std::convert::Infallible>> {
    encoder.begin_map()?;
    encoder.str("ProductCode")?.str(&entitled.product_code)?;
    encoder.str("Dimension")?.str(&entitled.dimension)?;
    encoder.str("CustomerAWSAccountId")?.str(&entitled.account)?;
    if let Some(customer) = &entitled.customer {
        encoder.str("CustomerIdentifier")?.str(customer)?;
    }
    if let Some(arn) = &entitled.license_arn {
        encoder.str("LicenseArn")?.str(arn)?;
    }
    encoder.str("Value")?.map(1)?.str("IntegerValue")?.u32(entitled.quantity)?;
    encoder.str("ExpirationDate")?.tag(IanaTag::Timestamp)?.i64(entitled.expires_at.unix_timestamp())?;
    encoder.end()?;
    Ok(())
}

/// A refusal; none where it cannot be written.
pub(super) fn write_refusal(refusal: &Refusal) -> Option<Vec<u8>> {
    let mut encoder = Encoder::new(Vec::new());
    let code = format!("com.amazonaws.marketplaceentitlement#{}", refusal.code);
    let written = encoder.map(2).and_then(|encoder| encoder.str("__type")?.str(&code)?.str("message"));
    written.and_then(|encoder| encoder.str(&refusal.words)).ok()?;
    Some(encoder.into_writer())
}
