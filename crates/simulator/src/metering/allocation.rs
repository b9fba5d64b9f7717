//! Which splits of a quantity are taken.

use std::collections::HashSet;

use crate::metering::call::{Allocation, MeteringRecord, Tag};
use crate::metering::refusal::MeteringRefusal;

const ALLOCATIONS_MAX: usize = 2500;
const TAGS_MAX: usize = 5;

pub(crate) fn check(position: usize, record: &MeteringRecord) -> Result<(), MeteringRefusal> {
    if record.allocations.is_empty() {
        return Ok(());
    }
    let refused = |words| MeteringRefusal::Allocations { record: position, words };
    if record.allocations.len() > ALLOCATIONS_MAX {
        return Err(refused("a record has 2500 allocations at most"));
    }
    for allocation in &record.allocations {
        check_tags(allocation).map_err(|words| MeteringRefusal::Tag { record: position, words })?;
        if allocation.quantity < 0 {
            return Err(refused("an allocated quantity is not negative"));
        }
    }
    let sum: i128 = record.allocations.iter().map(|allocation| i128::from(allocation.quantity)).sum();
    if sum != i128::from(record.quantity) {
        return Err(refused("the sum of the allocated quantities is not the record's quantity"));
    }
    let mut seen = HashSet::with_capacity(record.allocations.len());
    if !record.allocations.iter().all(|allocation| seen.insert(tag_set(allocation))) {
        return Err(refused("two allocations have the same tags"));
    }
    Ok(())
}

fn tag_set(allocation: &Allocation) -> Vec<(&str, &str)> {
    let mut tags: Vec<_> = allocation.tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str())).collect();
    tags.sort_unstable();
    tags
}

fn check_tags(allocation: &Allocation) -> Result<(), &'static str> {
    if allocation.tags.len() > TAGS_MAX {
        return Err("an allocation has 5 tags at most");
    }
    let is_plain =
        |tag: &Tag| !tag.key.is_empty() && tag.key.chars().chain(tag.value.chars()).all(is_taken_in_tags);
    if !allocation.tags.iter().all(is_plain) {
        return Err("a tag has a key, and is of letters, digits, spaces and + - = . _ : \\ / @");
    }
    Ok(())
}

fn is_taken_in_tags(letter: char) -> bool {
    letter.is_ascii_alphanumeric()
        || matches!(letter, ' ' | '+' | '-' | '=' | '.' | '_' | ':' | '\\' | '/' | '@')
}
