use serde_json::Value;
use stallkeeper_persistence::StoreError;

/// Rows as one parameter, for `json_each`: a statement with a parameter for each value would be another
/// statement for each number of rows, and one statement for each row costs a change of threads each.
///
/// # Errors
/// [`StoreError::Data`] where they cannot be written as JSON.
pub(crate) fn rows(rows: impl IntoIterator<Item = Value>) -> Result<String, StoreError> {
    let rows: Vec<Value> = rows.into_iter().collect();
    serde_json::to_string(&rows).map_err(|error| StoreError::Data(error.into()))
}
